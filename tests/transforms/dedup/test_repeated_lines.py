"""Keys and cutting on texts written out; the Beam transform against a plain reference on random documents."""

import random
from collections import Counter, defaultdict
from functools import reduce

import apache_beam as beam
import pytest
import xxhash
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.schemas.parameters import ConfigError, RepeatedLineRules
from weft.transforms.beam import hot_keys
from weft.transforms.dedup.repeated_lines import (
    Keyed,
    RepeatedLines,
    Unit,
    _count_and_first,
    cut,
    line_key,
    line_keys,
    lines,
)

TEXTS = ["Menu\n\nA first.\nA second.", None, "", "\n\nB first.  \n \n\nB second.\n", None, "C"]


def test_lines_and_paragraphs_are_numbered_through_all_texts() -> None:
    assert lines(TEXTS, "line") == ["Menu", "A first.", "A second.", "B first.  ", "B second.", "C"]
    assert lines(TEXTS, "paragraph") == ["Menu", "A first.\nA second.", "B first.  ", "B second.", "C"]
    assert lines([None, "", " \n\n\t"], "line") == lines([], "paragraph") == []


@pytest.mark.parametrize("unit", ["line", "paragraph"])
def test_keys_are_those_of_the_lines_in_order(unit: Unit) -> None:
    assert line_keys(TEXTS, unit) == [line_key(line) for line in lines(TEXTS, unit)]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("We use cookies!", "  we USE\tcookies "),
        ("“Don’t” — share", "don t share"),
        ("当サイトはCookieを使用します。", "当サイトはcookieを使用します"),
        ("ＡＢＣ", "abc"),
    ],
)
def test_key_folds_case_space_and_punctuation(one: str, two: str) -> None:
    assert line_key(one) == line_key(two)
    assert len(line_key(one)) == 16


def test_what_frames_markdown_is_no_line_that_repeats() -> None:
    text = "> ```python\nx = 1\n```\n| Year | Barns |\n| --- | --- |\n| 1890 | 12 |"
    keys = [bool(key) for key in line_keys([text], "line")]
    assert keys == [False, True, False, False, False, True]


def test_key_tells_words_apart() -> None:
    different = [
        "we use cookies",
        "cookies we use",
        "we usecookies",
        "we use",
        "使用",
        "用使",
        "über",
        "uber",
        "1",
        "2",
    ]
    assert len({line_key(line) for line in different}) == len(different)
    assert line_key("* * *") == line_key("") == line_key("—") == b""


@pytest.mark.parametrize(
    ("text", "dropped", "left"),
    [
        ("a\nb\nc", {1}, "a\nc"),
        ("a\nb\nc", {0}, "b\nc"),
        ("a\nb\nc", {2}, "a\nb"),
        ("a\nb\nc", {0, 1, 2}, ""),
        ("a\n\nb\n\nc", {1}, "a\n\nc"),  # no run of blank lines where a paragraph was
        ("a\nb\n\nc", {1}, "a\n\nc"),  # the paragraphs stay two
        ("a\n\nb\nc", {1}, "a\n\nc"),
        ("\n\na\n\n\n\nb\nc\n\n", {2}, "a\n\nb"),
        ("\n\na\n\n\n\nb\nc\n\n", {7}, "\n\na\n\n\n\nb\nc\n\n"),  # untouched stays as it is
        ("  a\n  b \nc", {2}, "  a\n  b "),  # indentation is the text's own
        ("甲。\n乙。\n丙。", {1}, "甲。\n丙。"),
    ],
)
def test_cut_lines(text: str, dropped: set[int], left: str) -> None:
    assert cut([text], dropped, "line") == [left]


def test_cut_paragraphs_whole() -> None:
    text = "a\nb\n\nc\nd\n \n\ne"
    assert cut([text], [1], "paragraph") == ["a\nb\n\ne"]
    assert cut([text], [0], "paragraph") == ["c\nd\n\ne"]
    assert cut([text], [2], "paragraph") == ["a\nb\n\nc\nd"]


