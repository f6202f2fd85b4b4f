"""C4's and RefinedWeb's rules on lines: each on both sides, what stays in place, and when the page goes."""

import pytest

from weft.transforms.extract import line_rules

LINE = "This is a sentence of enough words."
FIVE = "\n".join([LINE] * 5)


def c4(text, rules="code"):
    texts, reason, _ = line_rules.apply([FIVE, text], rules, False)
    return reason or texts[1]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (LINE, LINE),
        ("One two three four.", ""),  # 5 words
        ("One two three four five.", "One two three four five."),
        ("No end mark on this line here", ""),
        ("It trails off at the end...", ""),
        ('He said: "this is enough for now"', 'He said: "this is enough for now"'),
        ("Please enable JavaScript to see all this.", ""),
        ("Read the privacy policy of this our site.", ""),
        ("The bridge[12] was built[edit] in that year[citation needed].", "The bridge was built in that year."),
        (f"This line has {'x' * 1001} in it today.", ""),
        (f"{LINE}\nHome\n{LINE}", f"{LINE}\n{LINE}"),
        ("Lorem ipsum dolor sit amet and so on.", "c4_lorem_ipsum"),
        ("function f() { return one or two. }.", "c4_curly_bracket"),
    ],
)
def test_each_of_c4s_rules(text, left):
    assert c4(text) == left


def test_lines_that_are_dropped_for_their_form_do_not_drop_the_page():
    assert c4("{ no end mark") == ""  # the published code looks at the line's form first


@pytest.mark.parametrize(
    ("rules", "text", "left"),
    [
        ("paper", "One two three.", "One two three."),
        ("paper", "One two.", ""),
        ("paper", "Without an end mark", ""),
        ("fineweb", "Without an end mark", "Without an end mark"),
        ("fineweb", "One two", ""),
        ("off", "One {", "One {"),
    ],
)
def test_the_paper_and_fineweb_have_other_bounds(rules, text, left):
    assert c4(text, rules) == left


@pytest.mark.parametrize(("rules", "least"), [("code", 3), ("paper", 5), ("fineweb", 5)])
def test_a_page_has_sentences_enough(rules, least):
    assert line_rules.apply(["\n".join([LINE] * least)], rules, False)[1] == ""
    assert line_rules.apply(["\n".join([LINE] * (least - 1))], rules, False)[1] == "c4_too_few_sentences"
    assert line_rules.apply([" ".join([LINE] * least)], rules, False)[1] == ""  # on one line too


def test_images_keep_their_places():
    texts, reason, _ = line_rules.apply([FIVE, None, "Menu", None, LINE], "code", True)
    assert (texts, reason) == ([FIVE, None, "", None, LINE], "")


LONG = "\n".join([LINE] * 40)  # 280 words, of which one line of 7 is 2.4 %


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("MOSTLY CAPITALS here", ""),
        ("Some CAPITALS in an ordinary line", "Some CAPITALS in an ordinary line"),
        ("12 2024", "12 2024"),  # DCLM: lines of digits alone, which are one word
        ("12 / 2024", "12 / 2024"),
        ("3 likes", ""),
        ("1,204 Followers!", ""),
        ("3 likes were given by friends", "3 likes were given by friends"),
        ("Home", ""),
        ("The rest of it Read more...", "The rest of it"),
        ("The rest of it Read more", "The rest of it Read more"),
        ("Sign-in to see the rest of it", "to see the rest of it"),
        ("two Items in cart", "two"),
        ("first line\n---\n \t\nsecond line", "first line\nsecond line"),  # no word is lost, and no prose
        ("There were many items in cart number nine of the old queue today", None),  # longer than 10 words
        ("first line\n\nsecond line", "first line\n\nsecond line"),
    ],
)
def test_each_of_refinedwebs_rules(text, left):
    texts, reason, _ = line_rules.apply([LONG, text], "off", True)
    assert (texts, reason) == ([LONG, text if left is None else left], "")


def test_a_page_that_loses_too_much_goes():
    assert line_rules.apply([LONG, *["3 likes"] * 6], "off", True)[1] == ""  # 12 of 292 words
    assert line_rules.apply([LONG, *["3 likes"] * 8], "off", True)[1] == "refinedweb_lines"
    assert line_rules.apply([], "off", True) == ([], "", "")


def test_nothing_asked_changes_nothing():
    texts = ["a\n\n  b {", None, "", "C"]
    assert line_rules.apply(texts, "off", False) == (texts, "", "")
