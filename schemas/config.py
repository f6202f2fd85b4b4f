"""The configuration: one strict TOML file of everything scientific.

A configuration is layered: field defaults here, then the named recipe (`configs/recipes/NAME.toml`), then the
user's file, then `--set section.key=value`. A key that does not exist is an error that names the nearest one;
a value of the wrong type is an error too. Machines are not configured here but by Beam's own flags.

Defaults are the project's; a threshold that comes from a paper names it beside the field.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, Literal

_SHIPPED = Path(__file__).resolve().parent.parent / "configs"
RECIPES = _SHIPPED / "recipes"
TINY_CLIP = _SHIPPED / "tiny_clip"  # the offline default: what "weft-tiny" means


def clip_name(model: str) -> str:
    """The open_clip model name for a configured one: "weft-tiny" becomes the shipped `local-dir:`."""
    return f"local-dir:{TINY_CLIP}" if model == "weft-tiny" else model


class ConfigError(ValueError):
    """A configuration the user can mend; the message is one line that says how."""


class Table(dict[str, Any]):
    """Names with values, in TOML a table of its own. Never written to, so it can be hashed as a section is."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(json.dumps(self, sort_keys=True))


@dataclasses.dataclass(frozen=True)
class Extract:
    """HTML page → document and caption pairs. Every filter can be turned off; recipe `raw` turns off all."""

    common_crawl: str = (
        "https://data.commoncrawl.org/"  # where cc: and path lists lie; also s3://commoncrawl/, a mirror
    )
    extractor: Literal["fast", "trafilatura"] = "fast"  # which walk finds the main content
    main_content: bool = True  # False keeps boilerplate blocks too
    honour_opt_out: bool = True  # X-Robots-Tag, meta robots, TDMRep; recorded in fates either way
    max_page_bytes: int = 8_000_000  # decoded HTML; longer pages are dropped as "page_too_long"
    languages: tuple[str, ...] = ("en",)  # ISO 639-1; empty keeps every language
    min_language_score: float = 0.65  # RefinedWeb, FineWeb
    min_words: int = 50  # Gopher's lower bound; 0 is off
    max_words: int = 100_000  # Gopher's upper bound; 0 is off
    gibberish: bool = True  # Kosmos-1 B.1.3 (3): emoji, hashtags, links; thresholds below are weft's
    max_emoji_ratio: float = 0.02  # emoji per word, over the document
    max_hashtag_ratio: float = 0.05  # words that start with '#'
    max_url_ratio: float = 0.05  # words that are URLs written out
    max_symbol_run: int = 40  # longest run of one repeated character
    min_alpha_words: float = 0.6  # share of words with a letter (Gopher has 0.8; lists and tables count here)
    c4: Literal["off", "code", "paper", "fineweb"] = "off"  # C4's line rules: as in its code, its paper or FineWeb
    refinedweb_lines: bool = False  # RefinedWeb's line rules; a page that loses more than 5 % of its words goes
    gopher_quality: bool = False  # Gopher's quality rules (MassiveText, A1.1)
    gopher_repetition: bool = False  # Gopher's repetition rules (MassiveText, table A1)
    fineweb_quality: bool = False  # FineWeb's own rules
    image_url_forbidden: tuple[str, ...] = ()  # images with one of these in their address go (OBELICS: logo, icon, …)
    pairs: bool = True  # look for caption pairs at all
    min_pair_chars: int = 5  # LAION: drop alt texts under 5 characters
    min_pair_words: int = 1  # DataComp-basic has 3
    max_pair_chars: int = 2_000  # LAION
    max_pair_words: int = 0  # 0 is off (COYO: 256)
    pair_forbidden: tuple[str, ...] = ("<PERSON>",)  # Kosmos-1 B.1.2: captions with special tags