@pytest.mark.parametrize("unit", ["line", "paragraph"])
def test_cut_keeps_places(unit: Unit) -> None:
    pieces = lines(TEXTS, unit)
    everything = range(len(pieces))
    assert cut(TEXTS, everything, unit) == ["", None, "", "", None, ""]
    assert cut(TEXTS, [], unit) == TEXTS
    for number in everything:
        left = cut(TEXTS, [number], unit)
        assert [text is None for text in left] == [text is None for text in TEXTS]
        assert lines(left, unit) == pieces[:number] + pieces[number + 1 :]


def test_cut_random_documents_leave_exactly_the_other_lines() -> None:
    chance = random.Random(1)
    for _ in range(300):
        texts = [
            None
            if chance.random() < 0.3
            else "\n".join(chance.choice(["", "", " ", "x y", "z", "--"]) for _ in range(8))
            for _ in range(4)
        ]
        for unit in ("line", "paragraph"):
            pieces = lines(texts, unit)
            gone = {n for n in range(len(pieces)) if chance.random() < 0.4}
            left = cut(texts, gone, unit)
            assert lines(left, unit) == [piece for n, piece in enumerate(pieces) if n not in gone]
            for text, before in zip(left, texts, strict=True):
                assert (text is None) == (before is None)
                assert text == before or (text == text.strip("\n") and "\n\n\n" not in text and "\n \n" not in text)


def order(doc_id: str) -> tuple[int, str]:
    return xxhash.xxh3_64_intdigest(doc_id.encode()), doc_id


def reference(documents: list[Keyed], once: bool, per_host: int) -> dict[str, list[int]]:
    """The rules, said plainly and in memory."""
    everywhere: dict[bytes, set[str]] = defaultdict(set)
    on_host: dict[tuple[str, bytes], set[str]] = defaultdict(set)
    for doc_id, (host, keys) in documents:
        for key in keys:
            everywhere[key].add(doc_id)
            on_host[host, key].add(doc_id)
    owner = {key: min(docs, key=order) for key, docs in everywhere.items()}
    dropped = {}
    for doc_id, (host, keys) in documents:
        numbers = [
            n
            for n, key in enumerate(keys)
            if key
            and (
                (once and (owner[key] != doc_id or key in keys[:n]))
                or (per_host and host and len(on_host[host, key]) >= per_host)
            )
        ]
        if numbers:
            dropped[doc_id] = numbers
    return dropped


def run(documents: list[Keyed], once: bool, per_host: int, expected: dict[str, list[int]]) -> None:
    with beam_options.pipeline((), 1) as p:
        dropped = p | beam.Create(documents).with_output_types(Keyed) | RepeatedLines(RepeatedLineRules(once, per_host))
        assert_that(dropped, equal_to(list(expected.items())))


def random_documents(seed: int) -> list[Keyed]:
    """Documents of a few hosts and none, whose lines come from a common pool, a host's pool and nowhere else."""
    chance = random.Random(seed)
    documents = []
    for n in range(60):
        host = chance.choice(["a.example", "b.example", "c.example", ""])
        keys = [
            chance.choice(
                [
                    b"",
                    line_key(f"common {chance.randrange(20)}"),
                    line_key(f"{host} {chance.randrange(9)}"),
                    line_key(f"{n} {at}"),
                ]
            )
            for at in range(chance.randrange(12))
        ]
        documents.append((f"doc{n:02}", (host, keys)))
    return documents


@pytest.mark.parametrize(("once", "per_host"), [(True, 0), (False, 3), (True, 3), (False, 2), (False, 0)])
def test_beam_is_the_reference_in_any_order(once: bool, per_host: int) -> None:
    documents = random_documents(7)
    expected = reference(documents, once, per_host)
    assert bool(expected) == (once or per_host > 0)
    run(documents, once, per_host, expected)
    random.Random(8).shuffle(documents)
    run(documents, once, per_host, expected)


