"""Runs of words against a plain search for substrings, windows by hand, and every way to give a wrong evaluation."""

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from weft.schemas.parameters import ConfigError
from weft.transforms.dedup.contamination import Evaluation, Hit, load, ngram_hashes
from weft.transforms.dedup.shingles import words
from weft.transforms.io import files

QUESTION = (
    "A student rides a bicycle from the river to the old library at twelve kilometres an hour, "
    "and walks back along the same road at four. What is the mean speed of the whole way?"
)
INNOCENT = (
    "The old library stands by the river, and a student may walk there along the road in half an hour. "
    "What is the mean age of its books? Nobody knows, for the same catalogue was lost twice."
)


def write(path: Path, *rows: object) -> str:
    data = "\n".join(map(json.dumps, rows)).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def evaluation(tmp_path: Path, *texts: str, ngram: int = 13) -> Evaluation:
    return load((write(tmp_path / f"{abs(hash(texts))}.jsonl", *({"q": text} for text in texts)),), ngram)


def numbered(prefix: str, first: int, last: int) -> str:
    return " ".join(f"{prefix}{n}" for n in range(first, last))


def test_hashes_are_equal_exactly_where_the_runs_are() -> None:
    chance = random.Random(3)
    tokens = [chance.choice([b"a", b"b", b"c"]) for _ in range(2_000)]
    for n in (1, 2, 5, 13):
        hashes = ngram_hashes(tokens, n)
        runs = [tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1)]
        assert hashes.dtype == np.uint64
        assert len(hashes) == len(runs)
        assert len(set(hashes.tolist())) == len(set(runs)) == len(set(zip(runs, hashes.tolist())))
    assert len(ngram_hashes([b"a"] * 4, 5)) == len(ngram_hashes([], 1)) == 0
    assert int(ngram_hashes(words(QUESTION), 8).max()) >> 40  # all 64 bits are used, not 32


def test_a_planted_question_is_found_and_a_similar_page_is_not(tmp_path: Path) -> None:
    found = evaluation(tmp_path, "Something else that is asked here and that has nothing to do with the page", QUESTION)
    tokens = words(QUESTION)
    page = words(f"{INNOCENT}\n{QUESTION.upper().replace(',', ' -')}\n{INNOCENT}")
    hit = found.find(page, hits=1, window=0)
    assert hit is not None
    assert hit.name.endswith(".jsonl:2")
    assert hit.count == len(tokens) - 12
    assert hit.words == b" ".join(tokens[:13]).decode()
    assert found.find(page, hits=len(tokens) - 12, window=len(tokens)) == hit
    assert found.find(page, hits=len(tokens) - 11, window=0) is None
    assert found.find(words(INNOCENT), 1, 0) is None
    assert found.find(tokens[:12], 1, 0) is None
    assert found.find([], 1, 0) is None


def test_documents_without_spaces_are_compared_by_characters(tmp_path: Path) -> None:
    found = evaluation(tmp_path, "次の文章を読んで、あとの問いに答えなさい。")
    hit = found.find(words("見出し。次の文章を読んであとの問いに答えなさい!"), 1, 0)
    assert hit is not None
    assert hit.words.replace(" ", "") == "次の文章を読んであとの問い"
    assert found.find(words("次の文章は、あとの問いに答えなさいと言う。"), 1, 0) is None


def test_find_is_a_plain_search(tmp_path: Path) -> None:
    """On texts of few words, so that runs are common, repeated and of several lengths."""
    chance = random.Random(5)

    def text(length: int) -> list[str]:
        return [chance.choice("abcd") for _ in range(length)]

    examples = [text(chance.choice([7, 8, 9, 10, 11, 12, 20, 40])) for _ in range(30)]
    found = evaluation(tmp_path, *map(" ".join, examples), ngram=10)
    runs: dict[tuple[str, ...], int] = {}
    for number, example in enumerate(examples, 1):
        size = min(10, len(example))
        if size >= 8:
            for at in range(len(example) - size + 1):
                runs.setdefault(tuple(example[at : at + size]), number)
    assert {len(run) for run in runs} == {8, 9, 10} == set(found.sizes)
    outcomes = set()
    for _ in range(300):
        document = text(chance.randrange(30))
        for _ in range(chance.randrange(4)):
            document += text(chance.randrange(12)) + chance.choice(examples)[: chance.randrange(6, 30)]
        here = [
            (at, at + size, tuple(document[at : at + size]))
            for size in (8, 9, 10)
            for at in range(len(document) - size + 1)
            if tuple(document[at : at + size]) in runs
        ]
        hits, window = chance.choice([1, 2, 3, 6]), chance.choice([0, 10, 12, 15, 30])
        spans = [
            sorted((s, e, run) for s, e, run in here if e <= stop and (not window or s >= stop - window))
            for stop in (range(len(document) + 1) if window else [len(document)])
        ]
        best = max(spans, key=lambda span: len({run for *_, run in span}))  # the first of equals
        most, first = len({run for *_, run in best}), best[0][2] if best else ()
        hit = found.find([word.encode() for word in document], hits, window)
        assert (hit is not None) == (most >= hits)
        outcomes.add((hit is not None, hits))
        if hit:
            assert hit.count == most
            assert hit.words.split() == list(first)
            assert runs[first] == int(hit.name.rsplit(":", 1)[1])
    assert outcomes == {(found, hits) for found in (True, False) for hits in (1, 2, 3, 6)}


