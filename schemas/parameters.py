"""What each step can be told: small frozen objects with defaults, and the source of every threshold.

The sections of the configuration are made of these (config.py), and so is a stage used in a pipeline of one's own:
`ExtractPages(PageRules(languages=("de",), min_words=100))`. A function asks for the narrowest object that holds what
it needs. Defaults are the project's; a threshold that comes from a paper names it beside the field.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal


class ConfigError(ValueError):
    """A configuration the user can mend; the message is one line that says how."""


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say after a name that is none of the known ones: the one that is most like it; "" where none is.

    >>> nearest("colour", ("color", "size")), nearest("x", ("color", "size"))
    (" (did you mean 'color'?)", '')
    """
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


@dataclasses.dataclass(frozen=True)
class Range:
    """Which numbers a key takes: from `least` to `most`, and `off` besides, where that turns a rule off."""

    least: float = 0
    most: float = math.inf
    off: float | None = None

    def __contains__(self, value: float) -> bool:
        return math.isfinite(value) and (self.least <= value <= self.most or value == self.off)

    def __str__(self) -> str:
        """As the page on configuration says it, and an error.

        >>> str(Range(0, 1)), str(Range(2, off=0))
        ('from 0 to 1', '2 or more, or 0')
        """
        span = f"from {self.least:,} to {self.most:,}" if math.isfinite(self.most) else f"{self.least:,} or more"
        return span if self.off is None else f"{span}, or {self.off:,}"


Count = Annotated[int, Range(0)]
Size = Annotated[int, Range(1)]
Number = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
Cosine = Annotated[float, Range(-1, 1)]
Aspect = Annotated[float, Range(1, off=0)]  # longest over shortest side


