"""The pages of `weft view` as an ASGI application: a request → rows → a template.

Texts, titles and addresses are strangers'. So every value is escaped by the templates, control and bidirectional
characters are taken out, a link goes only to http and https, the policy of each answer allows nothing but this
server's own style sheet, script and pictures, pictures are sent as what their first bytes say they are, and a request
for another host than loopback (a page of the web whose name was pointed here) is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

import weft.schemas.config as configuration
from weft.pipeline.explain import reasons, story
from weft.pipeline.report import closing, exhibits, figures
from weft.pipeline.report.charts import clean, percent
from weft.pipeline.report.samples import EXCERPT_CHARS, cut
from weft.pipeline.run import manifest
from weft.pipeline.run.registry import STAGES
from weft.pipeline.view import kinds, samples, things
from weft.pipeline.view.tables import TABLES, Tables
from weft.schemas.parameters import ConfigError
from weft.schemas.shards import by_corpus, image_suffix
from weft.transforms.fetch.blobs import Damaged, StoredBytes, read_stored
from weft.transforms.io import files
from weft.transforms.pack.tokenizer import Encoder

HOSTS = ("127.0.0.1", "localhost")
POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_HOME = Path(__file__).parent
_STATIC = {
    "report.css": (_HOME.parent / "report" / "report.css", "text/css"),
    "view.css": (_HOME / "static" / "view.css", "text/css"),
    "view.js": (_HOME / "static" / "view.js", "text/javascript"),
    "view.svg": (_HOME / "static" / "view.svg", "image/svg+xml"),
}
# Where stored pictures are; what else lies in the directory is not served.
_PICTURES = re.compile(r"images/blobs/[\w.-]+\.bin|shards/(?:interleaved|pairs|text)/(?:train|val)/\d{6}\.tar")
_KINDS = ("record", "page", "document", "image", "pair")
_MOST_BYTES = 64 << 20
_MIME = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_ID = re.compile(r"[0-9a-f]{32}")
_NAMED = re.compile(r"\b(cluster )?([0-9a-f]{32})([:-](?:[0-9a-f]{32}|\d+))?\b")
_WORDS_COMPARED = 1_500  # of each document of a cluster


class Twin(NamedTuple):
    """A document of a cluster beside the one that stays."""

    row: Any
    page: Any
    words: Markup


def make(output: str) -> Starlette:
    """The application for one output directory.

    Raises:
        ConfigError: it holds no run.
    """
    if not files.is_local(output):
        raise ConfigError(f"weft view reads a directory of this machine, not {output}: copy it, or mount it")
    view = _View(output, configuration.from_dict(manifest.known_run(output)["config"]))
    pages: dict[str, Callable[[Request], Response]] = {
        "/": view.overview,
        "/documents": view.documents,
        "/documents/{doc_id}": view.document,
        "/pairs": view.pairs,
        "/clusters": view.clusters,
        "/clusters/{cluster_id}": view.cluster,
        "/images": view.images,
        "/shards": view.shards,
        "/shards/{name:path}": view.shard,
        "/explain": view.explain,
        "/bytes/{path:path}": view.bytes,
        "/static/{name}": view.static,
    }
    made = Starlette(
        routes=[Route(path, endpoint) for path, endpoint in pages.items()],
        middleware=[Middleware(_Headers), Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
        exception_handlers={
            **dict.fromkeys((HTTPException, ConfigError, Damaged), view.refused),
            Exception: view.failed,
        },
    )
    made.state.tables = view.tables
    return made


class _Headers:
    """HEADERS on every answer, errors among them."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                told = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *told]}
            await send(message)

        await self._app(scope, receive, sent)


