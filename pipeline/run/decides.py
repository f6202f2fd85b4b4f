"""What decides a stage's bytes beside its keys: the contents of what the keys name.

Another file under the same name is another fingerprint; what is not named adds nothing to one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from weft.pipeline.run import manifest
from weft.schemas.config import Config
from weft.schemas.parameters import ClipChoice, ConfigError
from weft.schemas.records import digest
from weft.transforms.dedup import index
from weft.transforms.extract import exclusions, named, own_filters
from weft.transforms.io import files, local_copies, parquet, state
from weft.transforms.score import needs
from weft.transforms.score.clip_weights import clip_name
from weft.transforms.score.heads import KINDS

READ_WHOLE = 1 << 28  # bytes of a file that whoever starts a run reads: a second or less
_LOCAL = "local-dir:"
_AT_FIRST = "at_first.json"


def extract(config: Config, *_: object) -> dict[str, Any]:
    """What is excluded from the start, lists, models and limits that judge texts, and the user's own filters."""
    return excluded(config) | named.contents(config.extract)


def excluded(config: Config) -> dict[str, Any]:
    """What of it a run that takes another's rows reads itself."""
    return {"exclude": exclusions.contents(config.exclude)} if config.exclude else {}


def recorded(output: str, *stages: str) -> dict[str, dict[str, Any]]:
    """What decided finished stages, as their manifests say: models, lists and filters may not be here any more."""
    done = {name: manifest.read(output, name) or {} for name in stages}
    found = {name: one["decides"] for name, one in done.items() if "decides" in one}
    if "score" in found:  # of the run itself, and not of when it was scored
        found["score"]["came_later"] = _came_later(output)
    return found


def dedup(config: Config, inputs: Sequence[str], output: str, runs: Sequence[str] | None = None) -> dict[str, Any]:
    """The evaluation texts, and the runs in the index to compare with: `against`, where None is given."""
    found: dict[str, Any] = {"evaluation": _of(config.dedup.evaluation)}
    if where := config.dedup.index:
        names = against(config, inputs, output) if runs is None else runs
        found["against"] = [(name, files.contents(files.join(where, name, "run.json"))) for name in names]
    return found


def against(config: Config, inputs: Sequence[str], output: str) -> list[str]:
    """Names of the runs in the dedup index that a run is compared with: those of the first time that it was made."""
    if not (where := config.dedup.index):
        return []
    known = (manifest.read_run(output) if output else None) or {}
    same = "against" in known and known["config"]["dedup"]["index"] == where
    if same and [one[0] for one in known["inputs"]] == list(inputs):
        return list(known["against"])
    own = index.run_name(inputs)
    begun = None if not output or manifest.read(output, "dedup") else state.read(noted(output))
    if begun and begun["index"] == where and begun["run"] == own and index.owner(where, own) is None:
        with contextlib.suppress(ConfigError):  # a run is gone
            index.parts(where, begun["against"])
            return list(begun["against"])
    return index.against(where, own)


def noted(home: str) -> str:
    """Where a dedup that is not finished has what it is compared with; others may have taken their places meanwhile."""
    return files.join(home, "dedup", "against.json")


def fetch(config: Config, *_: object) -> dict[str, Any]:
    """The images of earlier runs, what is excluded from this stage on, and fonts of drawings."""
    done = [manifest.read(path, "fetch") or {} for path in config.fetch.earlier]
    found: dict[str, Any] = {"earlier": [(one.get("fingerprint"), one.get("files", {}).get("sha256")) for one in done]}
    if config.fetch.svg_fonts:
        found["fonts"] = _of(config.fetch.svg_fonts)
    return found | ({"excluded": exclusions.contents(config.fetch.exclude)} if config.fetch.exclude else {})


def remember_images(output: str) -> None:
    """Note which images a fetch has, before it is opened again for those that did not come."""
    noted = files.join(output, "fetch", _AT_FIRST)
    if manifest.read(output, "fetch") and state.read(noted) is None:
        state.write(noted, {"images": _images(output, manifest.made(output, "fetch"))})


