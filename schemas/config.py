"""The configuration: one strict TOML file of everything scientific.

A configuration is layered: field defaults here, then the named recipe (`configs/recipes/NAME.toml`), then the
user's file, then `--set section.key=value`. A key that does not exist is an error that names the nearest one;
a value of the wrong type or out of its range (parameters.Range) is an error too. Machines are not configured here but
by Beam's own flags.

Defaults are the project's; a threshold that comes from a paper names it beside the field.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

from weft.schemas.parameters import (
    ClipChoice,
    ConfigError,
    Count,
    CrawlRules,
    DuplicateRules,
    FetchRules,
    File,
    Folder,
    ImageQuestions,
    Number,
    PageRules,
    Place,
    Range,
    Recipe,
    Sequencing,
    Share,
    Size,
    Table,
    nearest,
)

_SHIPPED = Path(__file__).resolve().parent.parent / "configs"
RECIPES, SUITES, MODELS, LANGUAGES = (_SHIPPED / name for name in ("recipes", "suites", "models", "languages"))


@dataclasses.dataclass(frozen=True)
class Extract(PageRules):
    """HTML page → document and caption pairs. Every filter can be turned off; recipe `raw` turns off all."""


@dataclasses.dataclass(frozen=True)
class Dedup(DuplicateRules):
    """Duplicates among documents (URL, exact text, near, lines) and among pairs (same image and text)."""

    rounds: Size = 3  # of large-star/small-star in one job; a graph that needs more goes on in another
    index: Folder = ""  # directory of what earlier runs have seen: their documents win, and this run's are added
    buckets: Count = 0  # output files; 0: 8, or more where the input is large


@dataclasses.dataclass(frozen=True)
class Fetch(FetchRules):
    """Image URLs → validated, resized bytes in blobs, and the index."""

    placeholder_urls: Count = 10  # one picture behind more addresses of a host is a placeholder (OBELICS: 10); 0 is off
    earlier: tuple[Folder, ...] = ()  # outputs of earlier runs: what they have is not asked for again
    buckets: Count = 0  # work units for HTTP; hosts are never split; 0: 8, or more where the input is large
    unit_minutes: Number = 60.0  # that a unit of hosts is asked before others have their turn; 0: until it is done


@dataclasses.dataclass(frozen=True)
class Crawl(CrawlRules):
    """`weft crawl`: addresses → WARC. Hosts are asked as [fetch] says: user agent, robots, connections, time."""

    buckets: Size = 8  # work units; hosts are never split


@dataclasses.dataclass(frozen=True)
class Score(ClipChoice, ImageQuestions):
    """CLIP similarities."""

    compare: Literal["needed", "always"] = (
        "needed"  # needed: embed only what a threshold, a head or another key asks for; always: everything
    )
    max_text_chars: Size = 500  # of a document's text that is compared with its images
    embeddings: bool = False  # True: keep the vectors of images and pairs, as files that clip-retrieval and faiss read
    buckets: Count = 0  # output files, and the least number of units of texts; 0: 8, or more where the input is large
    accelerator: str = "type:nvidia-l4;count:1;install-nvidia-driver"  # of Dataflow's workers for CLIP; "" is none
    min_ram: str = "16GB"  # likewise


@dataclasses.dataclass(frozen=True)
class Pack(Recipe, Sequencing):
    """The recipe's decisions on images, then tokens and shards."""

    tokenizer: File = "train"  # "train", or a path to tokenizer.json or a sentencepiece .model
    vocab_size: Annotated[int, Range(300)] = 4096  # of a trained tokenizer, specials included
    similarity_model: str = (
        ""  # the score.model that thresholds on similarity are meant for; with another, pack says so
    )
    instructions: tuple[File, ...] = ()  # .jsonl or .json, perhaps gzipped: instruction, input, output (Kosmos-1 3.3)
    val_fraction: Share = 0.05  # of documents, by hash; a pair goes where its page goes
    shards: Annotated[int, Range(0, 1_000_000)] = (
        0  # per corpus, train; val has one. 0: 4 and 1, or more where the input is large
    )