def test_hits_are_different_runs(tmp_path: Path) -> None:
    found = evaluation(tmp_path, numbered("w", 0, 10), ngram=10)
    again = words(" and ".join([numbered("w", 0, 10)] * 5))
    assert found.find(again, 1, 0) == Hit(found.names[0], 1, numbered("w", 0, 10))
    assert found.find(again, 2, 0) is None


def test_a_window_holds_whole_runs(tmp_path: Path) -> None:
    found = evaluation(tmp_path, numbered("a", 0, 10), numbered("b", 0, 10), ngram=10)
    page = words(f"{numbered('x', 0, 5)} {numbered('a', 0, 10)} {numbered('y', 0, 7)} {numbered('b', 0, 10)} end")
    assert found.find(page, 2, 26) is None
    assert found.find(page, 2, 27) == Hit(found.names[0], 2, numbered("a", 0, 10))
    assert found.find(page, 2, 0) == found.find(page, 2, 27)


def test_the_densest_span_is_told(tmp_path: Path) -> None:
    found = evaluation(tmp_path, numbered("a", 0, 10), numbered("b", 0, 12), ngram=10)
    page = words(f"{numbered('a', 0, 10)} {numbered('y', 0, 50)} {numbered('b', 0, 12)} end")
    assert found.find(page, 1, 20) == Hit(found.names[1], 3, numbered("b", 0, 10))
    assert found.find(page, 4, 0) == Hit(found.names[0], 4, numbered("a", 0, 10))


def test_a_run_that_begins_before_the_span_is_not_told_as_its_first(tmp_path: Path) -> None:
    """Runs of two lengths: the long one ends last although it begins first."""
    short = numbered("w", 2, 10)
    found = evaluation(tmp_path, numbered("w", 0, 13), short, ngram=13)
    assert found.find(words(numbered("w", 0, 13)), 1, 13) == Hit(found.names[0], 2, numbered("w", 0, 13))
    assert found.find(words(numbered("w", 1, 13)), 1, 13) == Hit(found.names[1], 1, short)


@pytest.mark.parametrize(("length", "used"), [(7, False), (8, True), (12, True), (13, True)])
def test_short_examples_are_matched_whole_from_eight_words_on(tmp_path: Path, length: int, used: bool) -> None:
    text = numbered("s", 0, length)
    found = evaluation(tmp_path, QUESTION, text)
    hit = found.find(words(f"before {text} after"), 1, 0)
    assert hit == (Hit(found.names[1], 1, text) if used else None)
    assert found.find(words(numbered("s", 0, length - 1)), 1, 0) is None  # not all of it


def test_runs_shorter_than_eight_are_allowed_where_asked_for(tmp_path: Path) -> None:
    found = evaluation(tmp_path, "one two three four five", "one two three four", ngram=5)
    assert found.sizes == (5,)
    assert found.find(words("zero one two three four five"), 1, 0) == Hit(found.names[0], 1, "one two three four five")


@pytest.mark.parametrize(("hits", "window"), [(0, 0), (1, -1), (1, 12)])
def test_what_cannot_be_found_is_refused(tmp_path: Path, hits: int, window: int) -> None:
    with pytest.raises(ConfigError, match="1 hit or more, and a window of 0 or at least the 13 words"):
        evaluation(tmp_path, QUESTION).find(words(INNOCENT), hits, window)


