"""C4's bad words: the rule of its code, by language, over lists as LDNOOBW has them."""

import random
import re
from pathlib import Path

import pytest

from weft.schemas.parameters import ConfigError, PageRules
from weft.transforms.extract import bad_words, language
from weft.transforms.extract.page import extract_html

# As tests of C4's own code have it, with a word of more languages and such as hold what is no letter.
EN = ("ass", "bad word", "2 bad", "b@d", "@$$", "über_bad", "naïve", "İ")


@pytest.fixture
def lists(tmp_path: Path) -> str:
    home = tmp_path / "lists"
    home.mkdir()
    (home / "en").write_bytes(b"\xef\xbb\xbf" + "\r\n".join((*EN, "", "ass")).encode())
    (home / "es.txt").write_text("culo\n")
    (home / "fr-CA-u-sd-caqc").write_text("mauvais\n")
    (home / "ja").write_text("sm\n悪い\n")
    (home / "README.md").write_text("ass\n")
    (home / "LICENSE").write_text("culo\n")
    return str(home)


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("I asked my friend for assistance polishing my cutlass.", "en", ""),
        ("He took the saddle and put it on his ass in preparation for travel.", "en", "ass"),
        ("Ass is one of several species of small, horse-like animals.", "en", "ass"),
        ('Donkey is one synonym for the word "ass".', "en", "ass"),
        ("Ass is not a bad word in Spanish.", "es", ""),
        ("Culo is though.", "es", "culo"),
        ("Ass and culo and mauvais are none in German.", "de", ""),
        ("Très mauvais", "fr", "mauvais"),
        ("A BAD  WORD", "en", ""),  # two blanks
        ("so, BAD WORD", "en", "bad word"),
        ("a bad\nword", "en", ""),
        ("an ass_ or ass1", "en", ""),
        ("@$$", "en", "@$$"),
        ("a@$$", "en", ""),
        ("とても悪いです", "ja", "悪い"),
        ("smと女の子", "ja", ""),  # allowed there
        ("", "en", ""),
    ],
)
def test_a_word_of_the_page_s_language_is_found_where_it_stands_by_itself(
    lists: str, text: str, language: str, found: str
) -> None:
    assert bad_words.find(text, language, (lists,)) == found


def test_it_finds_what_c4_s_expression_finds(lists: str) -> None:
    expression = re.compile(rf"(?:\W|^)({'|'.join(map(re.escape, EN))})(?:\W|$)")
    dice, hits = random.Random(0), 0
    pieces = [*EN, "good", "Ass", "BAD WORD", " ", " ", "\n", ".", "_", "-", "é", "1", "@", "İ", "ß"]
    for _ in range(5_000):
        text = "".join(dice.choice(pieces) for _ in range(dice.randrange(1, 9)))
        theirs = expression.search(text.lower()) is not None
        assert bool(bad_words.find(text, "en", (lists,))) == theirs, text
        hits += theirs
    assert 500 < hits < 4_500


def test_a_page_goes_for_the_text_that_the_rules_on_lines_leave(lists: str) -> None:
    said = "The barn stands on the hill above the river, and its doors are painted red each spring. " * 4

    def reason(html: str, **more) -> tuple[str, str]:
        fate = extract_html(
            f"<main><h1>Barns</h1><p>{said}</p>{html}<p>{said}</p></main>", "http://a.test/", PageRules(**more)
        ).fates[0]
        return fate.reason, fate.detail if fate.reason else ""

    line = "<p>Say ass here</p>"
    assert reason(line, bad_words=(lists,)) == ("bad_words", "ass")
    assert reason(line) == reason("", bad_words=(lists,)) == ("", "")
    assert reason(line, bad_words=(lists,), c4="code") == ("", "")  # the line ends in no mark
    assert reason("<p>Say ass, he said, and laughed at it.</p>", bad_words=(lists,), c4="code") == ("bad_words", "ass")


def test_lists_and_directories_of_them_are_one(lists: str, tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("awful\n")
    both = (lists, str(tmp_path / "en.txt"))
    assert [bad_words.find(word, "en", both) for word in ("ass", "awful", "fine")] == ["ass", "awful", ""]
    assert bad_words.contents(both) == bad_words.contents(both[::-1]) != bad_words.contents(both[:1])


def test_what_is_no_list_is_one_line(lists: str, tmp_path: Path) -> None:
    (tmp_path / "words.list").write_text("awful\n")
    (tmp_path / "de").write_text("# nothing\n")
    (tmp_path / "it").write_bytes(b"\xff\xfe\xff")
    for name, told in (
        ("words.list", "named by its language"),
        ("none", "no list at"),
        ("de", "no word"),
        ("it", "read"),
    ):
        with pytest.raises(ConfigError, match=f"extract.bad_words.*{told}"):
            bad_words.load((str(tmp_path / name),))


def test_a_list_is_of_the_language_that_texts_are_found_to_be_in(tmp_path: Path) -> None:
    """LDNOOBW's `fil` is lid.176's tl; in Kabyle and Klingon no text is ever found to be."""
    for name in ("fil", "kab", "tlh", "de.txt"):
        (tmp_path / name).write_text("zounds\n")
    rules = PageRules(bad_words=(str(tmp_path),))
    assert bad_words.unasked(rules) == ["kab", "tlh"]
    text = "Ang aming kamalig ay pula at luma, at ang bubong nito ay kailangang ayusin ngayong tag-init. Zounds."
    assert bad_words.find(text, language.identify(text)[0], rules.bad_words) == "zounds"