@dataclasses.dataclass(frozen=True)
class Train:
    """The smoke model: a small Kosmos-1."""

    steps: Size = 400  # optimiser steps
    layers: Size = 2  # of the decoder (Kosmos-1: 24)
    width: Size = 128  # Kosmos-1: 2,048
    heads: Size = 4  # Kosmos-1: 32
    ffn: Size = 512  # Kosmos-1: 8,192
    dropout: Share = 0.0  # Kosmos-1: 0.1; a minute's training cannot overfit
    vision: Folder = "weft-tiny"  # as score.model
    vision_pretrained: File = ""  # as score.pretrained
    stems: Folder = ""  # where what the frozen part makes of each image is kept for later epochs and trainings, in bf16
    unfreeze_last: bool = True  # Kosmos-1 3.2: all of CLIP frozen but its last layer
    resampler: Literal["attention", "flamingo"] = (
        "attention"  # the released code's one attention, or Flamingo's six layers
    )
    predict_images: bool = False  # True: that an image comes (`<image>`) is learned too, as in Kosmos-G's loaders
    mix_text: Number = 0.5  # Kosmos-1 3.2: 0.5M text, 0.5M caption, 0.2M interleaved tokens a batch
    mix_pairs: Number = 0.5  # the same for caption pairs
    mix_interleaved: Number = 0.2  # and interleaved documents
    mix_instructions: Number = 0.2  # and instructions, where pack.instructions names some; Kosmos-1 tunes on them later
    batch_tokens: Size = 1024  # Kosmos-1: 1.2M; many small steps ground a small model soonest
    micro_tokens: Size = 16_384  # with padding, that go through the model at once; a larger batch goes in parts
    max_length: Size = 512  # longer ones are cut: to a window of a text, a document's beginning, an instruction's end
    learning_rate: Number = 1.5e-3  # Kosmos-1: 2e-4 at 1.3B parameters
    warmup_steps: Count = 30  # Kosmos-1: 375 of 300,000
    weight_decay: Number = 0.01  # Kosmos-1 3.2
    beta2: Share = 0.98  # Kosmos-1 3.2
    clip_norm: Number = 2.0  # of the gradient
    seed: Count = 0  # of initialisation, order and dropout
    checkpoint_every: Size = 100  # steps
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # of matrix products: bf16 on a GPU, fp32 elsewhere
    recompute: bool = False  # layers' activations in the backward pass: a third more work, much less memory
    compile: bool = False  # layers by torch.compile: minutes of waiting, then faster; needs a C++ compiler
    shard: bool = False  # under torchrun: layers and their optimiser state split over the processes (FSDP2)
    workers: Count = 0  # threads that read and decode ahead; 0: none, which suits a few CPU cores
    eval_samples: Count = 256  # held-out samples of each corpus
    audit_folds: Count = 0  # models besides, each without so large a part of the documents, that judge it; 0 or 1: none


@dataclasses.dataclass(frozen=True)
class Report:
    """The page to look at."""

    samples: Count = 8  # documents shown of each kind
    images: Count = 1_000  # on the contact sheet, at most


@dataclasses.dataclass(frozen=True)
class Config:
    """A whole run. `salt` seeds every hash that decides something."""

    recipe: str = "kosmos1"
    salt: str = "weft"
    exclude: tuple[File, ...] = ()  # lists of addresses, domains, ids and hashes that are not to be in the corpus
    crawl: Crawl = dataclasses.field(default_factory=Crawl)
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


def load(
    path: str | None = None,
    overrides: typing.Sequence[str] = (),
    recipe: str | None = None,
    read: typing.Callable[[str], bytes] = lambda path: Path(path).read_bytes(),
) -> Config:
    """Configuration from a TOML file, `section.key=value` overrides and a recipe.

    Args:
        path: the user's TOML file; None for the recipe alone.
        overrides: `--set` values, applied last; the right side is TOML, or a bare string.
        recipe: used where the file names none; the default recipe where this is None too.
        read: gives the bytes of `path`; for one that is not on this machine.

    Raises:
        ConfigError: unreadable file, bad TOML, unknown key or recipe, value of another type or out of its range.
    """
    if path == "":
        raise ConfigError("--config takes a file, not ''")
    user = {} if path is None else _parsed(path, read)
    changes = [_override(text) for text in overrides]
    name = user.get("recipe", Config.recipe if recipe is None else recipe)
    for keys, value in changes:
        if keys == ["recipe"]:
            name = value
    if not isinstance(name, str) or name not in recipes():
        raise ConfigError(f"no recipe {name!r}{nearest(str(name), recipes())}; `weft recipes` lists them")
    merged: dict[str, Any] = {}
    _merge(merged, _read(RECIPES / f"{name}.toml"))
    _merge(merged, user)
    for keys, value in changes:
        _merge(merged, _nest(keys, value), max(len(keys) - 1, 1))
    merged.setdefault("recipe", name)
    return _build(Config, merged, "")


def from_dict(values: dict[str, Any], overrides: typing.Sequence[str] = ()) -> Config:
    """Configuration from what `to_dict` gave, with `section.key=value` overrides on top.

    Raises:
        ConfigError: as `load`; what `to_dict` gave was another version's; or an override of the recipe, whose values
            it would not bring (`names_recipe` tells it, and `load` takes it).
    """
    if names_recipe(overrides):
        raise ConfigError("recipe = … names another one, whose values are not those of this output: use --recipe")
    merged = json.loads(json.dumps(values))
    try:
        _build(Config, merged, "")
    except ConfigError as error:  # of keys that nobody wrote
        raise ConfigError(f"{error}: another version of weft made this output; name another one") from None
    for keys, value in map(_override, overrides):
        _merge(merged, _nest(keys, value), max(len(keys) - 1, 1))
    return _build(Config, merged, "")


def names_recipe(overrides: typing.Sequence[str]) -> bool:
    """Whether `section.key=value` overrides choose a recipe, and with it all that it sets."""
    return any(keys == ["recipe"] for keys, _ in map(_override, overrides))


