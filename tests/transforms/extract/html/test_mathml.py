"""Presentation MathML becomes the LaTeX that somebody would write for it."""

import pytest

from weft.transforms.extract.html.mathml import MAX_DEPTH, latex


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ("<mi>x</mi>", "x"),
        ("<msup><mi>x</mi><mn>2</mn></msup>", "x^2"),
        ("<msup><mi>e</mi><mrow><mo>−</mo><mi>x</mi></mrow></msup>", "e^{-x}"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", r"\frac{a+b}{2}"),
        ("<msqrt><mi>a</mi><mi>b</mi></msqrt>", r"\sqrt{ab}"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", r"\sqrt[3]{x}"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>", "x_i^2"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mi>α</mi><mi>b</mi>",
         r"\sum_{i=1}^n\alpha b"),
        ("<mi>sin</mi><mo>\u2061</mo><mi>θ</mi>", r"\sin\theta"),
        ("<mover><mi>x</mi><mo>^</mo></mover>", r"\hat{x}"),
        ("<mover><mrow><mi>A</mi><mi>B</mi></mrow><mo>→</mo></mover>", r"\vec{AB}"),
        ("<munder><mi>lim</mi><mrow><mi>n</mi><mo>→</mo><mi>∞</mi></mrow></munder>", r"\lim_{n\to\infty}"),
        ("<mfenced open='[' close=']'><mi>a</mi><mi>b</mi></mfenced>".replace("'", '"'), r"\left[a, b\right]"),
        ("<mtable><mtr><mtd><mi>a</mi></mtd><mtd><mi>b</mi></mtd></mtr><mtr><mtd><mn>0</mn></mtd><mtd><mn>1</mn></mtd>"
         "</mtr></mtable>", r"\begin{matrix}a & b \\ 0 & 1\end{matrix}"),
        ("<mi>x</mi><mo>&lt;</mo><mtext>if 5% of</mtext>", r"x<\text{if 5\% of}"),
        ('<mi mathvariant="bold">v</mi><mo>∈</mo><mi>ℝ</mi>', r"\mathbf{v}\in\mathbb{R}"),
        ("<msup><mi>f</mi><mo>′</mo></msup>", "f'"),
        ("<semantics><mi>x</mi><annotation-xml><ci>x</ci></annotation-xml></semantics>", "x"),
        ("<mstyle><mpadded><mi>x</mi></mpadded></mstyle><mphantom><mi>y</mi></mphantom>", "x"),
        ("<mrow><mi>x</mi>", "x"),
        ("</mrow></mrow><mi>x</mi></mi>", "x"),
        ("<mfrac><mi>x</mi></mfrac>", "x"),  # one of two is missing
    ],
)  # fmt: skip
def test_each_element(markup, said):
    assert latex(markup) == said


def test_what_nobody_reads_is_no_formula():
    assert latex("<mrow>" * (MAX_DEPTH - 5) + "<mi>x</mi>") == "x"
    assert latex("<mrow>" * 100_000 + "<mi>x</mi>") == ""
    assert latex("<mi>x</mi>" * 10_000) == ""