def test_files_directories_globs_and_nested_strings(tmp_path: Path) -> None:
    a, b, c, d, e = (numbered(f"{name}x", 0, 14) for name in "abcde")
    question = write(tmp_path / "set" / "a.jsonl", {"q": a, "n": 3, "choices": {"text": [[b], None]}}, "", c)
    zipped = write(tmp_path / "set" / "deep" / "b.jsonl.gz", {"q": d})
    plain = tmp_path / "set" / "c.txt"
    plain.write_text("\ufeff" + e.replace(" ", "\n"), "utf-8")
    (tmp_path / "set" / "README.md").write_text(QUESTION)

    def owners(*paths: str) -> list[str | None]:
        found = load(paths, 13)
        hits = [found.find(words(f"x {text} y"), 2, 0) for text in (a, b, c, d, e, QUESTION)]
        return [hit.name if hit else None for hit in hits]

    everything = [f"{question}:1", f"{question}:1", f"{question}:3", f"{zipped}:1", f"{plain}:1", None]
    assert owners(str(tmp_path / "set")) == everything
    assert owners(str(plain), question, zipped) == everything
    assert len(load((str(tmp_path / "set"),), 13).names) == 4  # two examples are of one line
    assert owners(str(tmp_path / "**" / "*")) == everything
    assert owners(str(tmp_path / "set" / "*")) == [*everything[:3], None, everything[4], None]
    assert owners(str(tmp_path / "set" / "deep" / "*.gz"), zipped) == [None, None, None, f"{zipped}:1", None, None]


def test_remote_files_are_listed_and_read_by_beam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(write(tmp_path / "a.jsonl", QUESTION)).read_bytes()
    listed = {"gs://b/*": [("gs://b/a.jsonl", 1), ("gs://b/README", 1)], "gs://b/none": [], "gs://b/none/**": []}
    monkeypatch.setattr(files, "listing", listed.__getitem__)
    monkeypatch.setattr(files, "contents", lambda path: path)
    monkeypatch.setattr(files, "read_bytes", {"gs://b/a.jsonl": data}.__getitem__)
    hit = load(("gs://b/*",), 13).find(words(QUESTION), 1, 0)
    assert hit is not None
    assert hit.name == "gs://b/a.jsonl:1"
    with pytest.raises(ConfigError, match="no evaluation texts at gs://b/none"):
        load(("gs://b/none",), 13)


def test_the_first_example_with_a_run_owns_it_and_files_are_read_once(tmp_path: Path) -> None:
    text = numbered("w", 0, 14)
    path = write(tmp_path / "a.jsonl", {"q": text}, {"q": text}, {"q": INNOCENT})
    found = load((path, str(tmp_path)), 13)
    assert found.find(words(text), 1, 0) == Hit(f"{path}:1", 2, numbered("w", 0, 13))
    assert len(found.names) == 3
    assert np.array_equal(found.hashes, np.unique(found.hashes))
    assert load((path, str(tmp_path)), 13) is found


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.jsonl", b'{"q": "a"}\n\n{"q": ', "{path}:3 is not JSON: "),
        ("e.jsonl", b'{"q": "a"}\n"\xff"', "{path}:2 is not JSON: "),
        ("e.txt", b"abc \xff", "evaluation text {path} is not UTF-8: invalid start byte at byte 4"),
        ("e.jsonl.gz", b"plain", "{path}:1 is not JSON: "),
        ("e.jsonl.gz", gzip.compress(b"x" * 999, mtime=0)[:-9], "cannot read evaluation text {path}: "),
        ("e.csv", b"a,b", "evaluation texts are .txt, .jsonl, .jsonl.gz files: there is none at {path}"),
        (
            "e.jsonl",
            b'{"q": "seven words are not enough for this"}\n[1]',
            "no evaluation text of at least 8 words in {path}",
        ),
        ("e.txt", b"", "no evaluation text of at least 8 words in {path}"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_a_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError) as told:
        load((str(path),), 13)
    assert str(told.value).startswith(message.format(path=path))
    assert "\n" not in str(told.value)


def test_what_is_wrong_with_a_path_is_said(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.jsonl")
    for path in (missing, str(tmp_path / "*.txt"), str(tmp_path)):
        with pytest.raises(ConfigError) as told:
            load((path,), 13)
        assert str(told.value) == f"no evaluation texts at {path}"
    with pytest.raises(ConfigError, match=r"nosuch://a.txt: there is no file system"):
        load(("nosuch://a.txt",), 13)
    with pytest.raises(ConfigError, match="in no paths"):
        load((), 13)
    with pytest.raises(ConfigError, match="1 word or more, not 0"):
        load((missing,), 0)
