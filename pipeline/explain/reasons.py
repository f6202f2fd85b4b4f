"""What each reason of a fate means, and which configuration decides: docs/fates.md for a program."""

from __future__ import annotations

from weft.schemas.config import Config
from weft.transforms.extract import own_filters

_Said = tuple[str, tuple[str, ...]]  # what it means, keys of the configuration that decide

# What pack looks for in a picture, whether it stands in a document or a pair.
_OF_PICTURES: dict[str, _Said] = {
    "single_colour": ("the image is of one colour", ("pack.drop_single_colour",)),
    "placeholder": (
        "its host gives the same picture for more than fetch.placeholder_urls addresses",
        ("fetch.placeholder_urls",),
    ),
    "evaluation_image": ("a copy of an evaluation image", ("pack.evaluation_images",)),
    "evaluation_embedding": (
        "its vector is near one of score.evaluation_embeddings",
        ("score.evaluation_embeddings", "pack.max_evaluation_similarity"),
    ),
    "unsafe": ("the head takes it for unsafe", ("pack.max_unsafe",)),
    "unscored": ("the model made no numbers of it, so that its limits cannot be asked", ()),
    "watermarked": ("the head sees a watermark", ("pack.max_watermark",)),
    "unaesthetic": ("the head's mark is too low", ("pack.min_aesthetic",)),
    "prompted_out": (
        "it is a name of score.prompts more surely than pack.max_prompt allows",
        ("score.prompts", "pack.max_prompt"),
    ),
}
# stage, kind → reasons that mean the same → what is said of them
_NO_ANSWER: dict[str, _Said] = {
    "opt_out": (
        "its own response, its file or a file of its site forbids the use",
        ("fetch.opt_out", "fetch.ai_agents"),
    ),
    "robots_disallowed": ("robots.txt forbids it", ("fetch.robots",)),
    "robots_unavailable": (
        "robots.txt cannot be had: the site answers 5xx or 429 to it, three times where that may pass",
        (),
    ),
    "http_error": ("the answer is no 2xx", ()),
    "timeout": ("no whole answer in time", ("fetch.timeout_s",)),
    "connection_failed": ("nobody answers there", ()),
    "incomplete": ("the answer broke off", ()),
    "too_many_redirects bad_redirect": ("redirects lead on and on, or to no address", ()),
    "host_unreachable": ("its host was given up after several requests without an answer", ()),
    "host_throttled": ("its host was given up after many requests to wait", ()),
    "bad_url private_address": ("it is not asked for at all", ()),
}
_CRAWLED: dict[str, _Said] = {
    **_NO_ANSWER,
    "redirect": ("it leads elsewhere; what it leads to has a fate of its own", ()),
    "too_many_bytes": ("it is too long", ("crawl.max_page_bytes", "crawl.max_image_bytes")),
}
_TABLE: dict[tuple[str, str], dict[str, _Said]] = {
    ("crawl", "page"): {
        **_CRAWLED,
        "host_cap": ("its host has more pages than may be asked for", ("crawl.pages_per_host",)),
        "not_html": ("the answer is no HTML", ()),
    },
    ("crawl", "image"): {**_CRAWLED, "not_an_image": ("the answer is no picture", ())},
    ("crawl", "record"): {
        **_CRAWLED,
        "host_cap": ("its host has more sitemaps than may be asked for", ("crawl.pages_per_host",)),
    },
    ("extract", "record"): {
        "request metadata revisit warcinfo conversion": ("its WARC type, where that is not a response or resource", ()),
        "http_error redirect": ("status outside 200 to 299", ()),
        "not_html": ("neither HTML nor an image", ()),
        "no_columns": (
            "a list whose columns say neither address nor caption, or a row that is not what its columns promise",
            (),
        ),
        "no_picture": ("a sample of a tar has no picture of a kind that is read", ()),
        "not_http": ("no http or https address, or no HTTP message in it", ()),
        "unknown_type": ("a WARC type that the standard does not know, or none", ()),
        "no_http": ("a response record without an HTTP response", ()),
        "bad_header": ("an HTTP header of more than 256 KB or 1,000 lines", ()),
        "bad_length": ("a Content-Length that is no number, or too small for any HTTP response", ()),
        "empty": ("no body", ()),
        "bad_encoding": (
            "a content coding that cannot be undone, more than five of them, or more than 250,000 chunks; or a row of "
            "a list that is not UTF-8",
            (),
        ),
        "too_large": ("more than a record may have", ()),
        "truncated": ("the record, or the file from here on, is cut off", ()),
        "unreadable empty_file": (
            "the file is not there, or cannot be read, or from here on not; an outage stops the run instead",
            (),
        ),
    },
    ("extract", "page"): {
        "excluded": ("a list of exclude names it, or what it belongs to", ()),
        "duplicate_record": ("the same record stood in this file before", ()),
        "page_too_long": ("its HTML is too long", ("extract.max_page_bytes",)),
        "opt_out": (
            "its headers or meta elements forbid its use",
            ("extract.honour_opt_out", "extract.opt_out"),
        ),
        "licence": ("it states none of the licences that are asked for", ("extract.licences",)),
        "too_complex": ("more tags, attributes, open elements, texts or images than any page is worth", ()),
        "page_too_slow": ("it took more processor time than any page is worth", ()),
        "parse_error": ("no parser could read it", ()),
        "too_short": ("it is too short", ("extract.min_words",)),
        "too_long": ("it is too long", ("extract.max_words",)),
        "gibberish_emoji": ("too many emoji", ("extract.max_emoji_ratio",)),
        "gibberish_hashtags": ("too many hashtags", ("extract.max_hashtag_ratio",)),
        "gibberish_links": ("too many written-out links", ("extract.max_url_ratio",)),
        "gibberish_run": ("one character repeated too often", ("extract.max_symbol_run",)),
        "gibberish_symbols": ("too few words have a letter", ("extract.min_alpha_words",)),
        "c4_lorem_ipsum c4_curly_bracket c4_too_few_sentences": ("it fails the rule extract.c4", ("extract.c4",)),
        "refinedweb_lines": (
            "extract.refinedweb_lines would take more than 5 % of its words",
            ("extract.refinedweb_lines",),
        ),
        "gopher_word_length gopher_symbols gopher_bullets gopher_ellipses gopher_alphabetic gopher_stop_words": (
            "it fails the rule extract.gopher_quality",
            ("extract.gopher_quality",),
        ),
        "repetition_lines repetition_paragraphs repetition_top_ngram repetition_ngrams": (
            "it fails the rule extract.gopher_repetition",
            ("extract.gopher_repetition",),
        ),
        "fineweb_punctuation fineweb_short_lines fineweb_repeated fineweb_newlines": (
            "it fails the rule extract.fineweb_quality",
            ("extract.fineweb_quality",),
        ),
        "filter_…": ("a filter of the user's own dropped it", ("extract.filters",)),
        "bad_words": ("it holds a word of a list of bad words of its language", ("extract.bad_words",)),
        "quality": (
            "a model of extract.quality_models gives it too low or too high a score",
            ("extract.min_quality", "extract.max_quality"),
        ),
        "personal_data": ("it holds personal data", ("extract.pii", "extract.pii_kinds")),
        "language": (
            "its language is not one of those asked for, or not surely",
            ("extract.languages", "extract.min_language_score", "extract.look_first"),
        ),
    },
    ("extract", "image"): {
        "excluded": ("a list of exclude names it, or what it belongs to", ()),
        "boilerplate": ("outside the main content", ()),
        "noscript_twin": ("the noscript copy of the image before it", ()),
        "data_uri bad_url no_source": ("it has no address that can be fetched", ()),
        "svg_inline": ("it is drawn in the page itself, and taken for no figure", ("extract.inline_svg",)),
        "formula": ("it is the picture of a formula, which stands in the text as LaTeX", ()),
        "forbidden_url": ("its address holds a word of extract.image_url_forbidden", ("extract.image_url_forbidden",)),
        "background": ("a background declared on an element that is not said to be an image", ()),
        "opt_out": ("the page forbids the use of its images", ("extract.honour_opt_out", "extract.opt_out")),
    },
    ("extract", "pair"): {
        "excluded": ("a list of exclude names it, or what it belongs to", ()),
        "too_short": ("it is too short", ("extract.min_pair_chars",)),
        "too_few_words": ("its text has too few words", ("extract.min_pair_words",)),
        "too_long": ("it is too long", ("extract.max_pair_chars",)),
        "too_many_words": ("its text has too many words", ("extract.max_pair_words",)),
        "forbidden_tag": ("its text holds a forbidden tag", ("extract.pair_forbidden",)),
        "file_name url no_letter stock_text": ("the text says nothing of the image", ()),
        "low_similarity": ("its list gives it a lower similarity", ("extract.list_min_similarity",)),
        "language": ("another language, by a sure judgement", ()),
        "filter_…": ("a filter of the user's own dropped it", ("extract.pair_filters",)),
        "shared": ("the page gives the same text to more images than may share one", ("extract.max_shared",)),
        "repeated": ("the same text for the same image stood on this page before", ()),
    },
    ("dedup", "document"): {
        "duplicate_record": ("another file holds the same record", ()),
        "duplicate_url": ("another capture of the same address stays", ("dedup.url",)),
        "duplicate_exact": ("another document with the same text stays", ("dedup.exact",)),
        "duplicate_images": ("another document with the same images in the same order stays", ("dedup.image_sets",)),
        "opt_out": (
            "robots.txt, ai.txt or tdmrep.json of its site, as archived, forbids its use",
            ("extract.honour_opt_out", "extract.opt_out", "extract.ai_agents"),
        ),
        "contaminated": ("it holds words of an evaluation text", ("dedup.evaluation",)),
        "duplicate_near": ("a similar document stays", ("dedup.near", "dedup.threshold")),
    },
    ("dedup", "pair"): {
        "document_dropped": ("its page was dropped", ()),
        "document_missing": ("its page is not in documents/", ()),
        "duplicate": ("the same image with the same text stays on another page", ()),
        "duplicate_record": ("another file holds the same record", ()),
    },
    ("fetch", "image"): {
        "excluded": ("a list of exclude has its hash, or the address that gave it", ()),
        "not_in_warc": ("no archive holds it, and no server is asked", ("fetch.http",)),
        "capture_unreadable": ("its record in the archive cannot be read (any more)", ()),
        **_NO_ANSWER,
        "host_cap": ("its host has more images than a run may ask for", ("fetch.max_per_host",)),
        "host_too_slow": ("its host was asked long enough", ("fetch.host_hours",)),
        "bad_encoding": ("a content coding that cannot be undone", ()),
        "too_few_bytes": ("its file is too small", ("fetch.min_bytes",)),
        "too_many_bytes": ("its file is too large", ("fetch.max_bytes",)),
        "too_many_pixels": ("it has too many pixels", ("fetch.max_pixels",)),
        "svg": ("a drawing in SVG, which is not drawn", ("fetch.svg",)),
        "unsupported_format": ("a picture in a format that is not read", ()),
        "not_an_image": ("the answer was no picture: a page, most often", ()),
        "truncated": ("the end of the file is missing", ()),
        "undecodable": ("the file is damaged", ()),
    },
    ("score", "image"): {
        "unreadable": ("its stored bytes cannot be read", ()),
        "not_finite": ("the model makes no numbers of it: weights or precision that do not suit", ()),
    },
    ("score", "pair"): {
        "not_finite": ("the model makes no numbers of it: weights or precision that do not suit", ()),
        "image_missing": ("its image was not fetched, or has no vector", ()),
        "no_text": ("nothing of its caption is left to compare", ()),
    },
    ("pack", "instruction"): {
        "too_long": ("it is longer than a sequence", ("pack.context_length",)),
        "excluded": ("a list of what is to be left out has its key", ()),
    },
    ("pack", "document"): {
        "filter_…": ("a filter of the user's own dropped it", ("pack.filters",)),
        "empty": ("neither text nor images are left", ()),
        "no_images": ('no image is left, and pack.imageless is "drop"', ("pack.imageless",)),
        "no_text": ("images without text", ("pack.require_interspersed",)),
        "one_image": ("one image, and the hash says no", ("pack.one_image_drop",)),
        "few_images": ("it has too few images", ("pack.min_document_images",)),
        "many_images": ("it has too many images", ("pack.max_document_images",)),
        "unmatched": ("too few of its images fit the texts that they are matched with", ("pack.min_matched_share",)),
        "quality": (
            "a model of extract.quality_models gave it too low or too high a score",
            ("pack.min_quality", "pack.max_quality"),
        ),
        "dissimilar": ("its images are too unlike its texts on average", ("pack.min_mean_similarity",)),
    },
    ("pack", "image"): {
        **_OF_PICTURES,
        "image_missing": ("fetch never met it", ()),
        "image_…": ("fetch dropped it, for the reason after the underscore", ()),
        "too_small": ("the image is too small", ("pack.min_side",)),
        "too_large": ("the image is too large", ("pack.max_side",)),
        "aspect": ("the image is too long or too narrow", ("pack.max_aspect",)),
        "repeated": ("it stands in too many documents", ("pack.max_repeats",)),
        "repeated_in_document": ("its document holds it already", ()),
        "too_many_images": ("its document has as many images as may stay", ("pack.max_images",)),
        "low_similarity": ("image and text are too unlike", ("pack.min_document_similarity",)),
        "document_cut": (
            "it stands past the last sequence that pack.max_document_chunks allows",
            ("pack.max_document_chunks",),
        ),
        "document_text_only": ("its document went to the text corpus", ()),
        "document_dropped": ("its document was dropped", ()),
    },
    ("pack", "pair"): {
        "filter_…": ("a filter of the user's own dropped it", ("pack.pair_filters",)),
        **_OF_PICTURES,
        "too_small": ("the image is too small", ("pack.pair_min_side",)),
        "aspect": ("the image is too long or too narrow", ("pack.pair_max_aspect",)),
        "near_image": (
            "the same picture, no smaller, on its host by score.near_images or on any by score.near_hash, stays",
            ("score.near_images", "score.near_hash", "pack.drop_near_images"),
        ),
        "same_picture": (
            "one with the same words and a picture that looks the same and is no smaller stays",
            ("pack.pair_same_picture",),
        ),
        "low_similarity": (
            "image and text are too unlike",
            ("pack.pair_min_similarity", "pack.pair_min_similarity_by_language", "pack.pair_top_share"),
        ),
        "image_missing": ("its image was not fetched", ()),
    },
}