def _came_later(output: str) -> str:
    """The images of a finished fetch where they are others since it was opened again, "" else: scores of it are due."""
    first = state.read(files.join(output, "fetch", _AT_FIRST))
    if first is None or manifest.read(output, "fetch") is None:
        return ""
    now = _images(output, manifest.made(output, "fetch"))
    return now if now != first["images"] else ""


class _Stored(NamedTuple):
    """Columns of images/index."""

    image_url: str
    image_id: str
    status: str


@functools.cache
def _images(output: str, made: str) -> str:
    """A hash of the addresses and contents of a fetch's images, in any order; `made` is of all that it has made.

    Its tables have more: when a server was asked in vain.
    """
    found = 0
    for path, _ in files.listing(files.join(output, "images", "index", "*.parquet")):
        for row in parquet.read(path, _Stored):
            found ^= int(digest(row.image_url, row.image_id), 16) if row.status == "ok" else 0
    return f"{found:x}"


def score(config: Config, inputs: Sequence[str], output: str, *_: object) -> dict[str, Any]:
    """Heads, evaluation vectors and models of one's own; what is compared at all, which the recipe asks for.

    Fetch's fingerprint is the same when images come later, so which these are counts here.
    """
    asked = config.score
    models = _models(config)
    heads = [getattr(asked, f"{kind}_head") for kind in KINDS]
    found = {"files": _of((*heads, *asked.evaluation_embeddings)), "models": models if any(models) else []}
    return {**found, "needs": needs.of(asked, config.pack), "came_later": _came_later(output) if output else ""}


def vectors(config: Config) -> str:
    """What decides the vector of an image or text: the models, how they are run, and what runs them."""
    asked = config.score
    choice = {field.name: getattr(asked, field.name) for field in dataclasses.fields(ClipChoice)}
    versions = manifest.versions()
    made_with = {name: versions.get(name) for name in ("torch", "open_clip_torch", "pillow")}
    return digest("vectors", manifest.VERSION, made_with, choice, _models(config))


def pack(config: Config, *_: object) -> dict[str, Any]:
    """The tokenizer, pictures of evaluations, instructions, and the user's own filters."""
    named = config.pack.tokenizer
    found = {"tokenizer": named != "train" and _of([named]), "evaluation": _of(config.pack.evaluation_images)}
    own = own_filters.hashes(config.pack.own_filters)
    asked = _of(config.pack.instructions, _of_large)
    return {**found, "instructions": asked, **({"filters": own} if own else {})}


def train(config: Config, *_: object) -> dict[str, Any]:
    """The vision tower."""
    return {"vision": _model(config.train.vision, config.train.vision_pretrained)}


def _of(paths: Sequence[str], one: Callable[[str], str] = files.contents) -> list[str]:
    found = [one(path) if path else "" for path in paths]
    return found if any(found) else []


def _of_large(path: str) -> str:
    """A hash of a file; of one that takes long to read, as of an archive, its size and both ends."""
    size = dict(files.listing(path)).get(path, 0)
    return f"{size} {files.ends(path, size)}" if size > READ_WHOLE else files.contents(path)


def _models(config: Config) -> list[str]:
    asked = config.score
    return [_model(asked.model, asked.pretrained), *(_model(*_named(entry)) for entry in asked.also)]


def _named(entry: str) -> tuple[str, str]:
    name, _, tag = entry.partition("@")
    return name, tag


def _model(name: str, pretrained: str) -> str:
    """Contents of a model's folder, or of the file that its weights are in; "" for what open_clip or weft ships."""
    if name.startswith(_LOCAL):
        return local_copies.contents(clip_name(name).removeprefix(_LOCAL))
    return local_copies.contents(pretrained.partition("=")[2] or pretrained) if pretrained else ""
