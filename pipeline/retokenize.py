"""`weft retokenize`: a run's finished shards by another tokenizer, one work unit a shard (transforms/export)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence

import apache_beam as beam

from weft.pipeline import export
from weft.pipeline.run import manifest
from weft.pipeline.run.claim import claim
from weft.pipeline.run.progress import Progress
from weft.pipeline.runners import beam_options
from weft.schemas import shards
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.schemas.records import digest
from weft.schemas.shards import ShardInfo
from weft.transforms.export.items import check
from weft.transforms.export.retokenize import retokenize
from weft.transforms.io import files
from weft.transforms.io.work_units import Counts, run_unit
from weft.transforms.pack import pack_shards
from weft.transforms.pack.samples import SampleMaker, ShardLayout

STATE = ".weft"  # below the output: what is done


def run(source: str, tokenizer: str, output: str, config: Config, flags: Sequence[str], quiet: bool) -> list[str]:
    """Write `source`'s shards by `tokenizer` below `output`/shards; returns what was written, a line a corpus.

    Args:
        source: a run's output directory.
        tokenizer: a tokenizer.json or a sentencepiece .model, local or remote.
        output: where shards/ goes.
        config: the run's, with what is to be otherwise in [pack]: context_length, image_tokens.

    Raises:
        ConfigError: no shards, no tokenizer, or a directory that holds something else.
    """
    base, infos = export.finished(source)
    pack = config.pack
    maker = SampleMaker(tokenizer, pack, ShardLayout(pack.shards, pack.val_fraction, config.salt))
    if pack.context_length < pack.image_tokens + 5:
        raise ConfigError(f"pack.context_length = {pack.context_length} holds no image of {pack.image_tokens} slots")
    decides = [
        pack.context_length,
        pack.image_tokens,
        pack.max_document_chunks,
        pack.passages,
        config.salt,
        manifest.VERSION,
    ]
    known = hashlib.sha256(maker.encoder.data).hexdigest()
    fingerprint = digest(decides, known, [(info.name, info.sha256) for info in infos])
    claim(output, STATE, fingerprint, "a retokenization")
    progress = Progress(files.join(output, STATE), "retokenize", quiet)
    progress.expect(len(infos))
    with progress.shown(), beam_options.pipeline(flags, len(infos)) as p:
        _ = (
            p
            | "Shards" >> beam.Create([(info.name, info.sha256) for info in infos])
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.Map(_shard, base, output, maker, config.salt, fingerprint)
        )
    made = [ShardInfo(**json.loads(files.read_bytes(_told(output, info.name)))) for info in infos]
    pack_shards.finish(made, maker.encoder, files.join(output, "shards"))
    totals = shards.by_corpus(made)
    return [
        f"{corpus:11} {totals[corpus]['samples']:,} samples, {totals[corpus]['tokens']:,} tokens"
        for corpus in shards.corpora_of(made)
    ]


def _shard(listed: tuple[str, str], base: str, output: str, maker: SampleMaker, salt: str, fingerprint: str) -> None:
    name, sha256 = listed

    def work() -> Counts:
        check(files.join(base, name), sha256)
        info = retokenize(base, name, output, maker, salt)
        files.write_atomic(_told(output, name), json.dumps(dataclasses.asdict(info), sort_keys=True))
        return {"tokens": info.tokens}

    run_unit(output, f"{STATE}/retokenize", name.removesuffix(".tar").replace("/", "-"), fingerprint, work)


def _told(output: str, name: str) -> str:
    return files.join(output, STATE, "shards", f"{name}.json")
