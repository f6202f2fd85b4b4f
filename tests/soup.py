"""Markup as nobody would write it, drawn by hypothesis."""

from hypothesis import strategies as st

NAMES = st.sampled_from(
    "html body div p span a img picture source figure figcaption table tr td th ul li pre code br hr h1 h2 article nav "
    "noscript template script style svg textarea select option button iframe base meta title amp-img x-y b/ = "
    "math mfrac msup mi annotation katex-html blockquote ol h6 thead sup dl dd em strong".split()
)
VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        (
            "a.jpg", "/b.png 2x, c.png 1x", "a 1w,,, b 99999999999999999999w", "data:image/png;base64,AAAA",
            "//h/x.jpg", "javascript:1", "http://[::1", "%zz%", "http://h:99999999/", "\x00", "(max-width: 1px) 1px",
            "background:url(x.jpg)", "background:url('", "nav menu", "post-content", "100%", "1e999", "-5", "rtl",
        )
    ),
)  # fmt: skip
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        "src srcset sizes data-src data-srcset alt title class id href style width height rel name".split()
    ),
    VALUES,
    max_size=4,
)
WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(("A sentence of words. ", "&amp;&lt;&#0;&#x110000;&nosuch;&amp", "日本語", "\u202eabc", "<!--", "-->", "<![CDATA[", "]]>", "<", "</", "</ p>", "<p", "\ud83d")),
)  # fmt: skip


@st.composite
def tags(draw: st.DrawFn) -> str:
    name = draw(NAMES)
    if draw(st.booleans()) and draw(st.booleans()):
        return f"</{name}>"
    quote = draw(st.sampled_from(('"', "'", "")))
    given_ = " ".join(f"{key}={quote}{value}{quote}" for key, value in draw(ATTRIBUTES).items())
    return f"<{name} {given_}{draw(st.sampled_from(('>', '/>', '', '>>')))}"


SOUP = st.lists(st.one_of(tags(), WORDS), max_size=60).map("".join)