def changes(recipe: str) -> dict[str, dict[str, Any]]:
    """What a recipe sets: section → key → value."""
    return _read(RECIPES / f"{recipe}.toml")


def to_dict(config: Any) -> dict[str, Any]:
    """A config or section as plain values, ready for JSON."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def shown(value: Any) -> str:
    """A value as TOML writes it, on one line.

    >>> shown({"hq": 0.018112}), shown(["en"]), shown(True)
    ('{ hq = 0.018112 }', '["en"]', 'true')
    """
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {shown(one)}" for key, one in value.items()) + " }" if value else "{}"
    return json.dumps(value, ensure_ascii=False)


def places(config: Config) -> typing.Iterator[tuple[str, str, Place]]:
    """(section.key, value, what may stand there) of everything that a configuration says of where something lies."""
    for name, kind in strings():
        place = next(iter(getattr(kind, "__metadata__", ())), None)
        if place:
            given: Any = config
            for part in name.split("."):
                given = getattr(given, part)
            values = given.values() if isinstance(given, dict) else (given,) if isinstance(given, str) else given
            yield from ((name, value, place) for value in values)


def strings(section: Any = Config, before: str = "") -> typing.Iterator[tuple[str, Any]]:
    """(section.key, type as it is written) of every key that is a string, a list or a table of strings."""
    for key, kind in typing.get_type_hints(section, include_extras=True).items():
        item = {tuple: 0, dict: 1}.get(typing.get_origin(kind))
        item = kind if item is None else typing.get_args(kind)[item]
        if dataclasses.is_dataclass(item):
            yield from strings(item, f"{before}{key}.")
        elif item is str or getattr(item, "__origin__", None) is str:
            yield before + key, item


def _read(path: Path) -> dict[str, Any]:
    return _parsed(str(path), lambda path: Path(path).read_bytes())


def _parsed(path: str, read: typing.Callable[[str], bytes]) -> dict[str, Any]:
    try:
        return tomllib.loads(read(path).decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in thousands of lists
        raise ConfigError(f"{path} is not TOML: {error}") from None


def _override(text: str) -> tuple[list[str], Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set takes section.key=value, not {text!r}")
    try:
        parsed = tomllib.loads(f"v = {value}")
    except tomllib.TOMLDecodeError:
        parsed = {"v": value}
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--set {key.strip()}: {error}") from None
    if len(parsed) > 1:
        raise ConfigError(f"--set takes one section.key=value, not {text!r}")
    return key.strip().split("."), parsed["v"]


def _nest(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value


def _merge(base: dict[str, Any], top: dict[str, Any], deep: int = 1) -> None:
    """Sections have the keys of both; a table within one is replaced, unless its names are what is set (`deep` 2)."""
    for key, value in top.items():
        if deep and isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value, deep - 1)
        else:
            base[key] = value


def _suggest(key: str, here: typing.Iterable[str], where: str) -> str:
    """The key of this name in other sections; else the nearest of this section, or of all where none is named."""
    every: dict[str, list[str]] = {name: [name] for name in here}
    for section in dataclasses.fields(Config):
        if dataclasses.is_dataclass(kind := section.default_factory):
            for field in dataclasses.fields(kind):
                if not where or field.name == key:
                    every.setdefault(field.name, []).append(f"{section.name}.{field.name}")
    close = [key] if key in every else difflib.get_close_matches(key, every, n=1, cutoff=0.5)
    return f" (did you mean {' or '.join(map(repr, every[close[0]]))}?)" if close else ""


def _build(cls: Any, values: dict[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(cls, include_extras=True)
    given = {}
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(f"unknown key {where + key!r}{_suggest(key, hints, where)}")
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
    if origin is Annotated:
        bare, takes = typing.get_args(kind)
        found = _convert(bare, value, name)
        if isinstance(takes, Range) and found not in takes:
            raise ConfigError(f"{name} = {value} is out of its range: {takes}")
        return found
    if origin is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            near = nearest(value, choices) if isinstance(value, str) else ""
            raise ConfigError(f"{name} is one of {', '.join(map(repr, choices))}, not {value!r}{near}")
        return value
    if origin is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{name} is a list of strings, not {value!r}")
        item = typing.get_args(kind)[0]
        return tuple(_convert(item, one, f"each of {name}") for one in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{name} is a table: write [{name}] and names below it")
        return Table({key: _convert(typing.get_args(kind)[1], item, f"{name}.{key}") for key, item in value.items()})
    if origin in (types.UnionType, typing.Union):  # pragma: no cover - no such field today
        raise ConfigError(f"{name} has an unsupported type")
    return _scalar(kind, value, name)


def _scalar(kind: Any, value: Any, name: str) -> Any:
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:  # TOML's own limit
        raise ConfigError(f"{name} is a number of {value.bit_length()} bits: 64 at most")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{name} is {'an' if kind is int else 'a'} {kind.__name__}, not {value!r}")
    return value
