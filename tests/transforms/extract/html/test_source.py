"""A page's source without what holds no text, and with its formulas as text."""

import pytest

from weft.transforms.extract.html import extract
from weft.transforms.extract.html.parser import written
from weft.transforms.extract.html.source import without_raw


def read(body):
    """(text of the body without tags, JSON-LD, drawings)."""
    import re

    json_ld, drawings = [], []
    made = without_raw(written(body), json_ld, drawings)
    text = re.sub(r"<[^>]*>", "", made[made.index("<body") :])
    return text.strip(), json_ld, drawings


ANNOTATED = (
    '<math{}><semantics><mi>x</mi><annotation encoding="application/x-tex">{{\\displaystyle x^{{2}}&lt;3}}'
    "</annotation></semantics></math>"
)
WIKIPEDIA = (
    '<span class="mwe-math-element"><span style="display: none;">' + ANNOTATED.format("") + "</span>"
    '<img src="/api/math/render/svg/1" class="mwe-math-fallback-image-inline" alt="{\\displaystyle x^{2}&lt;3}"></span>'
)
KATEX = (
    '<span class="katex"><span class="katex-mathml">' + ANNOTATED.format("") + "</span>"
    '<span class="katex-html" aria-hidden="true"><span>x</span><span>2</span></span></span>'
)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("a<script>if (a<b) c()</script>b<!-- c --><style>d</style>", "ab"),
        (f"is {ANNOTATED.format('')} so", "is $x^{2}&lt;3$ so"),
        (f"is {ANNOTATED.format(' display=block')} so", "is $$x^{2}&lt;3$$ so"),
        ('is <math alttext="\\alpha_1"><mi>q</mi></math>', r"is $\alpha_1$"),
        ('is <math alttext="\\alpha_1" data-x2="see alttext is b"><mi>q</mi></math>', r"is $\alpha_1$"),
        ("is <math><msup><mi>x</mi><mn>2</mn></msup></math>", "is $x^2$"),
        (WIKIPEDIA, "$x^{2}&lt;3$"),
        (f"is {KATEX} so", "is $x^{2}&lt;3$ so"),
        (f'<span class="katex-display">{KATEX}</span> so', "$$x^{2}&lt;3$$ so"),
        ('a <script type="math/tex">x_1</script> b', "a $x_1$ b"),
        ('<span class="MathJax_Preview">x1</span><span class="MathJax"><nobr>x<span>1</span></nobr></span>'
         '<script type="math/tex; mode=display">% <![CDATA[ x_1<y %]]></script>', "$$x_1&lt;y$$"),
        ('<mjx-container class="MathJax" display="true"><mjx-math>q</mjx-math><mjx-assistive-mml><math><mi>x</mi></math>'
         "</mjx-assistive-mml></mjx-container> b", "$$x$$ b"),
        ("<d-math>\\frac{a}{b}</d-math> <d-math block>x</d-math>", r"$\frac{a}{b}$ $$x$$"),
        ('<img src="https://s0.wp.com/latex.php?latex=x%5E2&bg=f" alt="x^2" class="latex">', "$x^2$"),
        ('<img src="//latex.codecogs.com/gif.latex?\\frac{a}{b}&amp;space;c">', r"$\frac{a}{b}&amp;space;c$"),
        ('<img class="tex" alt="\\sqrt{2}" src=a.png>', r"$\sqrt{2}$"),
        ('<img class="math-teacher" alt="A teacher" src=a.png>', ""),
        (r"\(x^2\) stays", r"\(x^2\) stays"),
        (r'<span class="math inline">\(F\)</span>-values', "$F$-values"),  # pandoc
        (r'<span class="math display">\[a &lt; b\]</span>', "$$a &lt; b$$"),
        ('<div class="math notranslate nohighlight" id="e"><span class="eqno">(1)<a class="headerlink" href="#e">#</a></span>'
         r"\[\sum_i x_i\]</div>", r"$$\sum_i x_i$$"),  # Sphinx
        ('<span class="math teacher">He <b>teaches</b> sums</span>', "He teaches sums"),
        ('<span class="math inline">x<script>y</script></span>', "x"),
        ("<math><mtext></mtext></math>b", "b"),
    ],
)  # fmt: skip
def test_formulas_are_latex(body, text):
    assert read(body)[0] == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("10<sup>5</sup>, 10<sup>-5</sup>, 5 km<sup>2</sup>", "10^5, 10^-5, 5 km^2"),
        ("<i>x</i><sup>n</sup> and <i>x</i><sub>i</sub>", "x^n and x_i"),
        ("Ca<sup>2+</sup>, CO<sub>2</sub>, Al<sub>2</sub>(SO<sub>4</sub>)<sub>3</sub>", "Ca^2+, CO2, Al2(SO4)3"),
        ("the 1<sup>st</sup>, XIX<sup>e</sup>, Brand<sup>TM</sup>", "the 1st, XIXe, BrandTM"),
        ("as shown<sup>1</sup> in 1990<sup><a href=#1>[2]</a></sup>", "as shown1 in 1990"),
        ("<sup>14</sup>C and 5 <sup>2</sup>", "14C and 5 2"),
    ],
)
def test_powers_and_indices_are_told_and_notes_are_not(body, text):
    assert read(body)[0] == text


def test_the_image_of_a_formula_is_an_occurrence_and_no_image():
    assert read(WIKIPEDIA + "<svg><path></svg>")[2] == ["/api/math/render/svg/1", ""]
    made = extract(f"<p>So {WIKIPEDIA} holds.<svg></svg><img src=b.png>", "http://h.test/", False)
    assert made.texts[0] == "So $x^{2}<3$ holds." and made.images[1] == "http://h.test/b.png"
    assert [o.reason for o in made.occurrences] == ["formula", "svg_inline", ""]
    assert made.occurrences[0].url == "http://h.test/api/math/render/svg/1"


def test_json_ld_is_handed_over():
    assert read('<script type="application/ld+json">{"a": 1}</script>x')[:2] == ("x", ['{"a": 1}'])


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "body",
    [
        "<math>" * 20_000 + "x",
        '<span class="katex-html">' * 10_000 + "x",
        "<math><mrow>" + "<mrow>" * 20_000 + "<mi>x",
        "<span class=katex-html><math>" * 20_000,
        '<p>x<sup>2</sup>' * 10_000,
        '<img class="tex" alt="x^2" src=a>' * 10_000,
        "<script type=math/tex>" * 10_000,
        "<d-math>" * 10_000,
        "x" + "<i>" * 5_000 + "y" + "</i><sup>2</sup>" * 5_000,
    ],
    ids=lambda body: body[:16],
)  # fmt: skip
def test_hostile_formulas_end(body):
    read(body)
