"""Page templates of the demo web: a page's blocks and a site's looks → HTML, and what in it is not the page's own.

Real pages differ in their frames (semantic tags, div soup, table layout, weblog and app shells), in how they show
pictures (plain, srcset, picture/source, lazy loading with or without a noscript twin) and in all that surrounds the
text: navigation, cookie banner, share bar, related links, comments, advertisements, newsletter, footer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from html import escape
from urllib.parse import urlsplit

from weft.pipeline.demo.prose import Dice

BLANK_GIF = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
FRAMES = {  # the body element's inside
    "semantic": """{banner}<header><nav>{header}</nav></header>
<main>{crumbs}<article>{body}</article>
{bar}{comments}</main>
<aside>{side}{related}</aside>
<footer>{foot}</footer>""",
    "soup": """<div id="header">{header}</div><div id="wrapper"><div id="sidebar">{side}</div>
<div id="content">{crumbs}{bar}<div class="post-content">{body}</div>{related}{comments}</div></div>
<div id="footer" class="footer">{foot}</div>{banner}""",
    "table": """<table width="100%"><tr><td colspan="2" class="header">{header}</td></tr>
<tr><td class="menu" width="200">{side}{related}</td><td class="content">{crumbs}{body}{bar}{comments}</td></tr>
<tr><td colspan="2" class="footer">{foot}</td></tr></table>{banner}""",
    "weblog": """<div id="page" class="site"><header class="site-header">{header}</header>
<div class="content-area"><main class="site-main"><article class="post hentry"><div class="entry-content">{body}</div>
<div class="entry-footer">{bar}</div></article>{related}{comments}</main></div>
<div id="secondary" class="widget-area">{side}</div><footer class="site-footer">{foot}</footer></div>{banner}""",
    "app": """{banner}<div id="root"><div class="css-1k"><div role="banner" class="css-9x">{header}</div>
<div class="css-2m" role="main">{crumbs}<div class="css-7q">{body}</div>{bar}</div>
<div class="css-4z" role="complementary">{side}{related}</div>{comments}
<div role="contentinfo" class="css-0f">{foot}</div></div></div>""",
}
STYLES = ("plain", "srcset", "picture", "lazy", "lazy_gif", "noscript", "lazy_srcset")
PRODUCT_STYLES = ("srcset", "picture", "lazy", "noscript", "lazy_srcset")


@dataclasses.dataclass(frozen=True)
class Shown:
    """A picture on a page.

    Attributes:
        url: the one to choose: the largest that the page offers.
        src: as written in the page, relative or not.
        also: (url, declared width) of smaller copies, offered in a srcset.
        caption: figcaption; "" for a picture without a figure.
    """

    url: str
    src: str
    width: int
    height: int
    alt: str = ""
    caption: str = ""
    style: str = "plain"
    also: tuple[tuple[str, int], ...] = ()


@dataclasses.dataclass(frozen=True)
class Block:
    """A piece of the body: kind p, h2, list, quote, code, table, avatar, aside (texts) or image (shown).

    An aside stands among the paragraphs and is not the page's own.
    """

    kind: str
    texts: tuple[str, ...] = ()
    shown: Shown | None = None


@dataclasses.dataclass(frozen=True)
class Page:
    """All that a template needs; `blocks` alone is the page's own text."""

    kind: str
    url: str
    title: str
    byline: str
    language: str
    blocks: tuple[Block, ...]
    comments: tuple[tuple[str, str], ...] = ()
    related: tuple[str, ...] = ()
    meta: str = ""  # further head elements


@dataclasses.dataclass(frozen=True)
class Furniture:
    """What the frame put around the body."""

    texts: tuple[str, ...]
    images: tuple[str, ...]  # absolute URLs


def picture_html(shown: Shown) -> str:
    """The img (and its wrapping) for one picture, in its style."""
    alt = f' alt="{escape(shown.alt)}"' if shown.alt is not None else ""
    size = f' width="{shown.width}" height="{shown.height}"'
    src = escape(shown.src)
    offers = ", ".join([*(f"{escape(url)} {width}w" for url, width in shown.also), f"{src} {shown.width}w"])
    small = escape(shown.also[0][0]) if shown.also else src
    if shown.style == "srcset":
        return f'<img src="{small}" srcset="{offers}" sizes="(max-width: 700px) 100vw, 640px"{alt}>'
    if shown.style == "picture":
        source = f'<source media="(min-width: 700px)" srcset="{src}">'
        return f'<picture>{source}<img src="{small}"{alt} loading="lazy"></picture>'
    if shown.style == "lazy":
        return f'<img class="lazyload" src="{BLANK_GIF}" data-src="{src}"{alt}{size}>'
    if shown.style == "lazy_gif":
        return f'<img src="/static/blank.gif" data-original="{src}"{alt}>'
    if shown.style == "noscript":
        twin = f'<noscript><img src="{src}"{alt}{size}></noscript>'
        return f'<img class="lazy" src="{BLANK_GIF}" data-lazy-src="{src}"{alt}>{twin}'
    if shown.style == "lazy_srcset":
        return f'<img class="lazyload" src="{BLANK_GIF}" data-srcset="{offers}" data-sizes="auto"{alt}>'
    return f'<img src="{src}"{alt}{size}>'


