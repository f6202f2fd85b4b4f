"""The report's numbers: books per stage, corpora, shards, distributions, training.

An output directory → one plain dict, which is `report/metrics.json` and what the report's charts are drawn from. Reads
what is there and says nothing of stages that have not run. A table is read up to MOST_ROWS rows: a report on a
snapshot describes its beginning, and `cut` names the tables of which that is so. Counts of all come from
manifests.
"""

from __future__ import annotations

import itertools
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weft.pipeline.report import mismatched_pairs
from weft.pipeline.run import manifest
from weft.pipeline.run.registry import STAGES
from weft.schemas.records import DROPPED, KEPT, SIMILARITY_DECIMALS
from weft.schemas.shards import (
    CORPORA,
    IMAGE_BYTES,
    INPUT_IDS,
    MANIFEST,
    ShardInfo,
    by_corpus,
    corpora_of,
    load_manifest,
)
from weft.transforms.fetch.rate_limit import bare_host
from weft.transforms.io import files, parquet

MOST_ROWS = 500_000
MOST_SHARDS = 4  # per corpus, opened for sequence lengths
LANGUAGES_SHOWN = 12
DOMAINS_SHOWN = 20
_READ = (
    "documents", "pairs", "kept", "clusters", "images/index", "scores", "baseline", "dedup/forbidden",
    *(f"fates/{stage}" for stage in ("extract", "dedup", "fetch", "score", "pack")),
)  # fmt: skip
_CORPUS = re.compile(f"({'|'.join(CORPORA)})/")  # pack's detail on a kept document is its shard
_NOT_HONOURED = "not honoured: "  # so begins extract's detail on a page that opted out and was kept
_WORDS = (0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
_SIDES = (0, 32, 64, 100, 150, 200, 250, 300, 400, 500, 600, 800)
_COUNTS = (0, 1, 2, 3, 4, 5, 6, 10, 20, 50, 100)
_CLUSTERS = (2, 3, 4, 5, 10, 20, 50, 100, 1000)


def gather(output: str) -> dict[str, Any]:
    """Every figure of the report."""
    stages = {stage.name: _stage(output, stage.name) for stage in STAGES}
    shards = shard_infos(output)
    corpus_of = corpora(output)
    longer = cut(output)
    whole = "fates/pack" not in longer  # else corpus_of is of some documents alone
    return {
        "inputs": _inputs(output),
        "stages": stages,
        "corpora": _corpora(stages, corpus_of if whole else None, shards),
        "shards": [vars(shard) for shard in shards],
        "distributions": _distributions(output, corpus_of, shards, whole),
        "domains": _domains(output, corpus_of),
        "strangers": _mismatched(output),
        "training": _training(output),
        "cut": longer,
        "opt_outs_not_honoured": _opt_outs_not_honoured(output),
        "eval": manifest.read_json(files.join(output, "model", "eval.json")),
        "truth": manifest.read_json(files.join(output, "truth.json")),
    }


def parts(output: str, table: str) -> list[str]:
    """Parquet files of a table, sorted."""
    return [path for path, _ in files.listing(files.join(output, table, "*.parquet"))]


def cut(output: str) -> list[str]:
    """Tables that the report reads, and of which it does not read all."""
    return [table for table in _READ if _longer(output, table)]


def _longer(output: str, table: str) -> bool:
    counts = (parquet.count_rows(path) for path in parts(output, table))
    return any(rows > MOST_ROWS for rows in itertools.accumulate(counts))


def tables(output: str, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Row groups of a table's columns, up to about MOST_ROWS rows; a column that an older run lacks is one of nulls."""
    most = MOST_ROWS
    for path in parts(output, table):
        with files.open_read(path) as stream:
            opened = pq.ParquetFile(stream)
            for group in range(opened.num_row_groups):
                if most <= 0:
                    return
                found = opened.read_row_group(group, columns=list(columns))
                for name in set(columns) - set(found.column_names):
                    found = found.append_column(name, pa.nulls(found.num_rows, pa.string()))
                most -= found.num_rows
                yield found


def corpora(output: str) -> dict[str, str]:
    """doc_id → corpus of every document that came out at the end; "" where no pack has decided it."""
    found: dict[str, str] = {}
    if parts(output, "fates/pack"):
        for table in tables(output, "fates/pack", ["kind", "key", "fate", "detail"]):
            rows = table.filter((pc.field("kind") == "document") & (pc.field("fate") == KEPT))
            for key, detail in zip(rows["key"].to_pylist(), rows["detail"].to_pylist(), strict=True):
                named = _CORPUS.match(detail or "")
                found[key] = named.group(1) if named else ""
        return found
    if parts(output, "kept"):
        for table in tables(output, "kept", ["kind", "key"]):
            found.update(dict.fromkeys(table.filter(pc.field("kind") == "document")["key"].to_pylist(), ""))
        return found
    for table in tables(output, "documents", ["doc_id"]):
        found.update(dict.fromkeys(table["doc_id"].to_pylist(), ""))
    return found


def _inputs(output: str) -> dict[str, Any]:
    found = (manifest.read_run(output) or {}).get("inputs", [])
    return {"files": len(found), "bytes": sum(one[1] for one in found), "names": [one[0] for one in found[:20]]}


def _stage(output: str, name: str) -> dict[str, Any]:
    done = manifest.read(output, name)
    if done:
        keys = ("books", "seconds", "versions", "fingerprint")
        return {"state": "done", **{key: done[key] for key in keys if key in done}}
    counted = count_fates(output, name)
    return {"state": "unfinished" if counted else "not run", "books": counted}


def count_fates(output: str, stage: str) -> dict[str, Any]:
    """Books of a stage without a manifest, from its fates so far."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for table in tables(output, f"fates/{stage}", ["kind", "fate", "reason"]):
        for row in table.group_by(["kind", "fate", "reason"]).aggregate([([], "count_all")]).to_pylist():
            counts[row["kind"], row["fate"], row["reason"]] += row["count_all"]
    return as_books(counts)


def as_books(counts: Mapping[tuple[str, str, str], int]) -> dict[str, Any]:
    """(kind, fate, reason) → how many, as a manifest has it."""
    books: dict[str, Any] = {}
    for (kind, fate, reason), count in sorted(counts.items()):
        account = books.setdefault(kind, {"entered": 0, "kept": 0, "dropped": {}})
        account["entered"] += count
        if fate == DROPPED:
            account["dropped"][reason] = count
        else:
            account["kept"] += count
    return books


def shard_infos(output: str) -> list[ShardInfo]:
    """What the manifest says of each shard; none where there is none."""
    path = files.join(output, "shards", MANIFEST)
    return list(load_manifest(files.read_bytes(path).decode())) if files.exists(path) else []


def _corpora(stages: dict[str, Any], corpus_of: dict[str, str] | None, shards: Sequence[Any]) -> dict[str, Any]:
    """What each corpus holds; its documents are None where only some of them are in `corpus_of`, which is then None."""
    documents = None if corpus_of is None else Counter(corpus_of.values())
    packed = stages["pack"]["books"] if stages["pack"]["state"] == "done" else {}
    found: dict[str, Any] = {}
    made = by_corpus(shards)
    for corpus in corpora_of(shards):
        counts = made[corpus]
        found[corpus] = {key: counts[key] for key in ("samples", "tokens", "images", "bytes", "shards")}
        found[corpus]["documents"] = None if documents is None else documents[corpus]
        if corpus == "pairs":
            found[corpus]["pairs"] = packed.get("pair", {}).get("kept", 0)
    found["total_tokens"] = sum(found[corpus]["tokens"] for corpus in corpora_of(shards))
    return found


def _distributions(output: str, corpus_of: dict[str, str], shards: Sequence[Any], whole: bool) -> dict[str, Any]:
    """Histograms by name, in the order in which the page shows them; none of what there is none of."""
    found = _of_documents(output, corpus_of, whole)
    if sides := list(_sides(output)):
        found["shorter side of images, px"] = histogram({"images": sides}, _SIDES)
    found |= _of_similarities(output)
    if sizes := {
        row["cluster_id"]: row["cluster_size"]
        for table in tables(output, "clusters", ["cluster_id", "cluster_size"])
        for row in table.to_pylist()
    }:
        found["documents per duplicate cluster"] = histogram({"clusters": list(sizes.values())}, _CLUSTERS)
    held = {corpus: list(_held(output, [s.name for s in shards], corpus)) for corpus in corpora_of(shards)}
    if pictures := [pictures for _, pictures in held["interleaved"]]:
        found["pictures per sequence"] = histogram({"interleaved": pictures}, _COUNTS)
    lengths = {corpus: [tokens for tokens, _ in sequences] for corpus, sequences in held.items()}
    if longest := max((max(values) for values in lengths.values() if values), default=0):
        step = next(s for s in (16, 32, 64, 128, 256, 512, 1024, 4096, 1 << 20) if longest / s <= 9)
        edges = list(range(0, longest + 1, step))
        found["tokens per sequence"] = histogram({c: v for c, v in lengths.items() if v}, edges)
    return found


def _of_documents(output: str, corpus_of: dict[str, str], whole: bool) -> dict[str, Any]:
    languages: Counter[str] = Counter()
    words: list[int] = []
    images: list[int] = []
    placed = _images_packed(output)
    for table in tables(output, "documents", ["doc_id", "language", "texts", "images"]):
        for row in table.to_pylist():
            if row["doc_id"] not in corpus_of:
                continue
            languages[row["language"] or "undecided"] += 1
            words.append(sum(len(text.split()) for text in row["texts"] if text))
            shown = sum(1 for image in row["images"] if image)
            images.append(placed[row["doc_id"]] if placed is not None else shown)
    if not languages:
        return {}
    told = {"words per document": histogram({"documents": words}, _WORDS)}
    if whole:  # else some images of a document have their fates in rows that are not read
        told["images per document"] = histogram({"documents": images}, _COUNTS)
    common = sorted(languages.items(), key=lambda item: (-item[1], item[0]))
    other = sum(n for _, n in common[LANGUAGES_SHOWN:])
    return {
        "languages": dict(common[:LANGUAGES_SHOWN]) | ({"other": other} if other else {}),
        **told,
    }


def _of_similarities(output: str) -> dict[str, Any]:
    pairs, inside = _similarities(output)
    if pairs and (other := _column(output, "baseline", "baseline")):
        pairs["the same pictures, captions of others"] = other
    found: dict[str, Any] = {}
    for name, series in (("CLIP similarity of pairs", pairs), ("CLIP similarity in documents", inside)):
        if series:
            low, high = min(map(min, series.values())), max(map(max, series.values()))
            step = 0.1 if high - low > 0.6 else 0.05 if high - low > 0.3 else 0.02
            first, last = int(np.floor(low / step)), int(np.floor(high / step))
            found[name] = histogram(series, [round(step * i, 2) for i in range(first, last + 1)])
    return found


def _domains(output: str, corpus_of: dict[str, str]) -> list[dict[str, Any]]:
    """Domains by how many documents came out at the end, with pages that were read and images of documents."""
    pages: Counter[str] = Counter()
    for table in tables(output, "fates/extract", ["kind", "url"]):
        urls = table.filter(pc.field("kind") == "page")["url"].to_pylist()
        pages.update(map(bare_host, filter(None, urls)))
    documents: Counter[str] = Counter()
    images: Counter[str] = Counter()
    for table in tables(output, "documents", ["doc_id", "url", "images"]):
        for row in table.to_pylist():
            if row["doc_id"] in corpus_of:
                name = bare_host(row["url"])
                documents[name] += 1
                images[name] += sum(1 for image in row["images"] if image)
    order = sorted(pages | documents, key=lambda name: (-documents[name], -pages[name], name))
    return [
        {"domain": name, "pages": pages[name], "documents": documents[name], "images": images[name]}
        for name in order[:DOMAINS_SHOWN]
    ]


def histogram(series: dict[str, list[Any]], edges: Sequence[float]) -> dict[str, Any]:
    """Counts of values from each edge up to the next; empty columns at both ends are left out."""
    counts = {}
    for name, values in series.items():
        written = np.asarray(values, dtype=float).round(SIMILARITY_DECIMALS)
        places = np.searchsorted(np.asarray(edges, dtype=float), written, side="right")
        counts[name] = np.bincount(np.maximum(places - 1, 0), minlength=len(edges)).tolist()
    used = [i for i in range(len(edges)) if any(column[i] for column in counts.values())] or [0]
    cut = slice(used[0], used[-1] + 1)
    return {
        "from": [edge for edge in edges[cut]],
        "counts": {name: column[cut] for name, column in counts.items()},
        "summary": {
            name: {
                "n": len(values),
                "min": _round(min(values)),
                "median": _round(float(np.median(values))),
                "mean": _round(float(np.mean(values))),
                "max": _round(max(values)),
            }
            for name, values in series.items()
            if values
        },
    }


def _round(value: float) -> float:
    return round(float(value), 4)


def _opt_outs_not_honoured(output: str) -> int:
    """Pages that were kept although they opted out, because the configuration says so."""
    count = 0
    for table in tables(output, "fates/extract", ["kind", "fate", "detail"]):
        rows = table.filter((pc.field("kind") == "page") & (pc.field("fate") == KEPT))
        count += pc.sum(pc.starts_with(rows["detail"], _NOT_HONOURED)).as_py() or 0
    return count


def _images_packed(output: str) -> Counter[str] | None:
    """doc_id → images that pack kept in it; None where pack has not run."""
    if not parts(output, "fates/pack"):
        return None
    kept: Counter[str] = Counter()
    for table in tables(output, "fates/pack", ["kind", "key", "fate"]):
        rows = table.filter((pc.field("kind") == "image") & (pc.field("fate") == KEPT))
        kept.update(key.rpartition(":")[0] for key in rows["key"].to_pylist())
    return kept


def _sides(output: str) -> Iterator[int]:
    for table in tables(output, "images/index", ["status", "width", "height"]):
        rows = table.filter(pc.field("status") == "ok")
        yield from pc.min_element_wise(rows["width"], rows["height"]).to_pylist()


def _similarities(output: str) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Similarities of pairs; and of a document's images with the texts beside them and with its other texts."""
    pairs: dict[str, list[float]] = {"pairs": []}
    inside: dict[str, list[float]] = {"text beside the image": [], "other texts of the document": []}
    for table in tables(output, "scores", ["kind", "image_position", "text_position", "similarity"]):
        pairs["pairs"] += table.filter(pc.field("kind") == "pair")["similarity"].to_pylist()
        rows = table.filter(pc.field("kind") == "document")
        beside = pc.less_equal(pc.abs(pc.subtract(rows["image_position"], rows["text_position"])), 1)
        for name, mask in zip(inside, (beside, pc.invert(beside)), strict=True):
            inside[name] += rows.filter(mask)["similarity"].to_pylist()
    return {name: v for name, v in pairs.items() if v}, {name: v for name, v in inside.items() if v}


def _column(output: str, table: str, name: str) -> list[float]:
    return [value for found in tables(output, table, [name]) for value in found[name].to_pylist()]


def _mismatched(output: str) -> dict[str, Any] | None:
    """How far similarities tell pairs from mismatched ones: the same pictures with the captions of others."""
    pack = ((manifest.read_run(output) or {}).get("config") or {}).get("pack") or {}
    mine, theirs = (_column(output, "baseline", name) for name in ("similarity", "baseline"))
    return mismatched_pairs.describe(mine, theirs, mismatched_pairs.threshold(output, pack))


def _held(output: str, names: Iterable[str], corpus: str) -> Iterator[tuple[int, int]]:
    """(tokens, pictures of a document) of the sequences of a corpus' first shards."""
    mine = [name for name in names if name.split("/")[0] == corpus]
    for name in itertools.islice(mine, MOST_SHARDS):
        with files.open_read(files.join(output, "shards", name)) as stream, tarfile.open(fileobj=stream) as tar:
            for _, members in itertools.groupby(tar, key=lambda member: member.name.partition(".")[0]):
                lengths = {INPUT_IDS: 0, IMAGE_BYTES: 0}
                for member in members:
                    if (part := member.name.partition(".")[2]) in lengths:
                        content: Any = tar.extractfile(member)
                        np.lib.format.read_magic(content)
                        lengths[part] = np.lib.format.read_array_header_1_0(content)[0][0]
                yield lengths[INPUT_IDS], lengths[IMAGE_BYTES]


def _training(output: str) -> list[dict[str, Any]]:
    path = files.join(output, "model", "train_log.jsonl")
    if not files.exists(path):
        return []
    lines = map(json.loads, files.read_bytes(path).decode().splitlines())
    return [{key: line[key] for key in ("step", "loss", "gap") if key in line} for line in lines]