class _View:
    def __init__(self, output: str, config: configuration.Config) -> None:
        self._output, self._config = output, config
        self.tables = Tables(output)
        self._templates = Environment(
            loader=PackageLoader("weft.pipeline.view"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: clean(value) if type(value) is str else "" if value is None else value,
        )
        self._templates.filters |= {
            "excerpt": lambda words: cut(words, EXCERPT_CHARS),
            "count": lambda value: f"{value:,}",
            "share": lambda part, whole: Markup(percent(part, whole)),
            "linked": _linked,
            "pretty": lambda value: json.dumps(value, ensure_ascii=False, indent=1),
        }
        self._templates.globals |= {
            "told": lambda reason: reasons.of_image(reason, config),
            "recipe": config.recipe,
            "output": output,
            "kinds": kinds.KINDS,
        }

    @cached_property
    def _encoder(self) -> Encoder:
        return samples.encoder(self._output)

    def _page(self, template: str, request: Request, status: int = 200, **values: Any) -> Response:
        given = dict(request.query_params)

        def at(**changes: Any) -> str:
            """This page's address with other values."""
            asked = {key: value for key, value in {**given, **changes}.items() if value not in ("", None)}
            return f"{quote(request.url.path)}?{urlencode(asked)}"

        made = self._templates.get_template(f"{template}.html").render(
            here=request.url.path, given=given, at=at, **values
        )
        return HTMLResponse(made, status)

    def refused(self, request: Request, error: Exception) -> Response:
        """A page that says in a line why there is none."""
        status = error.status_code if isinstance(error, HTTPException) else 409 if isinstance(error, Damaged) else 400
        line = error.detail if isinstance(error, HTTPException) else str(error).splitlines()[0]
        return self._page("refused", request, status, line=line)

    def failed(self, request: Request, error: Exception) -> Response:
        """A page for what is a bug; the traceback goes to stderr."""
        return self._page("refused", request, 500, line="this page failed, and weft view's terminal says where")

    def overview(self, request: Request) -> Response:
        """What has run, what came out, and where to look."""
        stages = []
        for stage in STAGES:
            done = manifest.read(self._output, stage.name)
            books = done["books"] if done else self._so_far(stage.name)
            books = {kind: books[kind] for kind in _KINDS if kind in books}
            state = "done" if done else "unfinished" if books else "not run"
            stages.append({"name": stage.name, "doc": stage.doc, "state": state, "books": books})
        corpora = by_corpus(figures.shard_infos(self._output))
        told = list(closing.warnings(self._output, self._config))
        return self._page("overview", request, stages=stages, corpora=corpora, warnings=told)

    def _so_far(self, stage: str) -> dict[str, Any]:
        if f"fates_{stage}" not in TABLES:
            return {}
        rows = self.tables.rows(f"SELECT kind, fate, reason, count(*) AS n FROM fates_{stage} GROUP BY ALL")
        return figures.as_books({(row["kind"], row["fate"], row["reason"]): row["n"] for row in rows})

    def documents(self, request: Request) -> Response:
        return self._list("documents", request)

    def clusters(self, request: Request) -> Response:
        return self._list("clusters", request)

    def images(self, request: Request) -> Response:
        return self._list("images", request, picture=things.picture)

    def _list(self, name: str, request: Request, **more: Any) -> Response:
        kind, given = kinds.KINDS[name], request.query_params
        asked = kinds.question(kind, given)
        listed = kinds.listed(self.tables, kind, asked, _whole(given.get("page", "1")), given.get("order", ""))
        offered = kinds.choices(self.tables, kind)
        return self._page(name, request, kind=kind, listed=listed, choices=offered, **more)

    def document(self, request: Request) -> Response:
        """One page: as it is, where it went, its pairs."""
        doc_id = request.path_params["doc_id"]
        fate = things.fate(self._output, doc_id) if _ID.fullmatch(doc_id) else None
        archive = fate.place.rpartition(":")[0] if fate and fate.place else "*"
        row = things.page(self._output, doc_id, archive) if _ID.fullmatch(doc_id) else None
        if fate is None and row is None:
            raise HTTPException(404, f"no page of this run has the id {doc_id}")
        shown = "blocks" in request.query_params
        return self._page(
            "document",
            request,
            doc_id=doc_id,
            fate=fate,
            row=row,
            blocks=list(things.blocks(self._output, row)) if row else [],
            pairs=things.captions(self._output, row) if row else [],
            lines=story.explain(self._output, doc_id, shown),
        )

    def pairs(self, request: Request) -> Response:
        """Pairs on both sides of a threshold."""
        kind, given = kinds.KINDS["pairs"], request.query_params
        asked = kinds.question(kind, given)
        line = things.line(self.tables, asked)
        value = kinds.number("threshold", given["at"]) if given.get("at", "").strip() else things.middle(line)
        at = things.nearest(line, value)
        page = _whole(given.get("page", "1"))
        sides = {
            name: kinds.listed(self.tables, kind, _also(asked, condition, at), page, name)
            for name, condition in (
                ("below", "similarity < $at"),
                ("above", "similarity >= $at"),
                ("unscored", "similarity IS NULL AND $at IS NOT NULL"),
            )
        }
        shown = {
            name: [] if page > side.pages else things.with_pictures(self._output, side.rows)
            for name, side in sides.items()
        }
        return self._page(
            "pairs",
            request,
            kind=kind,
            choices=kinds.choices(self.tables, kind),
            line=line,
            threshold=at,
            sides=sides,
            shown=shown,
            page=page,
            pages=max(side.pages for side in sides.values()),
            asked_of_run=self._config.pack.pair_min_similarity,
        )

    def cluster(self, request: Request) -> Response:
        """The documents of a cluster beside the one that stays."""
        rows, pages = things.cluster(self._output, request.path_params["cluster_id"])
        if not rows:
            raise HTTPException(404, f"no cluster of this run has the id {request.path_params['cluster_id']}")
        kept = pages.get(rows[0].kept_id)
        whole = exhibits.words_of(kept.texts, _WORDS_COMPARED) if kept else []
        twins = []
        for row in rows:
            if row.doc_id in pages and row.doc_id != row.kept_id:
                mine = exhibits.words_of(pages[row.doc_id].texts, _WORDS_COMPARED)
                twins.append(Twin(row, pages[row.doc_id], Markup(exhibits.marked(whole, mine)[1])))
        hidden = len(rows) - len(twins) - (kept is not None)
        return self._page("cluster", request, rows=rows, kept=kept, whole=" ".join(whole), twins=twins, hidden=hidden)

    def shards(self, request: Request) -> Response:
        return self._page("shards", request, shards=figures.shard_infos(self._output))

    def shard(self, request: Request) -> Response:
        """Samples of one shard."""
        name = request.path_params["name"]
        if name not in {info.name for info in figures.shard_infos(self._output)}:
            raise HTTPException(404, f"this run has no shard {name}")
        keys = samples.keys(self._output, name)
        pages = max(1, -(-len(keys) // samples.PER_PAGE))
        sought = request.query_params.get("key", "").strip()
        if sought and sought not in keys:
            sought = next((key for key in keys if sought in key), sought)
        if sought and sought not in keys:
            raise HTTPException(404, f"no sample of {name} is called {sought}")
        page = keys.index(sought) // samples.PER_PAGE + 1 if sought else _whole(request.query_params.get("page", "1"))
        page = min(max(page, 1), pages)
        wanted = keys[(page - 1) * samples.PER_PAGE : page * samples.PER_PAGE]
        shown = list(samples.samples(self._output, name, wanted, self._encoder))
        return self._page("shard", request, name=name, samples=shown, page=page, pages=pages, total=len(keys))

    def explain(self, request: Request) -> Response:
        """The way of anything through the stages."""
        thing = request.query_params.get("thing", "").strip()
        lines: list[str] = []
        why = ""
        try:
            lines = story.explain(self._output, thing, "blocks" in request.query_params) if thing else []
        except ConfigError as error:
            why = str(error)
        return self._page("explain", request, 404 if why else 200, thing=thing, lines=lines, why=why)

    def bytes(self, request: Request) -> Response:
        """A stored picture, by where it stands."""
        path, given = request.path_params["path"], request.query_params
        begin, length = _whole(given.get("from", "")), _whole(given.get("length", ""))
        if not _PICTURES.fullmatch(path) or begin < 0 or not 0 < length <= _MOST_BYTES:
            raise HTTPException(404, "no picture is there")
        where = files.join(self._output, path)
        try:
            (data,) = read_stored([StoredBytes(where, begin, length, given.get("digest", ""))])
            mime = _MIME[image_suffix(data)]
        except (OSError, ValueError):
            raise HTTPException(404, "no picture is there") from None
        return Response(data, media_type=mime, headers={"Cache-Control": "private, max-age=3600"})

    def static(self, request: Request) -> Response:
        if request.path_params["name"] not in _STATIC:
            raise HTTPException(404, "there is no such file")
        path, mime = _STATIC[request.path_params["name"]]
        return Response(path.read_bytes(), media_type=mime)


def _also(asked: kinds.Question, condition: str, at: float) -> kinds.Question:
    return kinds.Question(f"({asked.condition}) AND {condition}", {**asked.values, "at": at})


def _whole(value: str) -> int:
    return int(value) if re.fullmatch(r"\d{1,15}", value) else -1


def _linked(line: str) -> Markup:
    """A line of explain/ with its ids as links."""
    parts, at = [], 0
    for found in _NAMED.finditer(line):
        before, one, more = found[1] or "", found[2], found[3] or ""
        place = f"/explain?thing={one}{more}" if more else f"/clusters/{one}" if before else f"/documents/{one}"
        link = Markup('{}<a href="{}">{}</a>').format(before, place, one + more)
        parts += [Markup.escape(clean(line[at : found.start()])), link]
        at = found.end()
    return Markup("").join([*parts, Markup.escape(clean(line[at:]))])
