"""A filter of the user's own: found by name, asked of each row, its word a reason, its source known."""

import sys
import zipfile
from pathlib import Path

import pytest

from weft.schemas.parameters import ConfigError, PageRules
from weft.transforms.extract import own_filters
from weft.transforms.extract.page import extract_html

TEXT = "The barn stands on the hill above the river, and its doors are painted red every spring. " * 12
PAGE = f"<main><article><h1>Barns</h1><p>{TEXT}</p><img src=a.jpg alt='A red barn'><p>{TEXT}</p></article></main>"
SOURCE = """
def long_word(row): return "long_word" if any(len(w) > 6 for t in row.texts if t for w in t.split()) else None
def nothing(row): return None
def credit(pair): return "credit" if "red" in pair.text else ""
def verdict(row): return True
def prose(row): return "Too long!"
def broken(row): return row.nosuch
class Rules:
    @staticmethod
    def judge(row): return "by_class"
value = 3
def array(row): import numpy; return numpy.array(["a", "b"])
class Odd:
    def __eq__(self, other): raise RuntimeError("no comparing")
    def __repr__(self): raise RuntimeError("no showing")
def odd(row): return Odd()
def ends(row): raise SystemExit(0)
def refuses(row): from weft import ConfigError; raise ConfigError("two\\nlines")
def empties(row):
    for part in row:
        if isinstance(part, list): part.clear()
"""


@pytest.fixture(autouse=True)
def _forget():
    before = list(sys.path)
    yield
    own_filters.load.cache_clear()
    sys.path[:] = before


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the directory that weft is started in, which no path names."""
    name = f"rules_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return name


def fates(filters: tuple[str, ...] = (), pair_filters: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    found = extract_html(PAGE, "http://a.test/", PageRules(filters=filters, pair_filters=pair_filters))
    assert (found.document is None) == bool(found.fates[0].reason)
    assert len(found.pairs) == sum(fate.kind == "pair" and fate.fate == "kept" for fate in found.fates)
    return [(fate.kind, fate.reason, fate.detail) for fate in found.fates]


def test_the_first_filter_that_drops_a_page_is_its_reason(rules: str) -> None:
    kept = [("page", "", ""), ("image", "", "http://a.test/a.jpg"), ("pair", "", "A red barn")]
    assert fates() == fates((f"{rules}:nothing",)) == kept
    dropped = fates((f"{rules}:nothing", f"{rules}:long_word", f"{rules}:broken"))
    assert dropped == [("page", "filter_long_word", f"{rules}:long_word")]
    assert fates((f"{rules}:Rules.judge",))[0][1] == "filter_by_class"


def test_a_filter_of_pairs_leaves_the_page(rules: str) -> None:
    assert fates(pair_filters=(f"{rules}:credit",)) == [
        ("page", "", ""),
        ("image", "", "http://a.test/a.jpg"),
        ("pair", "filter_credit", "A red barn"),
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("verdict", "gave True for http://a.test/: a reason is made of"),
        ("prose", "gave 'Too long!' for http://a.test/"),
        ("broken", "failed on http://a.test/: AttributeError: 'Document' object has no attribute 'nosuch'"),
        ("array", r"gave array\(\['a', 'b'\].* for http://a.test/"),
        ("odd", "failed on http://a.test/: RuntimeError: no showing"),
        ("ends", "failed on http://a.test/: SystemExit: 0"),
        ("refuses", "failed on http://a.test/: ConfigError: two lines"),
        ("value", "is no function"),
        ("nosuch", "cannot be imported on .*AttributeError"),
    ],
)
def test_what_is_no_filter_or_gives_no_reason_is_one_line(rules: str, name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as raised:
        fates((f"{rules}:{name}",))
    assert f"{rules}:{name}" in str(raised.value) and "\n" not in str(raised.value)


def test_a_module_that_is_not_there_or_does_not_run_is_one_line(rules: str, tmp_path: Path) -> None:
    (tmp_path / f"{rules}_bad.py").write_text("1 / 0")
    (tmp_path / f"{rules}_ends.py").write_text("import sys; sys.exit(0)")
    for name, told in (
        (f"{rules}_none:f", "No module named"), (f"{rules}_bad:f", "ZeroDivisionError"), (f"{rules}_ends:f", "SystemExit: 0")
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=f"{name} cannot be imported on .*{told}.*PYTHONPATH"):
            own_filters.hashes((name,))


def test_a_filter_that_changes_its_row_changes_no_corpus(rules: str) -> None:
    plain = extract_html(PAGE, "http://a.test/", PageRules(filters=(f"{rules}:nothing",)))
    assert plain.document is not None and len(plain.document.texts) > 1
    assert extract_html(PAGE, "http://a.test/", PageRules(filters=(f"{rules}:empties", f"{rules}:nothing"))) == plain


def test_an_entry_point_is_a_name_too(tmp_path: Path, rules: str) -> None:
    told = tmp_path / "own-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(f"[weft.filters]\ncredits = {rules}:credit\n")
    sys.path.append(str(tmp_path))
    assert fates(pair_filters=("credits",))[2] == ("pair", "filter_credit", "A red barn")
    with pytest.raises(
        ConfigError, match=r"debits is neither module:function nor an entry point of the group weft.filters"
    ):
        own_filters.hashes(("debits",))


def test_the_source_of_its_module_tells_one_filter_from_another(rules: str, tmp_path: Path) -> None:
    name = f"{rules}:nothing"
    begun = own_filters.hashes((name,))
    own_filters.check(begun)
    (tmp_path / f"{rules}.py").write_text(SOURCE + "# another\n")
    own_filters.load.cache_clear()  # as on a worker where another was installed
    with pytest.raises(ConfigError, match=f"{name} has another source on "):
        own_filters.check(begun)


def test_a_module_in_a_zip_has_a_source(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "shipped.zip", "w") as zipped:
        zipped.writestr("zipped_rules.py", SOURCE)
    (tmp_path / "zipped_copy.py").write_text(SOURCE)
    sys.path[:0] = [str(tmp_path / "shipped.zip"), str(tmp_path)]
    found = own_filters.hashes(("zipped_rules:nothing", "zipped_copy:nothing"))
    assert len(set(found.values())) == 1


def test_what_has_no_source_is_refused() -> None:
    with pytest.raises(ConfigError, match="have no source"):
        own_filters.hashes(("sys:intern",))
