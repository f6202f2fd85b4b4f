"""Evaluation of a trained model on shards: losses, what images are worth, and a verdict on the corpus.

    loss        per corpus on the val split: nats per target token, and bits per byte of the text that they stand for,
                which does not depend on the tokenizer
    alignment   alignment.py: whether images and texts belong together
    census      census.py: what needs no model
    suspects    the pairs that look most mismatched, with the page each is from: suspects.jsonl

The shards are those that the model was trained on, or any others with the same tokenizer: a neutral set, another run's.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

from safetensors.torch import load as safetensors

from weft.model_smoketest import alignment, census, chance, data, losses, shard_files
from weft.model_smoketest.alignment import Pair
from weft.model_smoketest.chance import Check
from weft.model_smoketest.losses import Eye
from weft.model_smoketest.model import Kosmos
from weft.model_smoketest.shard_files import join
from weft.model_smoketest.tars import Sample, Tar, documents_of
from weft.model_smoketest.train import CONFIG, WEIGHTS, build, identity_of, named, tokenizer_of, train
from weft.model_smoketest.words import Words
from weft.schemas import shards as contract
from weft.schemas.config import Train
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_bucket
from weft.schemas.shards import CORPORA, TRAINED, Vocabulary

RESULT, SUSPECTS = "eval.json", "suspects.jsonl"
AUDITED = 1_000  # pairs of both splits
SUSPICIOUS = 100  # pairs that are listed at most
_SOURCE = ("text", "page_url", "image_url", "warc_file", "warc_offset", "record_id")  # of KEY.json


def evaluate(shards: str, model_dir: str, config: Train, result: str = RESULT, own: bool = True) -> dict[str, Any]:
    """All figures, also written to `model_dir`/`result`.

    Args:
        config: decides how much is evaluated, and where the vision tower lies; the model is the one that was trained.
        own: the shards must be those that the model was trained on; else their tokenizer must be its own.

    Raises:
        ConfigError: there is no trained model, or it does not fit these shards.
    """
    model, vocabulary = load_model(shards, model_dir, own, tower=config)
    eye = Eye(model)
    words = Words(shards, vocabulary)
    cut = dataclasses.replace(model.config, eval_samples=config.eval_samples)
    found: dict[str, Any] = {"loss": {}, "bits_per_byte": {}, "samples": {}, "tokens": {}, "bytes": {}, "grounding": {}}
    found["notes"] = []
    checks: list[Check] = []
    for corpus in TRAINED:
        samples = list(data.validation(shards, corpus, vocabulary, cut))
        if not samples and corpus not in CORPORA:
            continue
        rows = losses.of_samples(model, eye, samples)
        targets, nats = sum(map(len, rows)), math.fsum(map(math.fsum, rows))
        size = sum(len(text.encode()) for sample in samples for text in census.texts(sample, vocabulary, words))
        found["samples"][corpus], found["tokens"][corpus], found["bytes"][corpus] = len(samples), targets, size
        found["loss"][corpus] = round(nats / targets, 5) if targets else None
        found["bits_per_byte"][corpus] = round(nats / math.log(2) / size, 5) if size else None
        if not targets:
            found["notes"].append(f"no held-out {corpus} sample: its figures are null")
        if corpus in ("pairs", "interleaved"):
            gap, note = alignment.grounding(model, eye, samples)
            found["grounding"][corpus] = gap
            if gap and chance.can_show(gap["samples"]):
                checks.append(_used(corpus, gap))
            elif gap:
                note = f"{gap['samples']} held-out samples with pictures are too few to say whether these are used"
            found["notes"] += [f"{corpus}: {note}"] if note else []
    found["folds"] = config.audit_folds if own and config.audit_folds > 1 else 0
    checks += _aligned(shards, model_dir, Part(model, eye, lambda tar, key: True), config, found)
    checks += census.take(shards, vocabulary)
    found["checks"] = [check.row() for check in checks]
    found["failed"] = sorted({check.name for check in checks if check.failed})
    shard_files.write(join(model_dir, result), shard_files.json_file(found))
    return found


def _used(corpus: str, gap: dict[str, Any]) -> Check:
    """That images are used at all: the one check that fails where nothing is found."""
    told = f"{gap['gap']:+.3f} ± {gap['standard_error']:.3f} nats a token is what the right image is worth"
    return Check(f"{corpus}.ungrounded", gap["gap"], 0.0, gap["p"], gap["samples"], told, wanted=True)


class Part(NamedTuple):
    """A model and whose samples it judges."""

    model: Kosmos
    eye: Eye
    judges: Callable[[Tar, str], bool]  # the sample of a shard with this key


def _parts(shards: str, model_dir: str, whole: Part, config: Train, folds: int) -> Iterator[Part]:
    """One model after another, with whom it judges: `whole` all, or the val split where each fold has its own.

    A fold's model was trained without its documents, and so has learned none of its pairs by heart.
    """
    if not folds:
        yield whole
        return
    yield whole._replace(judges=lambda tar, key: _split(tar) == "val")
    tars = [Tar(path) for corpus in CORPORA for path in data.tars_of(shards, corpus, "train")]
    documents = {document for tar in tars for key in tar.samples for document in documents_of(tar, key)}
    for number in range(folds):
        without = frozenset(one for one in documents if hash_bucket(one, folds, "fold") == number)
        where = join(model_dir, "folds", f"{number + 1}-of-{folds}")
        train(shards, where, whole.model.config, lambda line: None, without)
        model, _ = load_model(shards, where, without=without, tower=config)

        def judges(tar: Tar, key: str, without: frozenset[str] = without) -> bool:
            return _split(tar) == "train" and not without.isdisjoint(documents_of(tar, key))

        yield Part(model, Eye(model), judges)


def _aligned(shards: str, model_dir: str, whole: Part, config: Train, found: dict[str, Any]) -> list[Check]:
    """The checks on pairs and documents of both splits; the suspects are written beside the model."""
    vocabulary = whole.model.vocabulary
    pairs = list(_first(shards, "pairs", vocabulary, whole.model.config.max_length))
    documents = [one for one in _first(shards, "interleaved", vocabulary, 1 << 30) if one[1].images]
    audited: list[Pair] = []
    places: alignment.Gains = {place: [] for place in alignment.PLACES}
    moves: alignment.Gains = {move: [] for move in alignment.MOVES}
    for part in _parts(shards, model_dir, whole, config, found["folds"]):
        mine = [(f"pairs/{_split(tar)}/{tar.name}", one) for tar, one in pairs if part.judges(tar, one.key)]
        audited += alignment.audit(part.model, part.eye, mine)
        of = [(number, one) for number, (tar, one) in enumerate(documents) if part.judges(tar, one.key)]
        for told, more in ((places, alignment.places), (moves, alignment.moved)):
            for place, gains in more(part.model, part.eye, of).items():
                told[place] += gains
    checks = []
    if audited:
        checks.append(alignment.mismatched(audited))
        found["mismatched"] = round(checks[-1].value, 4)
    by_key = {one.key: tar for tar, one in pairs}
    suspects = sorted((pair for pair in audited if pair.beaten > 0.5), key=lambda pair: (pair.gap, pair.key))
    lines = [_suspect(pair, by_key[pair.key]) for pair in suspects[:SUSPICIOUS]]
    text = "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines)
    shard_files.write(join(model_dir, SUSPECTS), text.encode())
    found["places"], found["moves"] = (
        {f"{n:+d}": _place(gains) for n, gains in told.items()} for told in (places, moves)
    )
    check = alignment.misplaced(places, moves)
    return [*checks, check] if check else checks


def _place(gains: list[tuple[int, float]]) -> dict[str, Any]:
    values = [gain for _, gain in gains]
    error = chance.standard_error(values) if len(values) > 1 else 0.0
    mean = math.fsum(values) / len(values) if values else 0.0
    return {"nats": round(mean, 4), "standard_error": round(error, 4), "texts": len(values)}


def _first(shards: str, corpus: str, vocabulary: Vocabulary, length: int) -> Iterator[tuple[Tar, Sample]]:
    """Up to AUDITED samples of a corpus: all of val, then train."""
    there = chain.from_iterable(data.places_of(shards, corpus, split, "audit") for split in reversed(contract.SPLITS))
    for tar, key in islice(there, AUDITED):
        yield tar, data.cut(tar.read(corpus, key, vocabulary), 0, length, vocabulary)


def _split(tar: Tar) -> str:
    return tar.path.rsplit("/", 2)[-2]


def _suspect(pair: Pair, tar: Tar) -> dict[str, Any]:
    meta = json.loads(tar.part(pair.key, contract.META))
    return {**pair._asdict(), **{name: meta[name] for name in _SOURCE if name in meta}}


def load_model(
    shards: str,
    model_dir: str,
    own: bool = True,
    without: frozenset[str] | None = None,
    tower: Train | None = None,
) -> tuple[Kosmos, Vocabulary]:
    """The trained model, ready to evaluate on `shards`.

    Args:
        own: the shards must be those that it was trained on.
        without: the documents that must have been left out then; None takes what was.
        tower: says where the vision tower lies now; without it, where it lay.

    Raises:
        ConfigError: none was trained here, shards or vision tower have changed since, or the tokenizer is another.
    """
    try:
        described = json.loads(shard_files.read_text(join(model_dir, CONFIG)))
        weights = safetensors(shard_files.read_bytes(join(model_dir, WEIGHTS)))
    except OSError:
        raise ConfigError(f"{model_dir} holds no trained model: run `weft train` first") from None
    vocabulary = data.read_vocabulary(shards)
    if not own and described.get("tokenizer") != tokenizer_of(shards, vocabulary):
        raise ConfigError(f"{shards} was made with another tokenizer than the model in {model_dir}")
    trained = Train(**described["train"])
    if tower:
        trained = dataclasses.replace(trained, vision=tower.vision, vision_pretrained=tower.vision_pretrained)
    model, identity = build(trained, vocabulary)
    left_out = described.get("without", "") if without is None else named(without)
    if own and identity_of(identity, shards, vocabulary, left_out) != described["identity"]:
        raise ConfigError(f"{model_dir} was trained on other shards or another vision tower: run `weft train` again")
    model.load_trained({name: value.to(next(model.parameters()).device) for name, value in weights.items()})
    return model.eval(), vocabulary
