"""`weft export`: a run's finished shards → the files of another loader; its trained model → those of transformers.

    shards/manifest.jsonl ─► one work unit a shard (transforms/export) ─► CORPUS/SPLIT/NNNNNN.… ─► what lies beside them

A shard becomes files of its own, so a killed export goes on from those that are finished, and Beam's flags spread
the shards over machines.
"""

from __future__ import annotations

import json
import struct
import tarfile
import uuid
from collections.abc import Sequence
from typing import Any

import apache_beam as beam

from weft.pipeline.arguments import EXPORTS, MODEL
from weft.pipeline.run import manifest
from weft.pipeline.run.claim import claim
from weft.pipeline.run.progress import Progress
from weft.pipeline.runners import beam_options
from weft.schemas import shards
from weft.schemas.parameters import ConfigError, nearest
from weft.schemas.records import digest
from weft.schemas.shards import ShardInfo
from weft.transforms.export import formats, items
from weft.transforms.io import files, work_units

STATE = ".weft"  # below the output: what is done; hidden from loaders that take every file
MANIFEST = "manifest.json"
Made = dict[str, int]  # CORPUS/SPLIT/file → samples


def export(
    name: str, source: str, output: str, flags: Sequence[str], quiet: bool, corpora: Sequence[str] = ()
) -> list[str]:
    """Write `source`'s shards in format `name` below `output`; returns what was written, a line a corpus.

    Args:
        source: a run's output directory, or its shards/.
        corpora: which of those that the format holds; all where none is named.

    Raises:
        ConfigError: no such format, no shards or model, or a directory that holds something else.
    """
    if name == MODEL:
        return _model(source, output, corpora)
    form = _format(name)
    if foreign := [corpus for corpus in corpora if corpus not in form.writers]:
        raise ConfigError(f"{name} holds no {foreign[0]}: it takes {', '.join(form.writers)}")
    base, infos = finished(source)
    held = shards.corpora_of(infos)
    if shards.INSTRUCTIONS in corpora and shards.INSTRUCTIONS not in held:
        raise ConfigError(f"{source} holds no instructions: `weft pack` takes the files that pack.instructions names")
    wanted = tuple(corpora) or tuple(corpus for corpus in form.writers if corpus in held)
    infos = [info for info in infos if info.name.split("/")[0] in wanted]
    said = {"format": name, "corpora": wanted, "shards": {i.name: i.sha256 for i in infos}, "weft": manifest.VERSION}
    fingerprint = digest(said)
    claim(output, STATE, fingerprint, f"an export as {name}")
    progress = Progress(files.join(output, STATE), "export", quiet)
    progress.expect(len(infos))
    with progress.shown(), beam_options.pipeline(flags, len(infos)) as p:
        _ = (
            p
            | "Shards" >> beam.Create([(info.name, info.sha256) for info in infos])
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.Map(write_shard, name, base, output, fingerprint)
        )
    made: Made = {}
    for info in infos:
        made |= work_units.finished(output, f"{STATE}/export", _unit(info.name), fingerprint) or {}
    if beside := _BESIDE.get(name):
        beside(output, made)
    files.write_atomic(files.join(output, MANIFEST), json.dumps({**said, "samples": made}, indent=1, sort_keys=True))
    totals = {corpus: [count for path, count in made.items() if path.startswith(f"{corpus}/")] for corpus in wanted}
    told = [f"{corpus:11} {sum(counts):,} samples in {len(counts)} files" for corpus, counts in totals.items()]
    if not corpora and shards.INSTRUCTIONS in held and shards.INSTRUCTIONS not in form.writers:
        able = [other for other, one in formats.FORMATS.items() if shards.INSTRUCTIONS in one.writers]
        told.append(f"instructions are not in it: {name} holds none, {' and '.join(able)} do")
    return told


def _model(source: str, output: str, corpora: Sequence[str]) -> list[str]:
    """The trained model of a run; returns what was written, in a line."""
    from weft.pipeline.stages import training

    if corpora:
        raise ConfigError(f"{MODEL} is an export of the model, and holds no {corpora[0]}")
    trained = manifest.read_json(files.join(source, "model", "config.json"))
    if trained is None:
        raise ConfigError(f"{source} holds no trained model: run `weft train` first")
    claim(output, STATE, digest(trained, manifest.VERSION), f"an export as {MODEL}")
    return [f"{', '.join(training.export(source, output))} in {output}"]


