"""What flows between steps: NamedTuples, and the ids that name things.

Ids are hashes of what identifies a thing and never of its position in a run, so the same input gives the
same ids on every runner, in any order. NamedTuples rather than dataclasses because Beam gives them a
deterministic, language-neutral row coder (half the time and a third of the bytes of a pickled dataclass).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, NamedTuple

KEPT = "kept"
DROPPED = "dropped"

# What a fate can be about. A stage may use a subset.
KINDS = ("record", "page", "image", "pair", "document", "instruction")


def stable_id(*parts: str) -> str:
    """blake2b-128 hex of `parts`; a separator that no URL or text can hold keeps ("a", "bc") from ("ab", "c")."""
    return hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def hash_unit(key: str, salt: str) -> float:
    """A number in [0, 1) that depends on `key` and `salt` alone: the project's only source of chance."""
    secret = salt.encode("utf-8", "surrogatepass")
    if len(secret) > hashlib.blake2b.MAX_KEY_SIZE:
        secret = hashlib.blake2b(secret).digest()
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=secret).digest()
    return (int.from_bytes(digest, "big") >> 11) / float(1 << 53)


def hash_bucket(key: str, buckets: int, salt: str = "") -> int:
    """Bucket of `key` in [0, buckets), the same on every machine (Python's own hash() is not)."""
    return min(int(hash_unit(key, salt) * buckets), buckets - 1)


def digest(*sections: Any) -> str:
    """Hash of sections (dataclasses or plain values): equal exactly when they decide the same."""
    plain = [dataclasses.asdict(s) if dataclasses.is_dataclass(s) and not isinstance(s, type) else s for s in sections]
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=16).hexdigest()


class Fate(NamedTuple):
    """The one thing that happened to one thing in one stage: a row of `fates/`."""

    stage: str
    kind: str  # one of KINDS
    key: str  # the id of the thing
    fate: str  # KEPT or DROPPED
    reason: str  # "" when kept; a name out of a small fixed vocabulary when dropped
    detail: str  # free text for a person: a value, an exception, the id of the duplicate
    url: str = ""  # of a page or image, where no table that is left has it: extract's alone
    place: str = ""  # "archive:offset" of the record that it comes from, likewise


class ImageMeta(NamedTuple):
    """What the page says of an image; empty or None where it says nothing. Sizes are declared, not measured."""

    alt: str
    caption: str  # text of the figcaption bound to it, or of a caption beside it
    title: str
    width: int | None
    height: int | None
    aria_label: str = ""
    caption_source: str = ""  # "figcaption"; "caption" where only a class name calls it one


class Document(NamedTuple):
    """One page: texts and images in reading order. At each position exactly one of the two is not None."""

    doc_id: str
    url: str
    crawl_date: int  # microseconds since the epoch, UTC; 0 where the record has no readable date
    warc_file: str
    warc_offset: int
    record_id: str
    language: str  # ISO 639-1 code by fastText, "" where undecided
    language_score: float
    title: str
    texts: list[str | None]
    images: list[str | None]  # absolute URLs
    image_meta: list[ImageMeta | None]
    # Parallel to images: other addresses of the same picture, best first; empty where none were looked for.
    alternates: list[list[str] | None] = []  # noqa: RUF012 - never written to
    author: str = ""  # this and what follows as the page says it; "" where it does not
    published: str = ""  # a day in UTC, ISO 8601
    licence: str = ""  # an address where there is one
    publisher: str = ""
    quality: tuple[tuple[str, float], ...] = ()  # (name, score) of extract.quality_models, by name
    # Parallel to images: `image_url` of their rows in images/index; set as a row is written, after all that drops some.
    image_keys: list[str | None] = []  # noqa: RUF012 - never written to


class Pair(NamedTuple):
    """An image with a text that stands for it on a page."""

    pair_id: str
    doc_id: str
    page_url: str
    image_url: str
    text: str
    source: str  # "figcaption", "caption", "alt", "aria_label", "title"; "list" of a list of captions
    language: str
    language_score: float
    similarity: float | None = None  # of picture and caption as a list of captions has it; None where nothing says it


class Capture(NamedTuple):
    """Where an image response stands in a WARC file: lets `fetch` read it instead of asking the web again."""

    url: str
    warc_file: str
    warc_offset: int
    mime: str
    crawl_date: int


class Crawled(NamedTuple):
    """A row of a crawl's index: one address that was asked for, and what came."""

    url: str
    kind: str  # "page", "image", "sitemap"; "robots" for robots.txt and the like
    status: int  # HTTP status, 0 where there was no answer
    reason: str  # of its fate; "" where it is kept
    mime: str
    date: str  # of the request, as in the record
    record_id: str  # of the answer's record, "" where none was written
    digest: str  # of the payload
    etag: str
    last_modified: str
    warc_file: str  # where the record with the body stands: in an earlier crawl's file where nothing has changed
    warc_offset: int


class SiteFile(NamedTuple):
    """What a site's robots.txt, ai.txt or tdmrep.json said of training when it was captured."""

    host: str  # with the port where that is not the scheme's own: http and https are one site here
    captured: int  # microseconds since the epoch
    name: str  # "robots.txt", "ai.txt" or "tdmrep.json"
    rules: str  # the lines that can speak of training; "" where there are none, or no such file