class Table(dict[str, Any]):
    """Names with values, in TOML a table of its own. Never written to, so it can be hashed as a section is."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(json.dumps(self, sort_keys=True))


@dataclasses.dataclass(frozen=True)
class Place:
    """Marks keys whose value is or holds a path: of this machine, or of an object store (s3://, gs://, …)."""

    web: bool = False  # whether http:// and https:// will do


REMOTE = re.compile(r"[a-z][a-z0-9+]{0,20}://\S+")  # the path in a value: also after local-dir: and TAG=
# Signals against use in training: those that extract.opt_out may name, and fetch.opt_out.
PageSignal = Literal[
    "noai", "noml", "noimageai", "noimageindex", "tdm", "content-usage", "content-signal", "ai-agents", "ai-txt",
    "max-image-preview",
]  # fmt: skip
ImageSignal = Literal[PageSignal, "noindex", "none", "unavailable_after", "dmi"]
PersonalKind = Literal["email", "iban", "card", "id", "ip", "phone"]

File = Annotated[str, Place(web=True)]  # one that is only read
Folder = Annotated[str, Place()]


@dataclasses.dataclass(frozen=True)
class TextRules:
    """Which texts are worth keeping, as whole documents and line by line. Every rule can be turned off."""

    min_words: Count = 50  # Gopher's lower bound; 0 is off
    max_words: Count = 100_000  # Gopher's upper bound; 0 is off
    gibberish: bool = True  # Kosmos-1 B.1.3 (3): emoji, hashtags, links; thresholds below are weft's
    max_emoji_ratio: Number = 0.02  # emoji per word, over the document
    max_hashtag_ratio: Share = 0.05  # words that start with '#'
    max_url_ratio: Share = 0.05  # words that are URLs written out
    max_symbol_run: Size = 40  # longest run of one repeated character
    min_alpha_words: Share = 0.6  # share of words with a letter (Gopher has 0.8; lists and tables count here)
    page_marks: Count = (
        8  # with gibberish: "[Pg 12]" and the like go where so many count up, a book's page apart; 0 off
    )
    number_run: Count = 200  # with gibberish: lines without a letter go where they have so many numbers in a row; 0 off
    c4: Literal["off", "code", "paper", "fineweb"] = "off"  # C4's line rules: as in its code, its paper or FineWeb
    refinedweb_lines: bool = False  # RefinedWeb's line rules; a page that loses more than 5 % of its words goes
    gopher_quality: bool = False  # Gopher's quality rules (MassiveText, A1.1)
    gopher_counts: Literal["datatrove", "dclm"] = "datatrove"  # in whose way its rules count words, lines and repeats
    gopher_repetition: bool = False  # Gopher's repetition rules (MassiveText, table A1)
    fineweb_quality: bool = False  # FineWeb's own rules
    language_rules: File = (
        ""  # "fineweb2" or a TOML of one's own: limits of these rules for each language; pages in others are dropped
    )


@dataclasses.dataclass(frozen=True)
class QualityRules:
    """What classifiers of the user's own say of a page's text."""

    quality_models: dict[str, File] = dataclasses.field(
        default_factory=Table
    )  # name = fastText model that every kept page's text is asked of: column `quality` of documents/
    quality_labels: dict[str, str] = dataclasses.field(
        default_factory=Table
    )  # name = label whose probability is the score, where it is not called like the model; numbers need none
    min_quality: dict[str, Number] = dataclasses.field(
        default_factory=Table
    )  # name = score: pages below it are dropped, before anything of theirs is fetched (DCLM: hq = 0.018112)
    max_quality: dict[str, Number] = dataclasses.field(
        default_factory=Table
    )  # name = score: pages above it are dropped (Dolma: nsfw = 0.4, hatespeech = 0.4)


@dataclasses.dataclass(frozen=True)
class CaptionRules:
    """Which texts of a page stand for an image as its caption."""

    pairs: bool = True  # look for caption pairs at all
    min_pair_chars: Count = 5  # LAION: drop alt texts under 5 characters
    min_pair_words: Count = 1  # DataComp-basic has 3
    max_pair_chars: Size = 2_000  # LAION
    max_pair_words: Count = 0  # 0 is off (COYO: 256)
    max_shared: Count = 2  # images of a page that may have one text, such as "Photo" or the site's name; 0 is off
    pair_forbidden: tuple[str, ...] = ("<PERSON>",)  # Kosmos-1 B.1.2: captions with special tags


@dataclasses.dataclass(frozen=True)
class PageRules(TextRules, CaptionRules, QualityRules):
    """What becomes of a page: its content, its consent, its language, its texts and its captions."""

    extractor: Literal["fast", "trafilatura"] = "fast"  # which walk finds the main content
    main_content: bool = True  # False keeps boilerplate blocks too
    markup: Literal["plain", "markdown"] = "plain"  # form of texts; rules judge the plain text either way
    markup_links: bool = False  # Markdown has links with their addresses; else as their text alone
    inline_svg: bool = False  # True: figures drawn in the page itself are images too, and fetch.svg draws them
    honour_opt_out: bool = True  # what headers, meta elements and site files forbid; recorded in fates either way
    opt_out: tuple[PageSignal, ...] = (  # signals that count where opt-outs are honoured: docs/consent.md
        "noai", "noml", "noimageai", "noimageindex", "tdm", "content-usage", "content-signal", "ai-agents", "ai-txt",
    )  # fmt: skip
    ai_agents: tuple[str, ...] = ("train",)  # whose groups in robots.txt count: train, search, user, names, "*"
    licences: tuple[str, ...] = ()  # only pages whose stated licence holds one of these stay; empty asks for none
    pii: Literal["off", "mask", "drop"] = "off"  # personal data in texts, titles and captions; "drop" takes the page
    pii_kinds: tuple[PersonalKind, ...] = ("email", "iban", "card", "id", "ip", "phone")  # which are looked for
    bad_words: tuple[
        Folder, ...
    ] = ()  # lists, named by their languages, and directories of such: one word drops a page
    filters: tuple[str, ...] = ()  # functions of your own, Document → reason to drop its page or None: docs/filters.md
    pair_filters: tuple[str, ...] = ()  # the same, Pair → reason or None; "module:function" or an entry point
    max_page_bytes: Size = 8_000_000  # decoded HTML; longer pages are dropped as "page_too_long"
    languages: tuple[str, ...] = ("en",)  # ISO 639-1; empty keeps every language
    min_language_score: Share = 0.65  # RefinedWeb, FineWeb
    language_model: File = ""  # a fastText model that tells languages, such as GlotLID; "" is lid.176
    look_first: bool = True  # a page that is surely in other languages goes before its main content is looked for
    image_url_forbidden: tuple[str, ...] = ()  # images with one of these in their address go (OBELICS: logo, icon, …)
    list_url: str = ""  # column of addresses in a list of captions; "" looks for the names that published lists use
    list_caption: str = ""  # column of captions there
    list_similarity: str = ""  # column of similarities there that were measured before
    list_min_similarity: Cosine = -1.0  # from this similarity on, as the list has it, pairs stay; -1 asks for no column
    common_crawl: File = (
        "https://data.commoncrawl.org/"  # where cc: and lists of files and records lie; also s3://commoncrawl/, …
    )
    cdx_api: str = (
        ""  # asked for what cc: chooses by domain= or url=, as https://index.commoncrawl.org/; "" reads the index
    )

    @property
    def own_filters(self) -> tuple[str, ...]:
        """All filters of the user's own."""
        return (*self.filters, *self.pair_filters)

    def __post_init__(self) -> None:
        if self.inline_svg and self.extractor != "fast":
            raise ConfigError('extract.inline_svg = true needs extract.extractor = "fast"')
        if self.markup != "plain" and self.extractor != "fast":
            raise ConfigError(f'extract.markup = "{self.markup}" needs extract.extractor = "fast"')
        if self.cdx_api and not self.cdx_api.startswith(("http://", "https://")):
            raise ConfigError(f"extract.cdx_api is an address that begins with https://, not {self.cdx_api!r}")


@dataclasses.dataclass(frozen=True)
class Similarity:
    """When two texts are nearly the same: what is compared, and how surely what is similar is found."""

    unit: Literal["word", "char"] = "word"  # a shingle is a run of these
    ngram: Size = 5  # of so many; NeMo Curator: 24 characters
    hasher: Literal["weft", "datasketch"] = "weft"  # "datasketch": signatures bit for bit its own, ten times slower
    permutations: Size = 128  # MinHash values of a document
    threshold: Share = 0.8  # Jaccard similarity that should be found ...
    recall: Share = 0.9  # ... with this probability: bands, rows and cut are chosen for it
    verify: Literal["signature", "exact"] = "signature"  # what candidates are compared by, where cluster = "verified"
    cluster: Literal["verified", "union", "bucket"] = "verified"  # docs/dedup.md: what makes a cluster of candidates


@dataclasses.dataclass(frozen=True)
class EvaluationTexts:
    """Texts that must not be in the corpus, and how much of one tells a document that holds it."""

    evaluation: tuple[Folder, ...] = ()  # texts (.txt, .jsonl) that must not be in the corpus
    evaluation_ngram: Size = 13  # words in a row that tell a contaminated document (GPT-3: 13)
    evaluation_hits: Size = 1  # distinct ones that it takes ...
    evaluation_window: Count = 0  # ... within so many words; 0 is anywhere in the document


@dataclasses.dataclass(frozen=True)
class RepeatedLineRules:
    """Lines that stand in many documents."""

    lines_once: bool = False  # C4: a line stays in one document of the corpus
    lines_per_host: Annotated[int, Range(2, off=0)] = (
        0  # lines in so many documents of a host go from all of them; 0 is off (OBELICS: 3)
    )
    line_unit: Literal["line", "paragraph"] = "line"  # what the two rules above compare


@dataclasses.dataclass(frozen=True)
class DuplicateRules(Similarity, EvaluationTexts, RepeatedLineRules):
    """What makes documents duplicates of each other, and which of them stays."""

    url: bool = True  # same normalised URL: newest wins
    exact: bool = True  # same text after normalisation; for pairs, same image and text
    image_sets: bool = False  # the same two or more images in the same order, whatever the text
    near: bool = True  # MinHash over shingles
    keep: Literal["newest", "oldest", "longest", "quality", "most_images"] = "newest"  # which of a cluster stays


@dataclasses.dataclass(frozen=True)
class ImageLimits:
    """What an image may be as fetched."""

    max_bytes: Size = 20_000_000  # of an image as fetched
    max_pixels: Size = 89_478_485  # Pillow's decompression-bomb limit; checked before decoding
    min_bytes: Count = 0  # 0 is off (LAION-400M: 5,000)
    svg: bool = False  # True: drawings in SVG become pictures, by resvg (extra "svg"), as large as they say they are
    svg_fonts: tuple[File, ...] = ()  # files of fonts for their letters, which are left out without


@dataclasses.dataclass(frozen=True)
class ImageForm:
    """The form in which an image is stored."""

    max_side: Size = 512  # as stored; never enlarged (LAION dataset-spec)
    resize: Literal[  # img2dataset's modes, and never larger
        "keep_ratio_largest", "keep_ratio", "center_crop", "border", "no"
    ] = "keep_ratio_largest"  # max_side is of the longest side; the shortest; a square cut out; one with a border; none
    format: Literal["jpeg", "webp", "png"] = "jpeg"  # as stored, in shards too
    quality: Annotated[int, Range(1, 100)] = 90  # of JPEG and WebP


@dataclasses.dataclass(frozen=True)
class Manners:
    """How hosts are asked, and what they may forbid."""

    http: bool = True  # False: only images the WARC files hold, in whatever size they hold them
    timeout_s: Annotated[float, Range(0.001)] = 10.0  # for one whole request
    stall_s: Number = 5.0  # without a byte; 0 is off
    retries: Count = 2  # after the first attempt
    user_agent: str = "weft/0.1 (image corpus builder; honours X-Robots-Tag)"  # name a page about your crawl
    honour_opt_out: bool = True  # what the image's own answer, its file and its site's files forbid
    opt_out: tuple[ImageSignal, ...] = (  # signals that count where opt-outs are honoured; img2dataset's, and more
        "noai", "noimageai", "noml", "noindex", "noimageindex", "none", "unavailable_after", "tdm", "dmi",
        "content-usage", "content-signal", "ai-agents", "ai-txt",
    )  # fmt: skip
    ai_agents: tuple[str, ...] = ("train",)  # whose groups in robots.txt count: train, search, user, names, "*"
    tdm_file: bool = True  # ask for /.well-known/tdmrep.json too, once per site, where "tdm" counts
    robots: bool = True  # ask for robots.txt, once per site, and keep to it and to what it says of training
    interval_s: Number = 0.0  # between the starts of two requests to one host; a Crawl-delay counts too, up to 30 s
    connect_to: tuple[str, ...] = ()  # "host=address:port", subdomains too, as curl's --connect-to; never decides bytes
    allow_networks: tuple[str, ...] = ()  # such as "10.1.0.0/16": private networks that may be asked all the same
    concurrency: Size = 64  # connections per worker; as many images are held in memory
    per_host: Size = 2  # connections to one host
    max_per_host: Count = 0  # images of one host in a run, chosen by hash; those over it are `host_cap`; 0 is off
    split_hosts: tuple[str, ...] = ()  # "host=units": content networks that may be asked by several workers at once

    @property
    def honoured(self) -> frozenset[str]:
        """The signals that count: none where opt-outs are not honoured."""
        return frozenset(self.opt_out if self.honour_opt_out else ())


@dataclasses.dataclass(frozen=True)
class CrawlRules:
    """Which pages `weft crawl` asks for; how it asks is `Manners`."""

    depth: Count = 1  # links from a seed that are followed, within its host
    pages_per_host: Count = 1_000  # at most; those nearest to where it began
    images: bool = True  # ask for the images of pages too
    main_content: bool = True  # False: also for those of menus, sidebars and the like
    max_page_bytes: Size = 8_000_000  # as sent; longer pages are not kept
    max_image_bytes: Size = 20_000_000  # likewise
    interval_s: Number = (
        1.0  # between the starts of two requests to one host; fetch.interval_s and Crawl-delay count too
    )


@dataclasses.dataclass(frozen=True)
class FetchRules(ImageLimits, ImageForm, Manners):
    """Addresses of images → stored images."""

    downloader: Literal["weft", "img2dataset"] = "weft"  # who asks hosts; docs/images.md says what that leaves undone
    host_hours: Number = 24.0  # that a host is asked for its images; what is left then is `host_too_slow`; 0 is off
    exclude: tuple[File, ...] = ()  # lists of hashes and addresses: such an image is not stored; the run's count too


@dataclasses.dataclass(frozen=True)
class ClipChoice:
    """Which CLIP, and how it is run."""

    model: Folder = "weft-tiny"  # "weft-tiny" (shipped), "local-dir:/path" or an open_clip architecture name
    pretrained: File = (
        ""  # of an architecture name: an open_clip tag, or "TAG=FILE": weights that are or were made like it
    )
    also: tuple[Folder, ...] = ()  # more models, "name" or "name@tag": column `others` of scores/; none of them decides
    precision: Literal["fp32", "bf16", "fp16", "pure_bf16", "pure_fp16"] = "fp32"  # the halves are for a GPU
    compile: bool = False  # torch.compile, for a GPU and much to do: compiling takes minutes
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: a GPU where there is one
    batch_size: Size = 32  # images or texts at once


@dataclasses.dataclass(frozen=True)
class ImageQuestions:
    """What is asked of image vectors beside similarity."""

    unsafe_head: File = ""  # .safetensors of LAION's NSFW detector, or of another of its form, for this model's vectors
    aesthetic_head: File = ""  # .safetensors of LAION's aesthetic predictor, version 1 or 2
    watermark_head: File = ""  # .safetensors of a detector of your own, of the form of the NSFW detector
    prompts: dict[str, tuple[str, ...]] = dataclasses.field(
        default_factory=Table
    )  # name = list of prompts: what images are asked for without a trained head (CLIP, 3.1.4)
    evaluation_embeddings: tuple[File, ...] = ()  # .npy files of this model's vectors of evaluation images
    near_images: Share = 0.0  # cosine from which images of pairs on one host are the same picture; 0 is off
    near_hash: Annotated[int, Range(0, 6)] = (
        0  # bits of 64 in which perceptual hashes of the same picture on any hosts may differ; 0 is off
    )


@dataclasses.dataclass(frozen=True)
class ImageRules:
    """Which images of documents and pairs stay."""

    min_side: Count = 64  # Kosmos-1 B.1.3: images under 64x64 px are discarded
    max_aspect: Aspect = 0.0  # longest over shortest side; 0 is off
    max_side: Count = 0  # of the image as fetched; 0 is off (OBELICS: 20,000)
    drop_single_colour: bool = True  # Kosmos-1 B.1.3
    max_repeats: Count = 10  # an image in more documents than this is furniture (OBELICS: 10); 0 is off
    min_document_similarity: Cosine = -1.0  # drop images whose best text similarity is lower (mmc4: 0.15)
    max_unsafe: Share = 1.0  # drop images above it (LAION: 0.5, mmc4: 0.1); needs score.unsafe_head
    min_aesthetic: Number = 0.0  # drop images below it (LAION-Aesthetics: 4.5, OmniCorpus: 3.7); 0 is off
    max_watermark: Share = 1.0  # drop images above it (LAION-Aesthetics: 0.8); needs score.watermark_head
    max_prompt: dict[str, Share] = dataclasses.field(
        default_factory=Table
    )  # name = share: drop images that are this name of score.prompts with a larger probability
    max_evaluation_similarity: Share = 0.0  # cosine (DataComp: 0.604169 between ISC21's vectors); 0 is off
    evaluation_images: tuple[Folder, ...] = ()  # pictures and lists of their hashes (.txt) that must not be there
    evaluation_distance: Annotated[int, Range(0, 64)] = (
        4  # bits of the 64 of a perceptual hash that a copy of one may differ in
    )


@dataclasses.dataclass(frozen=True)
class DocumentRules:
    """Which documents stay, and as what."""

    max_images: Count = 5  # Kosmos-1 3.1: the first so many of a document stay; 0 is off
    min_document_images: Count = 0  # documents with kept images, but fewer, are dropped (mmc4-core: 2)
    max_document_images: Count = 0  # documents with more kept images are dropped whole (OBELICS: 30); 0 is off
    one_image_drop: Share = 0.5  # Kosmos-1 3.1: share of one-image documents discarded, by hash
    require_interspersed: bool = True  # Kosmos-1 B.1.3: an image with text before or after it
    matched_similarity: Cosine = 0.25  # an image above it fits the text that it is matched with (mmc4-core) ...
    min_matched_share: Share = 0.0  # ... and so must this share of a document's kept images (mmc4-core: 0.75); 0 is off
    min_mean_similarity: Cosine = -1.0  # of a document's kept images, each with the text most like it; -1 is off
    min_quality: dict[str, Number] = dataclasses.field(
        default_factory=Table
    )  # as extract.min_quality, asked at the end: its pairs stay, and another limit is another pack alone
    max_quality: dict[str, Number] = dataclasses.field(default_factory=Table)  # as extract.max_quality, likewise
    imageless: Literal["text", "drop"] = "text"  # documents left without images join the text corpus
    filters: tuple[str, ...] = ()  # functions of your own, PackDocument → reason to drop it or None: docs/filters.md


@dataclasses.dataclass(frozen=True)
class PairRules:
    """Which caption pairs stay."""

    pair_min_side: Count = 200  # Kosmos' loader: web pairs need both sides >= 200 px
    pair_max_aspect: Aspect = 0.0  # 0 is off (COYO, DataComp: 3.0)
    pair_min_similarity: Cosine = -1.0  # LAION-400M: 0.30 with ViT-B/32; meaningless across models
    pair_min_similarity_by_language: dict[str, Cosine] = dataclasses.field(
        default_factory=Table
    )  # language = similarity, instead of pair_min_similarity for captions in it (LAION-5B: en = 0.28, others 0.26)
    pair_top_share: Share = 0.0  # of all scored pairs, by similarity, exactly (DataComp: 0.3 with ViT-L/14); 0 is off
    drop_near_images: bool = (
        False  # True: of pairs with the same picture by score.near_images or near_hash the largest kept stays
    )
    pair_same_picture: bool = False  # True: of pairs that look (phash) and read the same the largest stays (COYO)
    pair_filters: tuple[str, ...] = ()  # the same, PackPair → reason or None


@dataclasses.dataclass(frozen=True)
class Recipe(ImageRules, DocumentRules, PairRules):
    """The decisions on images, documents and pairs once their pictures are known."""

    @property
    def own_filters(self) -> tuple[str, ...]:
        """All filters of the user's own."""
        return (*self.filters, *self.pair_filters)


@dataclasses.dataclass(frozen=True)
class Sequencing:
    """Tokens and sequences."""

    context_length: Size = 2048  # Kosmos-1 Table 17
    image_tokens: Size = 64  # slots per image (Kosmos-2 paper, Table 7)
    max_document_chunks: Count = 0  # sequences with pictures from one long document, which ends there; 0 keeps all
    passages: Literal["text", "drop"] = "text"  # what of it is near no picture joins the text corpus, or goes
