"""Every step of a page takes time in the page's length, on the page that is the worst for it; what does not is bounded.

What grows faster than its input is told by the ratio of CPU times of two sizes, 1 to 8, measured again before it counts.
"""

from collections.abc import Collection

import pytest
from hostile_pages import PAGES, SENTENCE, costs

from weft.transforms.extract import html, personal, second_opinion, tokens
from weft.transforms.extract.html import limits

SMALL, LARGE = 2_000, 16_000  # characters
NOISE = 0.004  # seconds of CPU: below it nothing is said of how time grows
GROWTH = 24  # of time while the input grows eightfold; quadratic is 64
PROCESS_S = 0.5  # what is the start of a process


def superlinear(name: str, rounds: int = 5) -> dict[str, str]:
    """What takes more than `GROWTH` times as long, by the least times of up to so many rounds: a load only adds to them."""
    small, large = PAGES[name](SMALL), PAGES[name](LARGE)
    few: dict[str, float] = {}
    many: dict[str, float] = {}
    found: dict[str, str] = {}
    for _ in range(rounds):
        for least, text in ((few, small), (many, large)):
            least |= {step: min(spent, least.get(step, spent)) for step, spent in costs(text).items()}
        found = {
            step: f"{few.get(step, 0.0):.4f} s, then {spent:.4f} s"
            for step, spent in many.items()
            if spent - PROCESS_S * ("apart" in step) > max(NOISE, GROWTH * max(few.get(step, 0.0), NOISE / 8))
        }
        if not found:
            break
    return found


def test_each_step_takes_time_in_the_length_of_its_worst_page() -> None:
    costs(f"<p>{SENTENCE * 30}")  # loads models
    assert not {name: found for name in PAGES if (found := superlinear(name))}


@pytest.mark.parametrize("unit", ["(", "a.B", "'s", ").", "a@a.", "..a", "-a"])
def test_a_word_is_taken_apart_in_time_in_its_length(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in characters that the pattern for what stands behind is let look at."""
    looked: list[int] = []
    real = tokens._patterns()

    class Counted:
        def search(self, text: str, start: int) -> object:
            looked.append(len(text) - start)
            return real.suffix.search(text, start)

    monkeypatch.setattr(tokens, "_patterns", lambda: real._replace(suffix=Counted()))  # type: ignore[arg-type]
    tokens._apart((unit * 500)[:900] + "0")
    assert looked and max(looked) <= tokens._SUFFIX


def test_a_bad_step_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    good = personal.find

    def bad(text: str, kinds: Collection[str] = personal.KINDS) -> list[personal.Found]:
        found = good(text, kinds)
        for _ in range(10):  # next to which what grows as it should is nothing: 64 times as long, not some 26
            found = [one for one in found if all(one == o or one.end <= o.start or o.end <= one.start for o in found)]
        return found

    monkeypatch.setattr(personal, "find", bad)
    # What disturbs all small measurements of a try hides it: a step that is bad is so in one of them.
    assert any(set(superlinear("personal data", 2)) == {"personal data"} for _ in range(5))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<hr>x" * 60_000, "60000 texts and images"),
        ("<x-y></x-y>" * 260_000, "260001 block elements"),
        ("<x-y>" * 6_000 + "x", "6000 block elements in each other"),
    ],
)  # fmt: skip
def test_what_takes_the_steps_after_the_scan_too_much_is_refused(page: str, said: str) -> None:
    with pytest.raises(html.TooComplex, match=said):
        html.extract(page, "http://site.test/")


def test_trafilatura_is_given_no_more_tags_than_a_page_has() -> None:
    with pytest.raises(html.TooComplex, match="tags for trafilatura"):
        second_opinion.read("<ul><li>x</ul>" * (limits.MAX_FOREIGN // 2), "http://site.test/")
