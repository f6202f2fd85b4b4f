"""What a page's markup says of its texts is in their Markdown, and their plain text is the scan's."""

import pytest

from weft.transforms.extract.html import extract
from weft.transforms.extract.html.marked import written


def texts(body, links=False):
    page = extract(body, "http://h.test/d/", False, True, links)
    for text, lines in zip(page.texts, page.marked, strict=True):
        assert "\n".join(line.plain for line in lines) == (text or "")
    return [written(lines) if lines else None for lines in page.marked]


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ("<h1>One</h1><h3>Two <i>three</i></h3>", "# One\n\n### Two three"),
        ("<p>A <b>bold</b> and <em>slanted</em> <code>a|b</code>", "A **bold** and *slanted* `a|b`"),
        ("<p><b>All of it is bold.</b>", "All of it is bold."),
        ("<p>A <b> spaced </b>word, un<b>believ</b>able", "A **spaced** word, un**believ**able"),
        ("<p>A <b><i>both</i></b> and <b>.</b>", "A ***both*** and ."),
        ("<p># no heading<p>``` no fence", "\\# no heading\n\n\\``` no fence"),
        ("<p>A <a href=/x>link</a><span>b</span><span>c</span>", "A link b c"),
        ("<p>A <b>b</b> <a href=/x>link</a><span>, (</span><span>c</span><a>)</a>", "A **b** link, (c)"),
        ("<ul><li>a<ul><li>b<li>c</ul><li><p>d</p><p>e</p></ul>", "- a\n  - b\n  - c\n- d\n\n  e"),
        ("<ol start=9><li>a<li>b<li value=20>c<ul><li>d</ul></ol>", "9. a\n10. b\n20. c\n    - d"),
        ("<ul><li>a</ul><p>b<ul><li>c</ul>", "- a\n\nb\n\n- c"),
        ("<blockquote><p>a</p><p>b<br>c</p><blockquote>d</blockquote></blockquote><p>e",
         "> a\n>\n> b\n> c\n>\n> > d\n\ne"),
        ("<pre>a\n  b\n\nc</pre>", "```\na\n  b\n\nc\n```"),
        ('<pre><code class="language-c++">a</code></pre>', "```c++\na\n```"),
        ('<div class="highlight-python notranslate"><div class="highlight"><pre><span></span><b>def</b> f\n</pre></div></div>',
         "```python\ndef f\n```"),
        ('<pre class="brush: js; gutter: true">a</pre>', "```js\na\n```"),
        ('<pre class="sourceCode r">a</pre>', "```r\na\n```"),
        ('<pre class="EnlighterJSRAW" data-language="php">a</pre>', "```php\na\n```"),
        ("<pre><div class=line>a</div><div class=line><br></div><div class=line>  b</div></pre>", "```\na\n\n  b\n```"),
        ("<pre><ol><li>a<li>  b</ol></pre>", "```\na\n  b\n```"),
        ('<pre><span class="lineno">1</span>a\n<span class="lineno">2</span>b</pre>', "```\na\nb\n```"),
        ("<table class=highlighttable><tr><td class=linenos><pre>1\n2</pre><td class=code><pre>a\n b</pre></table>",
         "```\na\n b\n```"),
        ('<div class="syntaxhighlighter"><table><tr><td class="gutter"><div class="line">1</div><div class="line">2</div>'
         '<td class="code"><div><div class="line"><code>a</code></div><div class="line"><code>&nbsp;b</code></div></div>'
         "</table></div>", "```\na\n b\n```"),
        ("<p><code>a<br>b</code></p>", "```\na\nb\n```"),
        ("<ul><li><pre>a</pre><p>b", "- ```\n  a\n  ```\n\n  b"),
        ("<table><tr><th>a<th>b<tr><td>c|d<td>e <b>f</b><tr><td><td>g</table>",
         "| a | b |\n| --- | --- |\n| c\\|d | e **f** |\n|  | g |"),
        ("<table><tr><th>a<th>b<tr><td><p>c<p>d<td><ul><li>e<li>f</ul></table>",
         "| a | b |\n| --- | --- |\n| c d | e f |"),
        (f"<table><tr><th>a<th>b<tr><td>{'c ' * 150}<td>d</table>",
         f"| a | b |\n| --- | --- |\n| {('c ' * 150).strip()} | d |"),
        (f"<table><tr><td>Menu<td>{'Words of an article. ' * 6}</table>", f"Menu | {'Words of an article. ' * 6}".strip()),
        ("<table><tr><th>a<th><tr><td>b<td></table>", "a\n\nb"),
        ("<h2>Title<a class=headerlink href=#x>¶</a></h2>", "## Title"),
        ("<p>So <math display=block><mi>x</mi></math>", "So $$x$$"),
        ("<dl><dt>a<dd>b</dl>", "a\n\nb"),
    ],
)  # fmt: skip
def test_each_mark(body, made):
    assert texts(body) == [made]


def test_links_are_written_where_they_are_asked_for():
    body = "<p>A <a href='../x?a=1&b=2'>link</a>, <a href=#here>none</a> and <a href='javascript:x'>none</a>."
    assert texts(body, links=True) == ["A [link](http://h.test/x?a=1&b=2), none and none."]


def test_an_image_cuts_a_table_and_a_list():
    table = "<table><tr><th>a<th>b<tr><td><img src=x.png>c<td>d</table>"
    assert texts(table) == ["| a | b |\n| --- | --- |", None, "| c | d |\n| --- | --- |"]
    assert texts("<ul><li>a<img src=x.png>b<li>c</ul>") == ["- a", None, "  b\n- c"]
    plain = extract("<ul><li>a<img src=x.png>b<li>c</ul>", "http://h.test/", False).texts
    assert plain == ["- a", None, "b\n- c"]  # one item of the list has one mark


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "body",
    ["<ul><li>a" * 2_000, "<blockquote>a" * 2_000, "<table><tr><td>a" * 1_000, "<pre>a" * 2_000, "<ol>" * 4_000 + "<li>a",
     "<b>a<i>b" * 3_000, "<pre>" + "<div>" * 2_000 + "a", "<code>a<br>" * 3_000, "<table><tr><th>a" + "<td>b" * 2_000 + "<tr><td>c" * 2_000],
    ids=lambda body: body[:16],
)  # fmt: skip
def test_hostile_markup_ends(body):
    said = texts(body)
    assert sum(len(text or "") for text in said) < 40 * len(body) + 1_000
