"""Pages of the demo web: kind and seed → blocks of text and pictures, in the order in which a reader meets them.

Each kind is written as such pages are: news with figures between paragraphs, galleries, forum topics, products,
manuals, weblog lists and plain essays; and the bad ones: other languages, spam, too short, opted out.
"""

from __future__ import annotations

import dataclasses
from typing import Any
from urllib.parse import unquote, urlsplit

from weft.pipeline.demo import lessons, pictures, prose, templates, vocabulary
from weft.pipeline.demo.media import WHEEL, Picture, picture
from weft.pipeline.demo.pictures import Scene
from weft.pipeline.demo.prose import Dice
from weft.pipeline.demo.rendered import Rendered
from weft.pipeline.demo.templates import Block, Page, Shown

HOSTS = {
    "news": tuple(f"news{i}.weft.test" for i in range(1, 8)),
    "gallery": tuple(f"gallery{i}.weft.test" for i in range(1, 4)),
    "forum": tuple(f"forum{i}.weft.test" for i in range(1, 5)),
    "product": tuple(f"shop{i}.weft.test" for i in range(1, 6)),
    "docs": tuple(f"docs{i}.weft.test" for i in range(1, 4)),
    "blog": tuple(f"blog{i}.weft.test" for i in range(1, 5)),
    "text": tuple(f"library{i}.weft.test" for i in range(1, 4)),
    "copy": tuple(f"mirror{i}.weft.test" for i in range(1, 5)),
    "foreign": tuple(f"intl{i}.weft.test" for i in range(1, 4)),
    "spam": tuple(f"spam{i}.weft.test" for i in range(1, 4)),
    "quiz": tuple(f"quiz{i}.weft.test" for i in range(1, 4)),
}
USELESS = ("IMG_{n}.jpg", "DSC0{n}.JPG", "photo", "image", "picture {n}", "{n}")
TAGGED = ("<PERSON> stands beside {caption}", "{caption}, photographed by <PERSON>")
OPT_OUTS: tuple[tuple[dict[str, str], str], ...] = (
    ({"X-Robots-Tag": "noai"}, ""),
    ({"X-Robots-Tag": "noindex, noai, noimageai"}, ""),
    ({}, '<meta name="robots" content="noai, noimageai">\n'),
    ({"tdm-reservation": "1"}, ""),
    ({}, '<meta name="tdm-reservation" content="1">\n'),
)
ALLOWED: tuple[tuple[dict[str, str], str], ...] = (
    ({"X-Robots-Tag": "noarchive"}, ""),
    ({"tdm-reservation": "0"}, ""),
    ({}, '<meta name="robots" content="index, follow">\n'),
)


@dataclasses.dataclass(frozen=True)
class Made:
    """A page and what is true of it beyond its blocks: its pictures, its extra headers, its kind of fault."""

    page: Page
    pictures: tuple[tuple[Picture, Shown], ...]
    headers: dict[str, str]
    expect: str = "kept"


class Author:
    """Writes pages; counts the pictures it has used so that every kind of picture comes round."""

    def __init__(self, salt: str) -> None:
        self.salt = salt
        self.used = 0
        self._turns = 0

    def turn(self) -> str:
        """The kind of the next picture that may be of any kind."""
        self._turns += 1
        return WHEEL[self._turns % len(WHEEL)]

    def page(self, kind: str, index: int, date: str) -> Made:
        """The `index`-th page of a kind."""
        seed = f"{self.salt} {kind} {index}"
        dice = Dice(f"page {seed}")
        topic = dice.pick(sorted(vocabulary.TOPICS))
        body = {"language": "news", "gibberish": "spam", "too_short": "news", "opt_out": "news"}.get(kind, kind)
        host = dice.pick(HOSTS["foreign" if kind == "language" else body])
        title = prose.title(dice, topic)
        language = dice.pick(sorted(vocabulary.LANGUAGES)) if kind == "language" else "en"
        if kind == "language":
            title = prose.foreign(dice, language, 1)[0].rstrip(".。")
        if body in ("product", "forum", "docs", "gallery"):
            title = prose.fill(dice, _TITLES[body], topic)
        url = f"{'https' if dice.chance(0.4) else 'http'}://{host}{_path(dice, title, kind, index)}"
        desk = _Desk(self, dice, seed, topic, url, date, kind, index)
        headers: dict[str, str] = {}
        meta = ""
        if kind == "opt_out":
            headers, meta = OPT_OUTS[index % len(OPT_OUTS)]
        elif dice.chance(0.1):
            headers, meta = dice.pick(ALLOWED)
        if kind == "language":
            blocks = desk.foreign(language)
        elif kind == "gibberish":
            blocks = desk.spam(prose.GIBBERISH[index % len(prose.GIBBERISH)])
        elif kind == "too_short":
            blocks = desk.stub()
        else:
            blocks = getattr(desk, "news" if kind == "opt_out" else kind)()
        frame = Dice(f"frame {seed}")
        comments = tuple(
            (prose.person(frame), " ".join(prose.sentences(frame, topic, frame.number(1, 2))))
            for _ in range(
                frame.number(1, 4) if body in ("news", "blog") and kind != "too_short" and frame.chance(0.4) else 0
            )
        )
        other = [prose.title(frame, frame.pick(sorted(vocabulary.TOPICS))) for _ in range(frame.number(2, 5))]
        related = tuple(other) if frame.chance(0.7) else ()
        byline = prose.person(frame) if body in ("news", "text") and kind != "too_short" and frame.chance(0.8) else ""
        page = Page(body, url, title, byline, language, tuple(blocks), comments, related, meta)
        return Made(
            page,
            tuple(desk.shown),
            headers,
            kind if kind in ("language", "gibberish", "too_short", "opt_out") else "kept",
        )