@dataclasses.dataclass(frozen=True)
class Dedup:
    """Duplicates among documents (URL, exact text, near, lines) and among pairs (same image and text)."""

    url: bool = True  # same normalised URL: newest wins
    exact: bool = True  # same text after normalisation; for pairs, same image and text
    image_sets: bool = False  # the same two or more images in the same order, whatever the text
    near: bool = True  # MinHash over shingles
    cluster: Literal["verified", "union", "bucket"] = "verified"  # docs/dedup.md: what makes a cluster of candidates
    verify: Literal["signature", "exact"] = "signature"  # what candidates are compared by, where cluster = "verified"
    unit: Literal["word", "char"] = "word"  # a shingle is a run of these
    ngram: int = 5  # of so many; NeMo Curator: 24 characters
    hasher: Literal["weft", "datasketch"] = "weft"  # "datasketch": signatures bit for bit its own, ten times slower
    permutations: int = 128  # MinHash values of a document
    threshold: float = 0.8  # Jaccard similarity that should be found ...
    recall: float = 0.9  # ... with this probability: bands, rows and cut are chosen for it
    keep: Literal["newest", "oldest", "longest", "quality", "most_images"] = "newest"  # which of a cluster stays
    rounds: int = 3  # of large-star/small-star in one job; a graph that needs more goes on in another
    lines_once: bool = False  # C4: a line stays in one document of the corpus
    lines_per_host: int = 0  # lines in so many documents of a host go from all of them; 0 is off (OBELICS: 3)
    line_unit: Literal["line", "paragraph"] = "line"  # what the two rules above compare
    evaluation: tuple[str, ...] = ()  # texts (.txt, .jsonl) that must not be in the corpus
    evaluation_ngram: int = 13  # words in a row that tell a contaminated document (GPT-3: 13)
    evaluation_hits: int = 1  # distinct ones that it takes ...
    evaluation_window: int = 0  # ... within so many words; 0 is anywhere in the document
    index: str = ""  # directory of what earlier runs have seen: their documents win, and this run's are added
    buckets: int = 8  # output files


@dataclasses.dataclass(frozen=True)
class Fetch:
    """Image URLs → validated, resized bytes in blobs, and the index."""

    http: bool = True  # False: only images the WARC files hold, in whatever size they hold them
    timeout_s: float = 10.0  # for one whole request
    stall_s: float = 5.0  # without a byte; 0 is off
    retries: int = 2  # after the first attempt
    max_bytes: int = 20_000_000  # of an image as fetched
    max_pixels: int = 89_478_485  # Pillow's decompression-bomb limit; checked before decoding
    min_bytes: int = 0  # 0 is off (LAION-400M: 5,000)
    max_side: int = 512  # as stored; never enlarged (LAION dataset-spec)
    resize: Literal[  # img2dataset's modes, and never larger
        "keep_ratio_largest", "keep_ratio", "center_crop", "border", "no"
    ] = "keep_ratio_largest"  # max_side is of the longest side; the shortest; a square cut out; one with a border; none
    format: Literal["jpeg", "webp", "png"] = "jpeg"  # as stored, in shards too
    quality: int = 90  # of JPEG and WebP
    placeholder_urls: int = 10  # one picture behind more addresses of a host is a placeholder (OBELICS: 10); 0 is off
    user_agent: str = "weft/0.1 (image corpus builder; honours X-Robots-Tag)"  # name a page about your crawl
    honour_opt_out: bool = True  # X-Robots-Tag and TDM reservations of the image itself
    opt_out: tuple[str, ...] = (  # directives that count where opt-outs are honoured; img2dataset's, and five more
        "noai", "noimageai", "noml", "noindex", "noimageindex", "none", "unavailable_after", "tdm",
    )  # fmt: skip
    tdm_file: bool = True  # ask for /.well-known/tdmrep.json too, once per site, where "tdm" counts
    robots: bool = True  # ask for robots.txt, once per site, and keep to it
    interval_s: float = 0.0  # between the starts of two requests to one host; a Crawl-delay counts too, up to 30 s
    connect_to: tuple[str, ...] = ()  # "host=address:port", subdomains too, as curl's --connect-to; never decides bytes
    allow_networks: tuple[str, ...] = ()  # such as "10.1.0.0/16": private networks that may be asked all the same
    concurrency: int = 64  # connections per worker; as many images are held in memory
    per_host: int = 2  # connections to one host
    earlier: tuple[str, ...] = ()  # outputs of earlier runs: what they have is not asked for again
    buckets: int = 8  # work units for HTTP; hosts are never split