def _figure(shown: Shown) -> str:
    image = picture_html(shown)
    if not shown.caption:
        return f'<div class="media">{image}</div>'
    return f'<figure class="wp-caption">{image}<figcaption>{escape(shown.caption, quote=False)}</figcaption></figure>'


def _text(texts: Sequence[str]) -> str:
    return " ".join(escape(text, quote=False) for text in texts)


def _block(block: Block) -> str:
    if block.shown is not None:
        return _figure(block.shown)
    if block.kind == "list":
        return "<ul>\n" + "".join(f"<li>{escape(text, quote=False)}</li>\n" for text in block.texts) + "</ul>"
    if block.kind == "quote":
        return f"<blockquote><p>{_text(block.texts)}</p></blockquote>"
    if block.kind == "code":
        return '<pre><code class="language-python">' + escape("\n".join(block.texts)) + "</code></pre>"
    if block.kind == "table":
        rows = [block.texts[i : i + 2] for i in range(0, len(block.texts), 2)]
        return "<table>" + "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows) + "</table>"
    if block.kind == "aside":
        return f'<div class="read-also">{_text(block.texts)} <a href="/story/{len(block.texts[0])}">more</a></div>'
    if block.kind == "h2":
        return f"<h2>{_text(block.texts)}</h2>"
    return f"<p>{_text(block.texts)}</p>"


def _article(page: Page, dice: Dice) -> str:
    inner = [f"<h1>{escape(page.title)}</h1>"]
    if page.byline:
        inner.append(f'<div class="byline">By <a rel="author" href="/authors/">{escape(page.byline)}</a></div>')
    inner += [_block(block) for block in page.blocks]
    return "\n".join(inner)


def _gallery(page: Page, dice: Dice) -> str:
    listed = dice.chance(0.5)
    inner = [f'<h1 class="title">{escape(page.title)}</h1>']
    is_open = False
    for block in page.blocks:
        if block.shown is not None:
            inner.append("</li>" if is_open and listed else "</div>" if is_open else "")
            inner.append('<li class="item">' if listed else '<div class="grid-item">')
            is_open = True
        inner.append(_block(block))
    inner.append("" if not is_open else "</li>" if listed else "</div>")
    body = "\n".join(part for part in inner if part)
    if listed:
        body = body.replace('<li class="item">', '<ul class="pictures">\n<li class="item">', 1) + "</ul>"
    return body


def _forum(page: Page, dice: Dice) -> str:
    inner = [f'<h1 class="topic-title">{escape(page.title)}</h1>']
    is_open = False
    for block in page.blocks:
        if block.kind == "avatar":
            user, src = block.texts
            inner.append("</div></div>" if is_open else "")
            inner.append(
                f'<div class="post"><div class="poster"><img class="avatar" src="{escape(src)}" alt="{escape(user)}" '
                f'width="32" height="32"><a href="/user/{escape(user)}">{escape(user)}</a></div><div class="post-body">'
            )
            is_open = True
        else:
            inner.append(_block(block))
    return "\n".join(part for part in inner if part) + ("</div></div>" if is_open else "")


def _product(page: Page, dice: Dice) -> str:
    price = f"{dice.number(4, 480)}.{dice.number(10, 99)}"
    top = f'<h1 itemprop="name">{escape(page.title)}</h1><div class="price">{price} crowns</div>'
    return f'<div class="product" itemscope>{top}\n' + "\n".join(_block(block) for block in page.blocks) + "</div>"


def _blog_list(page: Page, dice: Dice) -> str:
    inner = [f'<h1 class="page-title">{escape(page.title)}</h1>']
    is_open = False
    for block in page.blocks:
        if block.kind == "h2":
            inner.append("</section>" if is_open else "")
            inner.append('<section class="entry">')
            is_open = True
        inner.append(_block(block))
    return "\n".join(part for part in inner if part) + ("</section>" if is_open else "")


_BODIES = {"gallery": _gallery, "forum": _forum, "product": _product, "blog": _blog_list}


_LINKS = ("World", "Local", "Weather", "Culture", "Opinion", "Archive", "Shop", "People", "Science", "Jobs")
_ADS = ("save up to half on garden chairs", "compare car insurance in a minute", "learn a language in a week")


