"""The last job's own tables: lines that kept documents lose, each by the copy that stays."""

from pathlib import Path

from dedup_stage import document, run, text

from weft.schemas.records import Document


def test_lines_of_a_host_and_lines_of_all(tmp_path: Path) -> None:
    def page(name: str, host: str, *lines: str) -> Document:
        made = document(name, "", url=f"http://{host}/{name}", images=1)
        return made._replace(texts=[lines[0], None, "\n".join(lines[1:])], images=[None, "http://i.test/1", None],
                             image_meta=[None, None, None])  # fmt: skip

    documents = [
        *[page(f"h{i}", "one.test", text(f"h{i}", 30), "Subscribe to us", text(f"more {i}", 20)) for i in range(3)],
        page("other", "two.test", text("other", 30), "Subscribe to us", text("o", 20)),
    ]
    rows = run(tmp_path / "host", documents, lines_per_host=3, near=False)
    assert {row["doc_id"]: row["lines"] for row in rows["cuts"]} == {"h0": [1], "h1": [1], "h2": [1]}
    rows = run(tmp_path / "once", documents, lines_once=True, near=False)
    cut = {row["doc_id"]: row["lines"] for row in rows["cuts"]}
    assert len(cut) == 3 and set(map(tuple, cut.values())) == {(1,)}


def test_lines_are_those_of_the_copy_that_is_kept(tmp_path: Path) -> None:
    """Documents that were dropped, and other copies of a record, say nothing of what is repeated."""
    first = document("r", f"{text('r')}\nSubscribe to us", place=("one.warc.gz", 5))
    other = document("r", f"{text('r')}\nFollow us", place=("two.warc.gz", 3))
    documents = [
        first,
        other,
        document("a", f"{text('a')}\nFollow us\nSubscribe to us", date=5),
        document("b", f"{text('a')}\nFollow us\nsubscribe to us", date=4),  # equal: goes
    ]
    rows = run(tmp_path, documents, lines_once=True, near=False)
    assert rows["cuts"] == [{"doc_id": "a", "lines": [2]}]  # not 1, which no other kept document has