class ImageRow(NamedTuple):
    """A row of the image index. `blob`, `offset`, `length` say where the stored bytes are."""

    image_url: str
    image_id: str  # sha256 hex of the fetched bytes, "" where nothing was fetched
    status: str  # "ok" or the reason it was dropped
    http_status: int
    mime: str
    width: int  # of the fetched image, as displayed (EXIF orientation applied)
    height: int
    stored_width: int
    stored_height: int
    phash: str  # 64-bit perceptual hash, 16 hex digits
    blob: str  # path relative to the output directory
    offset: int
    length: int
    fetched_at: int  # microseconds since the epoch: capture date for origin "warc"
    origin: str  # "warc" or "http"
    single_colour: bool  # no channel varies: a spacer, a flat button
    final_url: str = ""  # where redirects ended; of origin "warc" the other address of the picture that a capture is of
    opt_out: str = ""  # the words of its response that forbid its use, honoured or not
    digest: str = ""  # xxh3-128 hex of the stored bytes, checked wherever they are read


class RepeatedImage(NamedTuple):
    """A row of images/repeated: an address whose picture its host gives for many others too."""

    image_url: str
    host: str
    urls: int  # addresses of the host with this picture
    example: str  # the smallest of them


SIMILARITY_DECIMALS = 5  # that are written


def as_written(similarity: float) -> float:
    """A similarity of a table as the decimal that was written: as the 32-bit float that it is, 0.29 is below 0.29."""
    return round(similarity, SIMILARITY_DECIMALS)


class Score(NamedTuple):
    """CLIP similarity of one text and one image of a pair or a document (positions are 0 and 0 in a pair)."""

    kind: str  # "pair" or "document"
    id: str
    image_position: int
    text_position: int
    image_url: str
    similarity: float  # cosine in [-1, 1], rounded to 5 decimals
    others: tuple[float, ...] = ()  # by each model of score.also
    matched: bool = False  # the text is the image's own by linear assignment over the document; in a pair always


class ImageScore(NamedTuple):
    """What an image's vector says of it; None or empty where nobody asked."""

    image_url: str
    model: str  # whose vector it is
    unsafe: float | None  # probability
    aesthetic: float | None  # a mark from about 1 to 10
    watermark: float | None  # probability
    prompt: str  # the nearest name of `score.prompts`
    prompt_shares: tuple[tuple[str, float], ...]  # name and probability, the names compared with each other
    prompt_cosines: tuple[tuple[str, float], ...]
    evaluation: str  # file:row of the nearest evaluation picture
    evaluation_similarity: float | None
    repeat_of: str  # the larger picture of a pair that this one repeats
    repeat_similarity: float | None  # of these two; None where hashes found it


class Cluster(NamedTuple):
    """A document's place in a cluster of two or more duplicates."""

    doc_id: str
    cluster_id: str  # smallest doc_id in the cluster
    cluster_size: int
    kept_id: str
    similarity: float  # estimated Jaccard similarity to the kept document; 1.0 for itself
    how: str  # "url", "exact", "images", "near"; for the kept document, how its closest duplicate was found


# Where a sketch comes from: the higher one wins.
OWN, EARLIER_DROPPED, EARLIER_KEPT = 0, 1, 2


class Sketch(NamedTuple):
    """What dedup has to know of a document: narrow enough to be shuffled where its texts are not."""

    doc_id: str
    warc_file: str
    warc_offset: int
    crawl_date: int
    words: int
    images: int
    quality: int  # words in lines that end as a sentence does; 0 where the policy does not ask
    url_key: str  # hash of the normalised URL, "" where there is none
    text_key: str  # hash of the normalised text, of the image list where there is none, "" where there is neither
    images_key: str  # hash of the image list, "" for fewer than two images or where the rule is off
    contaminated: str  # which evaluation text it holds, "" for none
    # OWN, or what an earlier run did with it. No file says it: it follows from where a sketch is read. (Its place on
    # disk is the column `age`, which is 0 everywhere.)
    origin: int = OWN
    how: str = ""  # how an earlier run dropped it
    signature: bytes = b""  # MinHash values; empty for a document without words
    shingles: bytes = b""  # distinct shingle hashes, where candidates are compared by them
    forbidden: str = ""  # what a file of its site says against it; in no file: dedup/forbidden has it


class KeptRow(NamedTuple):
    """A document or pair that dedup kept. A document's WARC position tells it from repeats of the same record."""

    kind: str  # "document" or "pair"
    key: str  # doc_id, or "doc_id:pair_id"
    doc_id: str
    warc_file: str  # "" for a pair
    warc_offset: int  # 0 for a pair


def document_id(record_id: str, url: str, date: str, offset: int) -> str:
    """Id of a page: its WARC record id, or URL, date and offset where the archive (ARC) has none."""
    return stable_id("record", record_id) if record_id else stable_id("capture", url, date, str(offset))


def pair_id(image_url: str, text: str) -> str:
    """Id of a caption pair: the same picture with the same words is the same pair wherever it stands."""
    return stable_id("pair", image_url, text)


class PairKey(NamedTuple):
    """A caption pair on one page: the pair's id says which picture and words, the document's id says where."""

    doc_id: str
    pair_id: str

    def __str__(self) -> str:
        """As fates, kept/ and joins write it; ids are hex, so that the colon is none of theirs."""
        return f"{self.doc_id}:{self.pair_id}"

    @classmethod
    def parse(cls, text: str) -> PairKey:
        """The key that `str` wrote."""
        doc_id, _, pair = text.partition(":")
        return cls(doc_id, pair)