def render(page: Page) -> tuple[str, Furniture]:
    """A page as HTML, in the frame of its site, and the furniture that the frame holds."""
    own = Dice(f"frame {page.url}")
    parts, furniture = _around(page, own)
    body = _BODIES.get(page.kind, _article)(page, own)
    name = _site_name(page)
    frame = FRAMES[Dice(f"frame of {name}").pick(sorted(FRAMES))]
    head = (
        f'<meta charset="utf-8">\n<title>{escape(page.title)} | {name}</title>\n{page.meta}'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/static/site.css">'
        "<style>.menu{display:flex}.ad{float:right}</style><script>window.dataLayer=[];function track(){}</script>"
    )
    html = (
        f'<!DOCTYPE html>\n<html lang="{page.language}">\n<head>{head}</head>\n<body class="{page.kind}">\n'
        f"{frame.format(body=body, **parts)}\n"
        '<script src="/static/app.js"></script></body>\n</html>\n'
    )
    return html, furniture


def _site_name(page: Page) -> str:
    return urlsplit(page.url).netloc.split(".")[0].capitalize()


def _around(page: Page, own: Dice) -> tuple[dict[str, str], Furniture]:
    """All that stands around the body, by its name in FRAMES. What a site has is the same on all its pages."""
    host, name = urlsplit(page.url).netloc, _site_name(page)
    site = Dice(f"site {host}")
    links = site.sample(_LINKS, 6)
    nav = "".join(f'<li><a href="/{link.lower()}/">{link}</a></li>' for link in links)
    cookie = f"{name} and its {site.number(20, 800)} partners store cookies on your device to improve this service."
    rights = f"Copyright {site.number(1998, 2015)} to 2025 {name} Publishing. All rights reserved."
    parts = {
        "header": '<a class="logo" href="/">'
        f'{_icon("/static/logo.png", f"{name} logo", 120, 40)}</a><ul class="menu">{nav}</ul>',
        "crumbs": '<div class="breadcrumbs"><a href="/">Home</a> &raquo; '
        f'<a href="/{links[0].lower()}/">{links[0]}</a></div>',
        "foot": f'<p>{rights}</p><a href="/imprint">Imprint</a> <a href="/privacy">Privacy</a>',
        "banner": '<div id="cookie-banner" class="cookie-consent" role="dialog">'
        f"<p>{cookie}</p><button>Accept</button></div>",
        **dict.fromkeys(("side", "bar", "related", "comments"), ""),
    }
    texts, images = [cookie, rights], [f"http://{host}/static/logo.png"]
    if site.chance(0.8):
        letter = f"Sign up for the {name} newsletter and never miss an update."
        parts["side"] += f'<div class="newsletter"><h3>Newsletter</h3><p>{letter}</p><input type="email"></div>'
        texts.append(letter)
    if site.chance(0.6):
        ad = f"Advertisement: {site.pick(_ADS)} with our partner."
        banner = f"http://ads.weft.test/banner{site.number(1, 4)}.jpg"
        shown = _icon(banner, "Advertisement", 300, 250)
        parts["side"] += f'<div class="ad advert"><a href="http://ads.weft.test/go">{shown}</a><p>{ad}</p></div>'
        texts.append(ad)
        images.append(banner)
    if site.chance(0.6):
        share = f"Share this page with your friends on Chirper or Facepage, or print it for {name} readers."
        icon = f'<a href="#">{_icon("/static/share.png", "share", 24, 24)}</a>'
        parts["bar"] = f'<div class="social share-bar"><span>{share}</span>{icon}</div>'
        texts.append(share)
        images.append(f"http://{host}/static/share.png")
    if page.related:
        items = ""
        for title in page.related:
            thumb = f"http://{host}/static/thumb{own.number(1, 4)}.jpg"
            is_shown = own.chance(0.5)
            icon = _icon(thumb, "", 160, 100) if is_shown else ""
            items += f'<li><a href="/story/{own.number(100, 999)}">{icon}{escape(title)}</a></li>'
            images += [thumb] if is_shown else []
        parts["related"] = f'<div class="related-posts"><h3>Related</h3><ul>{items}</ul></div>'
        texts += page.related
    if page.comments:
        said = (f'<li class="comment"><b>{escape(who)}</b><p>{escape(what)}</p></li>' for who, what in page.comments)
        parts["comments"] = f'<div id="comments" class="comments"><h3>Comments</h3><ol>{"".join(said)}</ol></div>'
    return parts, Furniture(tuple(texts), tuple(images))


def _icon(url: str, alt: str, width: int, height: int) -> str:
    return f'<img src="{url}" alt="{alt}" width="{width}" height="{height}">'
