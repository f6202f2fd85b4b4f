import io
import tarfile

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from weft.pipeline.card import facts
from weft.schemas.parameters import ConfigError
from weft.transforms.export.contents import Content


def test_figures_are_those_of_a_recount_by_duckdb(finished, carded):
    """Members of all tars as a table, and SQL over what their JSON says: nothing of weft's own reading."""
    members = []
    for path in sorted((finished / "shards").rglob("*.tar")):
        corpus = path.relative_to(finished / "shards").parts[0]
        with tarfile.open(path) as tar:
            for info in tar:
                key, _, suffix = info.name.partition(".")
                data = tar.extractfile(info).read()
                told = data.decode() if suffix == "json" else None
                images = len(np.load(io.BytesIO(data))) if suffix == "image_bytes.npy" else int(suffix == "jpg")
                members.append((corpus, f"{path}:{key}", suffix, info.size, told, images))
    columns = ("corpus", "key", "suffix", "size", "told", "images")
    members = pa.table(dict(zip(columns, map(list, zip(*members, strict=True)), strict=True)))
    recount = duckdb.sql("""
        with samples as (select * from members where told is not null),
        pictures as (select corpus, key, sum(images) n, sum(size) filter (suffix in ('images', 'jpg')) bytes
            from members group by all having n > 0),
        said as (
            select told->>'language' as language, 0 as pairs, (told->>'chunk' = '0')::int as documents,
                coalesce((select sum(strlen(t)) from unnest(from_json(told->'texts', '["VARCHAR"]')) as u(t)), 0) as text,
                key from samples where corpus = 'interleaved'
            union all select told->>'language', 1, 0, strlen(told->>'text'), key from samples where corpus = 'pairs'
            union all select d->>'language', 0, (d->>'passage' is null)::int, strlen(d->>'text'), null from
                (select unnest(from_json(told->'documents', '["JSON"]')) as d from samples where corpus = 'text')
                where d->>'text' is not null)
        select language, sum(documents), sum(pairs), coalesce(sum(p.n), 0), sum(text), coalesce(sum(p.bytes), 0)
        from said left join pictures p using (key) group by language
    """).fetchall()
    assert {name: tuple(map(int, counts)) for name, *counts in recount} == {
        name: tuple(content) for name, content in carded.facts.languages
    }
    assert carded.facts.total.documents and carded.facts.total.pairs and carded.facts.total.images
    assert carded.facts.total.images == sum(info.images for info in carded.facts.infos)


def test_the_top_is_a_tenth_of_the_sites_by_size(tmp_path):
    from weft.transforms.io.parquet import write_table

    rows = [(facts.SITE, f"s{n:02d}.test", 1, 0, 0, 10 * (n % 15), n) for n in range(25)]
    rows.append((facts.LANGUAGE, "en", 25, 0, 0, 9_999, 9_999))
    write_table(str(tmp_path / "contents/part-0.parquet"), rows, facts.CONTENTS)
    sites, top = facts._top(str(tmp_path))
    assert sites == 25
    assert [name for name, _ in top] == ["s14.test", "s13.test", "s12.test"], "140 + 14, 130 + 13, 120 + 12"
    assert top[0][1] == Content(1, 0, 0, 140, 14)
    (tmp_path / "contents/part-0.parquet").unlink()
    assert facts._top(str(tmp_path)) == (0, [])


def test_a_run_without_shards_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="holds no finished shards"):
        facts.gather(str(tmp_path), str(tmp_path / "card"), facts.Said(), ())


def test_a_card_stays_its_runs_however_that_is_called_and_wherever_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = {"config": {"recipe": "raw", "exclude": []}, "inputs": [["a.warc.gz", 1, ""]]}
    for name in ("run", "./run", str(tmp_path / "run")):
        own, same, beside = (facts._whose(name, card, known) for card in (f"{name}/card", "run/../run/card", "papers"))
        assert own == same != beside
    beside = {facts._whose(run, "papers", known) for run in ("run", str(tmp_path / "run"), "moved")}
    removed = {**known, "config": {"recipe": "raw", "exclude": ["exclude/0.txt"]}}
    assert beside == {facts._whose("run", "papers", removed)}
    for other in ({**known, "inputs": []}, {**known, "config": {"recipe": "c4"}}):
        assert facts._whose("run", "papers", other) not in beside
