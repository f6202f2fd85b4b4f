"""Why an image is not in the corpus, in words: a reason of fetch or pack, and the configuration → a phrase."""

from __future__ import annotations

from weft.schemas.config import Config

_WORDS = {
    # fetch
    "not_in_warc": "no archive holds it, and nothing was asked for over HTTP",
    "capture_unreadable": "its record in the archive cannot be read any more",
    "opt_out": "its own answer, or its site, reserves it from such use",
    "excluded": "a list of what is excluded has it",
    "robots_disallowed": "the site's robots.txt forbids it",
    "robots_unavailable": "the site's robots.txt cannot be had",
    "http_error": "the server answered with an error",
    "timeout": "no whole answer within {fetch.timeout_s:g} s",
    "connection_failed": "nobody answers there",
    "incomplete": "the answer broke off",
    "too_many_redirects": "redirects led on and on",
    "bad_redirect": "a redirect led to no address",
    "host_unreachable": "its host was given up after several images without an answer",
    "host_cap": "its host has more images than a run may ask for",
    "host_throttled": "its host was given up after many requests to wait",
    "bad_encoding": "its compression cannot be undone",
    "bad_url": "no address that can be asked for",
    "private_address": "its host is not on the public internet",
    "too_few_bytes": "fewer than {fetch.min_bytes:,} bytes",
    "too_many_bytes": "more than {fetch.max_bytes:,} bytes",
    "too_many_pixels": "more than {fetch.max_pixels:,} pixels",
    "svg": "a drawing in SVG, which is not rendered",
    "unsupported_format": "a picture in a format that is not read",
    "not_an_image": "the answer was no picture: a page, most often",
    "truncated": "the end of the file is missing",
    "undecodable": "the file is damaged",
    # pack
    "too_small": "a side of fewer than {pack.min_side} pixels",
    "too_large": "a side of more than {pack.max_side:,} pixels",
    "aspect": "more than {pack.max_aspect:g} times as long as wide",
    "single_colour": "all of one colour",
    "placeholder": "its host gives the same picture for more than {fetch.placeholder_urls} addresses",
    "repeated": "in more than {pack.max_repeats} documents; those in most come first",
    "repeated_in_document": "its document holds it already",
    "too_many_images": "its document has {pack.max_images} others before it",
    "evaluation_image": "a copy of an evaluation image",
    "evaluation_embedding": "too near to an evaluation image",
    "unsafe": "judged unsafe above {pack.max_unsafe:g}",
    "watermarked": "judged watermarked above {pack.max_watermark:g}",
    "unaesthetic": "judged less pleasing than {pack.min_aesthetic:g}",
    "prompted_out": "judged to be what pack.max_prompt does not want",
    "low_similarity": "it fits no text of its document",
    "document_cut": "past the last sequence of its document that is wanted",
    "document_text_only": "its document went to the text corpus",
    "document_dropped": "its document was dropped",
}


def told(reason: str, config: Config) -> str:
    """The reason in words, "" where there are none."""
    return _WORDS.get(reason, "").format(fetch=config.fetch, pack=config.pack)