@dataclasses.dataclass(frozen=True)
class Score:
    """CLIP similarities."""

    model: str = "weft-tiny"  # "weft-tiny" (shipped), "local-dir:/path" or an open_clip architecture name
    pretrained: str = (
        ""  # of an architecture name: an open_clip tag, or "TAG=FILE": weights that are or were made like it
    )
    also: tuple[str, ...] = ()  # more models, "name" or "name@tag": column `others` of scores/; none of them decides
    precision: Literal["fp32", "bf16", "fp16", "pure_bf16", "pure_fp16"] = "fp32"  # the halves are for a GPU
    compile: bool = False  # torch.compile, for a GPU and much to do: compiling takes minutes
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: a GPU where there is one
    batch_size: int = 32  # images or texts at once
    max_text_chars: int = 500  # of a document's text that is compared with its images
    unsafe_head: str = ""  # .safetensors of LAION's NSFW detector, or of another of its form, for this model's vectors
    aesthetic_head: str = ""  # .safetensors of LAION's aesthetic predictor, version 1 or 2
    watermark_head: str = ""  # .safetensors of a detector of your own, of the form of the NSFW detector
    prompts: dict[str, tuple[str, ...]] = dataclasses.field(
        default_factory=Table
    )  # name = list of prompts: what images are asked for without a trained head (CLIP, 3.1.4)
    evaluation_embeddings: tuple[str, ...] = ()  # .npy files of this model's vectors of evaluation images
    embeddings: bool = False  # True: keep the vectors of images and pairs, as files that clip-retrieval and faiss read
    near_images: float = 0.0  # cosine from which images of pairs on one host are the same picture; 0 is off
    buckets: int = 8  # batches are formed inside hash buckets, so their make-up never depends on the runner
    accelerator: str = "type:nvidia-l4;count:1;install-nvidia-driver"  # of Dataflow's workers for CLIP; "" is none
    min_ram: str = "16GB"  # likewise


@dataclasses.dataclass(frozen=True)
class Pack:
    """The recipe's decisions on images, then tokens and shards."""

    tokenizer: str = "train"  # "train", or a path to tokenizer.json or a sentencepiece .model
    vocab_size: int = 4096  # of a trained tokenizer, specials included
    context_length: int = 2048  # Kosmos-1 Table 17
    image_tokens: int = 64  # slots per image (Kosmos-2 paper, Table 7)
    min_side: int = 64  # Kosmos-1 B.1.3: images under 64x64 px are discarded
    max_aspect: float = 0.0  # longest over shortest side; 0 is off
    max_side: int = 0  # of the image as fetched; 0 is off (OBELICS: 20,000)
    drop_single_colour: bool = True  # Kosmos-1 B.1.3
    max_images: int = 5  # Kosmos-1 3.1: the first so many of a document stay; 0 is off
    min_document_images: int = 0  # documents with kept images, but fewer, are dropped (mmc4-core: 2)
    max_document_images: int = 0  # documents with more kept images are dropped whole (OBELICS: 30); 0 is off
    one_image_drop: float = 0.5  # Kosmos-1 3.1: share of one-image documents discarded, by hash
    require_interspersed: bool = True  # Kosmos-1 B.1.3: an image with text before or after it
    max_repeats: int = 10  # an image in more documents than this is furniture (OBELICS: 10); 0 is off
    min_document_similarity: float = -1.0  # drop images whose best text similarity is lower (mmc4: 0.15)
    matched_similarity: float = 0.25  # an image above it fits the text that it is matched with (mmc4-core) ...
    min_matched_share: float = 0.0  # ... and so must this share of a document's kept images (mmc4-core: 0.75); 0 is off
    min_mean_similarity: float = -1.0  # of a document's kept images, each with the text most like it; -1 is off
    pair_min_side: int = 200  # Kosmos' loader: web pairs need both sides >= 200 px
    pair_max_aspect: float = 0.0  # 0 is off (COYO, DataComp: 3.0)
    pair_min_similarity: float = -1.0  # LAION-400M: 0.30 with ViT-B/32; meaningless across models
    similarity_model: str = (
        ""  # the score.model that thresholds on similarity are meant for; with another, pack says so
    )
    pair_min_similarity_by_language: dict[str, float] = dataclasses.field(
        default_factory=Table
    )  # language = similarity, instead of pair_min_similarity for captions in it (LAION-5B: en = 0.28, others 0.26)
    pair_top_share: float = 0.0  # of all scored pairs, by similarity, exactly (DataComp: 0.3 with ViT-L/14); 0 is off
    max_unsafe: float = 1.0  # drop images above it (LAION: 0.5, mmc4: 0.1); needs score.unsafe_head
    min_aesthetic: float = 0.0  # drop images below it (LAION-Aesthetics: 4.5, OmniCorpus: 3.7); 0 is off
    max_watermark: float = 1.0  # drop images above it (LAION-Aesthetics: 0.8); needs score.watermark_head
    max_prompt: dict[str, float] = dataclasses.field(
        default_factory=Table
    )  # name = share: drop images that are this name of score.prompts with a larger probability
    max_evaluation_similarity: float = 0.0  # cosine (DataComp: 0.604169 between ISC21's vectors); 0 is off
    drop_near_images: bool = False  # True: of pairs with the same picture by score.near_images the largest stays
    pair_same_picture: bool = False  # True: of pairs that look (phash) and read the same the largest stays (COYO)
    evaluation_images: tuple[str, ...] = ()  # pictures and lists of their hashes (.txt) that must not be in the corpus
    evaluation_distance: int = 4  # bits of the 64 of a perceptual hash that a copy of one may differ in
    imageless: Literal["text", "drop"] = "text"  # documents left without images join the text corpus
    max_document_chunks: int = 0  # sequences from one long document; 0 keeps all
    val_fraction: float = 0.05  # of documents, by hash; a pair goes where its page goes
    shards: int = 4  # per corpus, train; val has one