_TITLES = {
    "product": "{thing} for collectors, {quality} edition",
    "forum": "Has anyone {verb} {thing} {spot}?",
    "docs": "Handbook: {thing}",
    "gallery": "Pictures from {place}: {month} {year}",
}


def _path(dice: Dice, title: str, kind: str, index: int) -> str:
    slug = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in title.lower()).split()[:8]) or "page"
    number = sum(kind.encode()) * 1000 + index
    shapes = (
        f"/2025/03/{slug}-{index}",
        f"/{slug}/{number}.html",
        f"/node/{number}",
        f"/index.php?id={number}",
        f"/{kind}/{slug}_{index}/",
    )
    return dice.pick(shapes)


class _Desk:
    """The writing of one page."""

    def __init__(
        self, author: Author, dice: Dice, seed: str, topic: str, url: str, date: str, kind: str, index: int
    ) -> None:
        self.author, self.dice, self.seed, self.topic = author, dice, seed, topic
        self.url, self.date, self.kind, self.index = url, date, kind, index
        self.shown: list[tuple[Picture, Shown]] = []
        self.told: set[str] = set()

    def say(self, low: int, high: int) -> list[str]:
        """New sentences of the topic."""
        return prose.sentences(self.dice, self.topic, self.dice.number(low, high))

    def tell(self, scene: Any) -> list[str]:
        """A sentence about a scene, unless the page has it already."""
        text = pictures.sentence(scene)
        if text in self.told:
            return []
        self.told.add(text)
        return [text]

    def picture(
        self, styles: tuple[str, ...] = ("plain",), figure: float = 0.6, shows: Scene | Rendered | None = None
    ) -> tuple[Block, Any]:
        """The next picture of the web as a block, and its scene: what it `shows`, or one of its own."""
        style = self.dice.pick(styles)
        host = urlsplit(self.url).netloc
        whole = self.kind in ("language", "gibberish", "too_short", "opt_out", "quiz")
        copies = style in ("srcset", "picture", "lazy_srcset")
        kind = "jpeg" if whole or copies else self.author.turn()
        made = picture(f"{self.seed} {len(self.shown)}", self.author.used, kind, host, self.date, copies, shows)
        self.author.used += 1
        alt, caption = self._words(made, figure) if isinstance(made.scene, Scene) else (made.scene.text, "")
        shown = Shown(made.url, self._reference(made.url), made.width, made.height, alt, caption, style, made.also)
        self.shown.append((made, shown))
        return Block("image", (), shown), made.scene

    def _words(self, made: Picture, figure: float) -> tuple[str, str]:
        """(alt, figcaption): good, useless, tagged or empty; where a good one would be untrue there is none."""
        dice = self.dice
        true = [pictures.caption(made.scene, dice.number(0, 5)) for _ in range(2)]
        useless = dice.pick(USELESS).replace("{n}", str(dice.number(1000, 9999)))
        tagged = dice.pick(TAGGED).replace("{caption}", true[0][0].lower() + true[0][1:].rstrip("."))
        luck = dice.unit()
        if made.kind in ("grey", "svg", "single_colour"):
            return useless, ""
        if dice.chance(figure):
            alt = true[1] if luck < 0.6 else useless if luck < 0.8 else ""
            return alt, tagged if luck > 0.97 else true[0]
        return (true[0] if luck < 0.8 else useless if luck < 0.9 else tagged if luck < 0.93 else ""), ""

    def _reference(self, url: str) -> str:
        """The URL as the page writes it: absolute, without its scheme, from the root, or with bare spaces."""
        own, other = urlsplit(self.url), urlsplit(url)
        if "%20" in url:
            return unquote(url)
        if own.netloc == other.netloc and own.scheme == other.scheme and self.dice.chance(0.6):
            return url.split(own.netloc, 1)[1]
        if own.scheme == other.scheme and self.dice.chance(0.2):
            return url.split(":", 1)[1]
        return url

    def news(self) -> list[Block]:
        """Figures between paragraphs; the sentence about a picture stands right before or right after it."""
        blocks = [Block("p", tuple(self.say(2, 4)))]
        for _ in range(self.dice.number(2, 3)):
            block, scene = self.picture(templates.STYLES)
            about = self.tell(scene)
            if self.dice.chance(0.5):
                blocks += [Block("p", (*self.say(1, 3), *about)), block, Block("p", tuple(self.say(1, 4)))]
            else:
                blocks += [block, Block("p", (*about, *self.say(2, 4)))]
        if self.dice.chance(0.3):
            blocks.insert(self.dice.number(1, len(blocks)), Block("h2", (prose.title(self.dice, self.topic),)))
        if self.dice.chance(0.25):
            other = f"Read also: {prose.title(self.dice, self.dice.pick(sorted(vocabulary.TOPICS)))}"
            blocks.insert(self.dice.number(1, len(blocks)), Block("aside", (other,)))
        return blocks

    def gallery(self) -> list[Block]:
        """Pictures with captions, each with a sentence or two."""
        blocks = [Block("p", tuple(self.say(2, 4)))]
        for _ in range(self.dice.number(3, 6)):
            block, scene = self.picture(("plain", "lazy", "srcset", "lazy_gif"), figure=0.9)
            blocks += [block, Block("p", (*self.tell(scene), *self.say(1, 1)))]
        return blocks

    def forum(self) -> list[Block]:
        """Posts with avatars, quotes and now and then a picture."""
        dice = self.dice
        users = [
            name.lower().replace(" ", dice.pick((".", "_", ""))) for name in (prose.person(dice) for _ in range(4))
        ]
        host = urlsplit(self.url).netloc
        blocks: list[Block] = []
        last: list[str] = []
        for _ in range(dice.number(3, 6)):
            user = dice.pick(users)
            blocks.append(Block("avatar", (user, f"http://{host}/static/avatar{len(user) % 4 + 1}.png")))
            if last and dice.chance(0.4):
                blocks.append(Block("quote", (last[0],)))
            last = self.say(2, 4)
            blocks.append(Block("p", tuple(last)))
            if dice.chance(0.12):
                blocks.append(
                    Block(
                        "p", (f"Thanks for reading this far {dice.pick(vocabulary.EMOJI)} and see you at the meeting.",)
                    )
                )
            if dice.chance(0.45):
                block, scene = self.picture(("plain", "lazy"), figure=0.05)
                blocks += [Block("p", tuple(about)) for about in (self.tell(scene),) if about] + [block]
        return blocks

    def product(self) -> list[Block]:
        """Pictures in every style of shops, a description, features and a table."""
        block, scene = self.picture(templates.PRODUCT_STYLES, figure=0.1)
        blocks = [block, Block("p", (*self.tell(scene), *self.say(3, 5)))]
        blocks += [Block("h2", ("Features",)), Block("list", tuple(self.say(3, 5)))]
        for _ in range(self.dice.number(1, 3)):
            block, scene = self.picture(templates.PRODUCT_STYLES, figure=0.2)
            blocks += [block, Block("p", (*self.tell(scene), *self.say(1, 2)))]
        words = vocabulary.TOPICS[self.topic]["quality"]
        cells = (
            "Weight",
            f"{self.dice.number(1, 90)} kg",
            "Finish",
            self.dice.pick(words),
            "Origin",
            self.dice.pick(vocabulary.PLACES),
        )
        return [*blocks, Block("h2", ("Specification",)), Block("table", cells)]

    def docs(self) -> list[Block]:
        """Sections with code, lists and tables; seldom a picture."""
        blocks = [Block("p", tuple(self.say(2, 4)))]
        for section in range(self.dice.number(2, 4)):
            blocks += [
                Block(
                    "h2",
                    (prose.fill(self.dice, "{section} {thing}".replace("{section}", _SECTIONS[section]), self.topic),),
                )
            ]
            blocks.append(Block("p", tuple(self.say(2, 4))))
            if section == 1 and self.dice.chance(0.7):
                block, scene = self.picture(("plain", "srcset"), figure=0.7)
                blocks += [block, Block("p", (*self.tell(scene), *self.say(1, 1)))]
            kind = self.dice.pick(("code", "list", "table"))
            number = self.dice.number(2, 99)
            if kind == "code":
                blocks.append(
                    Block(
                        "code",
                        (
                            f"def step_{number}(queue, limit={number}):",
                            "    for item in queue[:limit]:",
                            "        item.check()",
                        ),
                    )
                )
            elif kind == "list":
                blocks.append(Block("list", tuple(self.say(2, 4))))
            else:
                blocks.append(
                    Block("table", ("option", "value", f"limit_{number}", str(number * 10), "mode", "strict"))
                )
        return blocks

    def blog(self) -> list[Block]:
        """A list of entries: heading, picture, excerpt."""
        blocks: list[Block] = []
        for _ in range(self.dice.number(3, 5)):
            blocks.append(Block("h2", (prose.title(self.dice, self.topic),)))
            if self.dice.chance(0.85):
                block, scene = self.picture(("plain", "lazy", "noscript", "srcset", "picture"), figure=0.35)
                blocks += [block, Block("p", (*self.tell(scene), *self.say(2, 3)))]
            else:
                blocks.append(Block("p", tuple(self.say(2, 3))))
        return blocks

    def text(self) -> list[Block]:
        """No pictures at all."""
        blocks = []
        for section in range(self.dice.number(2, 6)):
            if section and self.dice.chance(0.4):
                blocks.append(Block("h2", (prose.title(self.dice, self.topic),)))
            blocks.append(Block("p", tuple(self.say(3, 6))))
        return blocks

    def quiz(self) -> list[Block]:
        """A lesson; what a picture shows is its alt."""
        blocks = [Block("p", tuple(self.say(1, 1)))]
        for part in lessons.lesson(self.index, self.seed):
            if isinstance(part, str):
                blocks.append(Block("p", (part,)))
            else:
                block, _ = self.picture(figure=0.0, shows=part)
                form = int(self.dice.chance(0.4))
                told = self._retold(pictures.caption(part, form)) if isinstance(part, Scene) else block.shown
                blocks.append(Block("image", (), told))
        return blocks

    def _retold(self, alt: str) -> Shown:
        """The last picture with another alt."""
        made, shown = self.shown[-1]
        self.shown[-1] = (made, dataclasses.replace(shown, alt=alt))
        return self.shown[-1][1]

    def foreign(self, language: str) -> list[Block]:
        """News in another language, with a picture."""
        self.picture(("plain",), figure=0.0)
        shown = self._retold(prose.foreign(self.dice, language, 1)[0])
        paragraphs = [Block("p", tuple(prose.foreign(self.dice, language, self.dice.number(3, 5)))) for _ in range(4)]
        return [*paragraphs[:2], Block("image", (), shown), *paragraphs[2:]]

    def spam(self, how: str) -> list[Block]:
        """Gibberish around a picture."""
        block, _ = self.picture()
        texts = [Block("p", (text,)) for text in prose.gibberish(self.dice, how, 4)]
        return [*texts[:2], block, *texts[2:]]

    def stub(self) -> list[Block]:
        """A line, a picture and what it shows: too short even with the headline."""
        block, scene = self.picture(figure=0.0)
        return [Block("p", ("More pictures will follow soon.",)), block, Block("p", tuple(self.tell(scene)))]


_SECTIONS = ("Preparing", "Using", "Repairing", "Replacing")


def own_text(page: Page) -> list[str | Shown]:
    """The page's own sentences and pictures in reading order: what extraction should find, in this order."""
    flow: list[str | Shown] = []
    for block in page.blocks:
        if block.shown is not None:
            flow.append(block.shown)
        elif block.kind in ("p", "list"):
            flow += block.texts
    return flow
