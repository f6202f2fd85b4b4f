"""Lines with their Markdown beside them: what rules leave of the plain text decides what is written."""

from weft.transforms.extract.html.marked import CODE, ROW, Block, Line, kept, written


def heading():
    return Line("Barns", "# Barns", Block())


def code():
    block = Block(CODE, info="python")
    return [Line("x = 1", "x = 1", block), Line("", "", block), Line("y = 2", "y = 2", block)]


def rows():
    made = []
    for text in ("a | b", "1 | 2", "3 | 4"):
        block = Block(ROW, 1)
        block.columns = 2
        made.append(Line(text, f"| {text} |", block))
    return made


BLANK = Line("")


def test_frames_are_written_around_what_is_left():
    lines = [heading(), BLANK, *code(), BLANK, *rows()]
    assert written(lines) == (
        "# Barns\n\n```python\nx = 1\n\ny = 2\n```\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"
    )
    left = [None, None, None, None, "y = 2", None, None, "1 | 2", "3 | 4"]
    assert written(kept(lines, left)) == "```python\ny = 2\n```\n\n| 1 | 2 |\n| --- | --- |\n| 3 | 4 |"
    assert [line.plain for line in kept(lines, left)] == ["y = 2", "1 | 2", "3 | 4"]
    assert written(kept(lines, [None] * 9)) == ""


def test_a_line_that_was_shortened_is_plain():
    line = Line("It is red [1].", "It is **red** [1].", Block())
    assert written(kept([line], ["It is red ."])) == "It is red ."
    assert written(kept([line], [" It is red [1]."])) == "It is **red** [1]."
    assert written(kept(rows(), ["a | b", "1 |", None])) == "| a | b |\n| --- | --- |\n| 1 | |"


def test_a_block_that_is_whole_or_nothing_goes_with_its_first_line():
    block = Block()
    block.size = 2
    lines = [Line("A", "## A B", block), Line("B", None, block)]
    assert written(lines) == "## A B" and written(kept(lines, ["A", None])) == ""


def test_code_with_fences_has_longer_ones():
    assert written([Line("```", "```", Block(CODE))]) == "````\n```\n````"
