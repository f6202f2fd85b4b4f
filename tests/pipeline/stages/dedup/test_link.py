"""Jobs on the output of the last: components and buckets are whole, however many jobs it takes."""

from pathlib import Path

import pyarrow.parquet as pq
from dedup_stage import checksums, document, run, text, verdicts


def test_a_chain_goes_on_in_further_jobs(tmp_path: Path) -> None:
    """Sixty documents, each like the next alone: deeper than one round, and one cluster all the same."""
    chain = [document(f"c{i:03}", text("c", 300, changed=range(3 * i)), date=i) for i in range(60)]
    rows = run(tmp_path, chain, rounds=1)
    assert {row["kept_id"] for row in rows["clusters"]} == {"c059"} and len(rows["clusters"]) == 60
    jobs = sorted((tmp_path / "dedup").glob("stars-*.json"))
    assert len(jobs) > 1 and jobs[-1].read_text() == "0" and int(jobs[0].read_text()) > 0
    once = tmp_path / "once"
    run(once, chain, rounds=4)
    assert checksums(once) == checksums(tmp_path)


def test_one_per_bucket_keeps_every_other_link_of_a_chain(tmp_path: Path) -> None:
    """Of three in a row only the middle one is like both ends: by components one stays, by buckets two."""
    chain = [document(f"c{i}", text("c", 200, changed=range(8 * i)), date=date) for i, date in enumerate((3, 1, 2))]
    apart = [document(f"u{i}", text(f"unique {i}")) for i in range(20)]
    section = {"threshold": 0.9, "recall": 0.999, "permutations": 256, "cluster": "bucket"}
    rows = run(tmp_path, [*chain, *apart], **section)
    kept = {row["key"] for row in rows["kept"] if row["key"].startswith("c")}
    together = {frozenset(pair) for pair in beside_each_other(tmp_path)}
    by_rank, expected = ["c0", "c2", "c1"], set()
    for name in by_rank:
        if not any(frozenset((name, other)) in together for other in expected):
            expected.add(name)
    assert frozenset(("c0", "c1")) in together  # else nothing was tried
    assert kept == expected
    for key, (reason, detail) in verdicts(rows, "document").items():
        assert reason == "duplicate_near" and frozenset((key, detail)) in together


def beside_each_other(output: Path) -> list[tuple[str, str]]:
    """Documents that share a bucket, two by two."""
    buckets: dict[str, set[str]] = {}
    for part in (output / "dedup/seats-0").glob("*.parquet"):
        for row in pq.read_table(part).to_pylist():
            buckets.setdefault(row["other"], set()).add(row["doc_id"])
    return [(a, b) for members in buckets.values() for a in members for b in members if a < b]


def test_one_per_bucket_takes_the_best_first(tmp_path: Path) -> None:
    """Families of variants in many overlapping buckets, against the definition: best first, none beside a kept one."""
    variants = [
        document(f"v{f}{i:02}", text(f"family {f}", 150, changed=range(i * 4 % 60, i * 4 % 60 + 9)), date=i * 7 % 30)
        for f in range(6)
        for i in range(30)
    ]
    rows = run(tmp_path, variants, cluster="bucket", exact=False, rounds=1, threshold=0.7)
    beside: dict[str, set[str]] = {}
    for a, b in beside_each_other(tmp_path):
        beside.setdefault(a, set()).add(b)
        beside.setdefault(b, set()).add(a)
    expected: set[str] = set()
    for one in sorted(variants, key=lambda d: (d.crawl_date, d.warc_file, d.warc_offset, d.doc_id), reverse=True):
        if not beside.get(one.doc_id, set()) & expected:
            expected.add(one.doc_id)
    assert {row["key"] for row in rows["kept"] if row["kind"] == "document"} == expected
    assert len(list((tmp_path / "dedup").glob("seats-*"))) > 2  # several jobs