def write_shard(listed: tuple[str, str], name: str, base: str, output: str, fingerprint: str) -> None:
    """One shard, by name and sha256 → its files below `output`, unless they are there."""
    shard, sha256 = listed
    corpus = shard.split("/")[0]
    path = files.join(output, shard.removesuffix(".tar"))

    def work() -> Made:
        made = formats.FORMATS[name].writers[corpus](path, items.read(files.join(base, shard), corpus, sha256))
        return {f"{shard.rpartition('/')[0]}/{file}": samples for file, samples in made.items()}

    work_units.run_unit(output, f"{STATE}/export", _unit(shard), fingerprint, work)


def _unit(shard: str) -> str:
    return shard.removesuffix(".tar").replace("/", "-")


def _format(name: str) -> formats.Format:
    if name not in formats.FORMATS:
        raise ConfigError(f"no format {name!r}{nearest(name, EXPORTS)}: one of {', '.join(EXPORTS)}")
    return formats.FORMATS[name]


def finished(source: str) -> tuple[str, list[ShardInfo]]:
    """The directory of shards that `source` is or holds, and its manifest."""
    for base in (files.join(source, "shards"), source):
        path = files.join(base, shards.MANIFEST)
        if files.exists(path):
            return base, list(shards.load_manifest(files.read_bytes(path).decode()))
    raise ConfigError(f"{source} holds no finished shards: run `weft pack` first")


def _energon(output: str, made: Made) -> None:
    """What `energon prepare` would write: where samples begin in each tar, how many there are, and how to read one."""
    for corpus in sorted({path.split("/")[0] for path in made}):
        mine = {path.partition("/")[2]: count for path, count in sorted(made.items()) if path.startswith(f"{corpus}/")}
        for name in mine:
            starts = _starts(files.join(output, corpus, name))
            index = b"".join(struct.pack("Q", start) for start in starts)
            files.write_atomic(files.join(output, corpus, f"{name}.idx"), index)
        splits = {split: [name for name in mine if name.startswith(f"{split}/")] for split in shards.SPLITS}
        sample = {"interleaved": "InterleavedSample", "pairs": "CaptioningSample", "text": "TextSample"}[corpus]
        told: dict[str, Any] = {
            ".info.json": {"shard_counts": mine},
            "split.yaml": {"split_parts": splits, "exclude": []},  # JSON is YAML
            "dataset.yaml": {
                "sample_type": {"__module__": "megatron.energon", "__class__": sample},
                "part_filter": "sample_loader.py:part_filter",
                "sample_loader": "sample_loader.py:sample_loader",
            },
        }
        for name, value in told.items():
            files.write_atomic(files.join(output, corpus, ".nv-meta", name), json.dumps(value, indent=1))
        named = str(uuid.UUID(digest(mine)))
        files.write_atomic(files.join(output, corpus, ".nv-meta", "index.uuid"), named)
        files.write_atomic(files.join(output, corpus, ".nv-meta", "sample_loader.py"), _LOADER)


_LOADER = '''"""How Megatron Energon makes a sample of what weft wrote."""


def part_filter(part):
    return True


def sample_loader(raw):
    told, key = raw["json"], raw["__key__"].rpartition("/")[2]
    about = {name: raw[name] for name in ("__key__", "__restore_key__", "__sources__", "__subflavors__") if name in raw}
    if "texts" in told:
        parts = [
            text if text is not None else raw[image.removeprefix(key + ".")]
            for text, image in zip(told["texts"], told["images"])
        ]
        return {**about, "sequence": parts}
    for suffix in ("jpg", "png", "webp"):
        if suffix in raw:
            return {**about, "image": raw[suffix], "caption": raw["txt"]}
    return {**about, "text": raw["txt"]}
'''


def _starts(path: str) -> list[int]:
    """Where each sample's first header stands in a tar, and where the last one ends."""
    starts, last, end = [], "", 0
    with files.open_read(path) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        for info in tar:
            key = info.name.partition(".")[0]
            if key != last:
                starts.append(info.offset)
            last, end = key, info.offset_data + -(-info.size // 512) * 512
    return [*starts, end]


def _mds(output: str, made: Made) -> None:
    """index.json of each split."""
    for folder in sorted({path.rpartition("/")[0] for path in made}):
        config = formats.mds_config(folder.split("/")[0])
        mine = sorted(path for path in made if path.startswith(f"{folder}/"))
        sizes = files.sizes([files.join(output, path) for path in mine])
        entries = [
            {
                **config,
                "raw_data": {"basename": path.rpartition("/")[2], "bytes": size, "hashes": {}},
                "zip_data": None,
                "samples": made[path],
            }
            for path, size in zip(mine, sizes, strict=True)
        ]
        files.write_atomic(
            files.join(output, folder, "index.json"), json.dumps({"version": 2, "shards": entries}, sort_keys=True)
        )


# Format → what else it wants beside the files of each shard.
_BESIDE = {"energon": _energon, "mds": _mds}