def doc(doc_id: str, host: str, *texts: str) -> Keyed:
    return doc_id, (host, [line_key(text) for text in texts])


def test_once_leaves_one_document_its_first_occurrence() -> None:
    documents = [doc(name, "h", f"own {name}", "shared", "***", "shared", "***") for name in ("one", "two", "three")]
    owner = min(("one", "two", "three"), key=order)
    run(documents, True, 0, {name: [3] if name == owner else [1, 3] for name in ("one", "two", "three")})


def test_once_drops_repeats_inside_a_document_that_shares_nothing() -> None:
    run([doc("one", "h", "a", "b", "A!", "c"), doc("two", "h", "d")], True, 0, {"one": [2]})


def test_per_host_counts_documents_of_one_host_and_spares_repeats_inside_one() -> None:
    documents = [
        doc("1", "h", "menu", "menu", "menu"),
        doc("2", "h", "menu", "tip"),
        doc("3", "g", "menu", "tip"),  # two documents of a host and one of another are not three of one
        doc("4", "h", "x", "menu"),
        doc("5", "", "y"),
        doc("6", "", "y"),
        doc("7", "", "y"),  # without a host
    ]
    run(documents[:3], False, 3, {})
    run(documents, False, 3, {"1": [0, 1, 2], "2": [0], "4": [1]})


def test_both_rules_may_leave_a_line_nowhere() -> None:
    ids = sorted(map(str, range(4)), key=order)  # the first one owns the line
    documents = [doc(name, "h" if n < 2 else f"g{n}", f"own {name}", "menu") for n, name in enumerate(ids)]
    run(documents, False, 2, {ids[0]: [1], ids[1]: [1]})
    run(documents, True, 0, {name: [1] for name in ids[1:]})
    run(documents, True, 2, {name: [1] for name in ids})


def test_counts_and_firsts_fold_to_the_same_however_workers_share_the_documents() -> None:
    ids = [f"d{n}" for n in range(40)]
    chance = random.Random(2)
    for workers in (1, 2, 5, 40):
        chance.shuffle(ids)
        shares = [ids[n::workers] for n in range(workers)]
        folded = [reduce(_count_and_first, [(1, doc_id) for doc_id in share]) for share in shares]
        assert reduce(_count_and_first, folded) == (40, min(ids, key=order))


@pytest.mark.parametrize("per_host", [-1, 1])
def test_a_count_that_makes_no_sense_is_refused(per_host: int) -> None:
    with pytest.raises(ConfigError, match="from 2 documents on"):
        RepeatedLines(RepeatedLineRules(True, per_host))


@pytest.mark.parametrize(("once", "per_host"), [(True, 0), (False, 15_000)])
def test_a_line_of_very_many_documents_is_split(once: bool, per_host: int, monkeypatch: pytest.MonkeyPatch) -> None:
    count, placed = 20_000, Counter()
    part_of = hot_keys.part_of

    def spy(member: str, parts: int) -> int:
        placed[part_of(member, parts)] += 1
        return part_of(member, parts)

    monkeypatch.setattr(hot_keys, "part_of", spy)
    cookies, few = line_key("We use cookies"), line_key("in three documents")
    documents: list[Keyed] = [(f"d{n}", ("h", [line_key(f"own {n}"), cookies] + [few] * (n < 3))) for n in range(count)]
    expected = reference(documents, once, per_host)
    with beam_options.pipeline((), 1) as p:
        found = (
            p
            | beam.Create(documents).with_output_types(Keyed)
            | RepeatedLines(RepeatedLineRules(once, per_host))
            | beam.combiners.ToList()
        )
        assert_that(
            found | beam.Map(lambda rows: dict(rows) == expected and len(rows) == len(expected)), equal_to([True])
        )
    assert len(expected) == count - once
    assert placed.total() == count  # the common line's documents and no others
    assert set(placed) == set(range(5))
    assert max(placed.values()) < 1.2 * hot_keys.MOST