@dataclasses.dataclass(frozen=True)
class Train:
    """The smoke model: a small Kosmos-1."""

    steps: int = 400  # optimiser steps
    layers: int = 2  # of the decoder (Kosmos-1: 24)
    width: int = 128  # Kosmos-1: 2,048
    heads: int = 4  # Kosmos-1: 32
    ffn: int = 512  # Kosmos-1: 8,192
    dropout: float = 0.0  # Kosmos-1: 0.1; a minute's training cannot overfit
    vision: str = "weft-tiny"  # as score.model
    vision_pretrained: str = ""  # as score.pretrained
    unfreeze_last: bool = True  # Kosmos-1 3.2: all of CLIP frozen but its last layer
    mix_text: float = 0.5  # Kosmos-1 3.2: 0.5M text, 0.5M caption, 0.2M interleaved tokens a batch
    mix_pairs: float = 0.5  # the same for caption pairs
    mix_interleaved: float = 0.2  # and interleaved documents
    batch_tokens: int = 1024  # Kosmos-1: 1.2M; many small steps ground a small model soonest
    max_length: int = 512  # longer sequences are cut to this: a window of a text, the beginning of a document
    learning_rate: float = 1.5e-3  # Kosmos-1: 2e-4 at 1.3B parameters
    warmup_steps: int = 30  # Kosmos-1: 375 of 300,000
    weight_decay: float = 0.01  # Kosmos-1 3.2
    beta2: float = 0.98  # Kosmos-1 3.2
    clip_norm: float = 2.0  # of the gradient
    seed: int = 0  # of initialisation, order and dropout
    checkpoint_every: int = 100  # steps
    eval_samples: int = 256  # held-out samples of each corpus


@dataclasses.dataclass(frozen=True)
class Report:
    """The page to look at."""

    samples: int = 8  # documents shown of each kind
    images: int = 1_000  # on the contact sheet, at most