# stage, kind → reason → what is said of it
REASONS = {
    where: {reason: said for reasons, said in rows.items() for reason in reasons.split()}
    for where, rows in _TABLE.items()
}


def meaning(stage: str, kind: str, reason: str) -> _Said | None:
    """What a reason means, and the keys that decide; None for one that the stage does not give things of this kind.

    A filter of the user's own gives its own, and pack those of fetch after `image_`.
    """
    known = REASONS.get((stage, kind), {})
    if reason.startswith(own_filters.REASON):
        return known.get(f"{own_filters.REASON}…")
    if reason not in known and "image_…" in known and reason.startswith("image_"):
        cause = REASONS["fetch", "image"].get(reason.removeprefix("image_"))
        return cause and (f"its image was not fetched: {cause[0]}", cause[1])
    return known.get(reason)


def of_image(reason: str, config: Config) -> str:
    """Why an image is not in the corpus, with the values that decided; "" for a reason that nobody knows.

    Args:
        reason: of fetch, or of pack.
    """
    for where in (("pack", "image"), ("fetch", "image")):
        if reason in REASONS[where] and reason != "image_…":
            why, keys = REASONS[where][reason]
            return "; ".join([why, *(f"{key} = {value(config, key)}" for key in keys)])
    return ""


def value(config: Config, key: str) -> str:
    """The value of a configuration key, for a person: true and false as TOML has them."""
    section, name = key.split(".")
    found = getattr(getattr(config, section), name)
    if isinstance(found, bool):
        return str(found).lower()
    return ", ".join(map(str, found)) or "none" if isinstance(found, tuple) else str(found)