@dataclasses.dataclass(frozen=True)
class Config:
    """A whole run. `salt` seeds every hash that decides something."""

    recipe: str = "kosmos1"
    salt: str = "weft"
    extract: Extract = dataclasses.field(default_factory=Extract)
    dedup: Dedup = dataclasses.field(default_factory=Dedup)
    fetch: Fetch = dataclasses.field(default_factory=Fetch)
    score: Score = dataclasses.field(default_factory=Score)
    pack: Pack = dataclasses.field(default_factory=Pack)
    train: Train = dataclasses.field(default_factory=Train)
    report: Report = dataclasses.field(default_factory=Report)


def recipes() -> dict[str, str]:
    """Name → first comment line of every built-in recipe."""
    return {
        path.stem: path.read_text("utf-8").splitlines()[0].lstrip("# ").strip()
        for path in sorted(RECIPES.glob("*.toml"))
    }


def load(path: str | None = None, overrides: typing.Sequence[str] = (), recipe: str | None = None) -> Config:
    """Configuration from a TOML file, `section.key=value` overrides and a recipe.

    Args:
        path: the user's TOML file; None for the recipe alone.
        overrides: `--set` values, applied last; the right side is TOML, or a bare string.
        recipe: used where the file names none; the default recipe where this is None too.

    Raises:
        ConfigError: unreadable file, bad TOML, unknown key or recipe, value of another type.
    """
    user = _read(Path(path)) if path else {}
    changes = [_override(text) for text in overrides]
    name = user.get("recipe", recipe or Config.recipe)
    for keys, value in changes:
        if keys == ["recipe"]:
            name = value
    if name not in recipes():
        raise ConfigError(f"no recipe {name!r}{_nearest(str(name), recipes())}; `weft recipes` lists them")
    merged: dict[str, Any] = {}
    _merge(merged, _read(RECIPES / f"{name}.toml"))
    _merge(merged, user)
    for keys, value in changes:
        _merge(merged, _nest(keys, value))
    merged["recipe"] = name
    return _build(Config, merged, "")


def from_dict(values: dict[str, Any], overrides: typing.Sequence[str] = ()) -> Config:
    """Configuration from what `to_dict` gave, with `section.key=value` overrides on top.

    Raises:
        ConfigError: as `load`.
    """
    merged = json.loads(json.dumps(values))
    for keys, value in map(_override, overrides):
        _merge(merged, _nest(keys, value))
    return _build(Config, merged, "")


def changes(recipe: str) -> dict[str, dict[str, Any]]:
    """What a recipe sets: section → key → value."""
    return _read(RECIPES / f"{recipe}.toml")


def to_dict(config: Any) -> dict[str, Any]:
    """A config or section as plain values, ready for JSON."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def digest(*sections: Any) -> str:
    """Hash of sections (dataclasses or plain values): equal exactly when they decide the same."""
    plain = [dataclasses.asdict(s) if dataclasses.is_dataclass(s) and not isinstance(s, type) else s for s in sections]
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=16).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None


def _override(text: str) -> tuple[list[str], Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set takes section.key=value, not {text!r}")
    try:
        parsed = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        parsed = value
    return key.strip().split("."), parsed


def _nest(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value


def _merge(base: dict[str, Any], top: dict[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _nearest(key: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _build(cls: Any, values: dict[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(cls)
    given = {}
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(f"unknown key {where + key!r}{_nearest(key, hints)}")
        kind = hints[key]
        if dataclasses.is_dataclass(kind):
            if not isinstance(value, dict):
                raise ConfigError(f"{where + key} is a section: write [{where + key}] and keys below it")
            given[key] = _build(kind, value, f"{where}{key}.")
        else:
            given[key] = _convert(kind, value, where + key)
    return cls(**given)


def _convert(kind: Any, value: Any, name: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise ConfigError(f"{name} is one of {', '.join(map(repr, choices))}, not {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{name} is a list of strings, not {value!r}")
        return tuple(value)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{name} is a table: write [{name}] and names below it")
        return Table({key: _convert(typing.get_args(kind)[1], item, f"{name}.{key}") for key, item in value.items()})
    if origin in (types.UnionType, typing.Union):  # pragma: no cover - no such field today
        raise ConfigError(f"{name} has an unsupported type")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{name} is {'an' if kind is int else 'a'} {kind.__name__}, not {value!r}")
    return value
