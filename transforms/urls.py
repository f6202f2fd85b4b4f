"""URLs: absolute as a browser makes them, and in the forms by which two are told to mean the same page or image.

A page and the crawler that read it often write one address in two ways. So an image key ignores the scheme, fragments,
default ports and needless percent-encoding; a page key ignores tracking parameters and a trailing slash too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import SplitResult, parse_qsl, quote, unquote_to_bytes, urlencode, urlsplit, urlunsplit

PAGE_KEYS = 2  # counts up whenever the key of a page changes: an index of another version is refused
_TRACKING = re.compile(
    r"^(utm_\w+|fbclid|gclid|dclid|msclkid|mc_[ce]id|igshid|ref|ref_src|feed|sessionid|phpsessid)$", re.I
)
_SPACES = re.compile(r"[\t\n\r]+")
# An absolute address that resolving would not change, unless a step of its path is a dot or two.
_PLAIN = re.compile(
    r"https?://(?:[a-z0-9-]+\.)+[a-z]+/[A-Za-z0-9/:@!$&'()*+,;=~%._-]*(?:\?[A-Za-z0-9/:@!$&'()*+,;=~%._?\[\]-]+)?"
)
# A reference from the root of its host that resolving would put behind the host as it is.
_ROOTED = re.compile(r"/(?!/)[A-Za-z0-9/:@!$&'()*+,=~%._-]*(?:\?[A-Za-z0-9/:@!$&'()*+,=~%._?\[\]-]+)?")
_QUERY = re.compile(r"(?=[?#])")
_SLASHES = re.compile(r"\A((?:https?:)?)/{3,}", re.I)
_PATH_SAFE = "/:@!$&'()*+,;=~%-._"
_QUERY_SAFE = _PATH_SAFE + "?[]"


DRAWING = "svg="  # begins the fragment of a drawing that stands in a page; the sha256 of its file follows
_OF_DRAWING = re.compile(rf"{DRAWING}[0-9a-f]{{64}}")


def drawing_of(url: str) -> str:
    """The sha256 of the drawing in a page that an address means; "" for any other address."""
    fragment = url.partition("#")[2]
    return fragment.removeprefix(DRAWING) if _OF_DRAWING.fullmatch(fragment) else ""


def domains(host: str) -> list[str]:
    """A host and every domain that it is below, the nearest first.

    >>> domains("img.cdn.a.test")
    ['img.cdn.a.test', 'cdn.a.test', 'a.test', 'test']
    """
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]


def site_host(url: str) -> str:
    """Host of a URL in lower case, with a port that is not the scheme's own; "" where it has none.

    >>> site_host("https://Me@A.test:443/x"), site_host("http://a.test:8080/"), site_host("mailto:me@a.test")
    ('a.test', 'a.test:8080', '')
    """
    try:
        return _host(urlsplit(url))
    except (ValueError, UnicodeError):
        return ""


def resolve(base: str, reference: str) -> str:
    r"""Absolute http(s) URL of `reference` on a page at `base`, percent-encoded; "" where it means none.

    >>> resolve("https://a.test/d/page", " ../cats and\ndogs.jpg#x"), resolve("https://a.test/", "//b.test")
    ('https://a.test/cats%20anddogs.jpg', 'https://b.test/')
    >>> resolve("https://a.test/", "mailto:me@a.test")
    ''
    """
    # Nine in ten are of these kinds, and taking one apart costs more than the rest of what is done with an image.
    if "/." in reference or "%2e" in reference or "%2E" in reference:  # may lead upwards
        return _resolved(base, reference)
    if _PLAIN.fullmatch(reference):
        return reference
    if _ROOTED.fullmatch(reference):
        root = _root(base)
        return root and root + reference[1:]
    if reference[:2] == "//" and _PLAIN.fullmatch(whole := f"{_root(base).partition(':')[0]}:{reference}"):
        return whole
    return _resolved(base, reference)


@lru_cache(maxsize=4096)
def _root(base: str) -> str:
    """The root of a page's host, "" where it has none."""
    return _resolved(base, "/")


def _resolved(base: str, reference: str) -> str:
    """As `resolve`, for every kind of reference."""
    try:
        said = _SPACES.sub("", reference.strip())
        if "\\" in said:  # browsers take it for a slash, but in a query, and any number of them for two before a host
            place, *query = _QUERY.split(said, maxsplit=1)
            said = "".join((_SLASHES.sub(r"\1//", place.replace("\\", "/")), *query))
        parts = _joined(base, said)
        if parts.scheme not in ("http", "https") or not (parts.hostname or "").strip("."):
            return ""
        path = quote(_straight(parts.path), safe=_PATH_SAFE) or "/"
        return urlunsplit((parts.scheme, _host(parts), path, quote(parts.query, safe=_QUERY_SAFE), ""))
    except ValueError:
        return ""


def _joined(base: str, reference: str) -> SplitResult:
    """RFC 3986, 5.2.2, but for dots; the standard library's `urljoin` makes one slash of two, wherever they stand."""
    asked = urlsplit(reference)
    if asked.scheme and asked.netloc:
        return asked
    there = urlsplit(base)
    if asked.netloc or asked.scheme not in ("", there.scheme):
        return asked._replace(scheme=asked.scheme or there.scheme)
    if not asked.path:
        return there._replace(query=asked.query or there.query)
    path = asked.path if asked.path[0] == "/" else f"{there.path.rpartition('/')[0]}/{asked.path}"
    return there._replace(path=path, query=asked.query)


def _straight(path: str) -> str:
    """A path without steps that stay or lead upwards (RFC 3986, 5.2.4): a server's rules are about where it ends."""
    if "/." not in path and "%2e" not in path.lower():
        return path
    steps, dots = [""], ""
    for step in path.split("/")[1:]:
        dots = step.lower().replace("%2e", ".")
        if dots == "..":
            del steps[max(len(steps) - 1, 1) :]
        elif dots != ".":
            steps.append(step)
    return "/".join([*steps, ""] if dots in (".", "..") else steps)


def quoted_anew(path: str) -> str:
    """A path with what must be percent-encoded in it and no more, byte for byte: not every site's are UTF-8.

    >>> quoted_anew("/a%2Db/ä%e4%3Fx")
    '/a-b/%C3%A4%E4%3Fx'
    """
    return quote(unquote_to_bytes(path.encode("utf-8", "surrogatepass")), safe=_PATH_SAFE.replace("%", ""))


@lru_cache(maxsize=65_536)
def image_key(url: str) -> str:
    """The form in which all addresses of one image are equal: as http, quoted anew, no fragment, no default port.

    Of a drawing in a page the fragment stays, which says which one it is.

    >>> image_key("https://A.test:443/a%2Db.jpg?w=1#top")
    'http://a.test/a-b.jpg?w=1'
    >>> image_key(f"https://a.test/#svg={'0' * 64}") == f"http://a.test/#svg={'0' * 64}"
    True
    """
    try:
        parts = urlsplit(url)
        place = parts.fragment if _OF_DRAWING.fullmatch(parts.fragment) else ""
        return urlunsplit((parts.scheme and "http", _host(parts), quoted_anew(parts.path) or "/", parts.query, place))
    except (ValueError, UnicodeError):
        return url


def page_key(url: str) -> str:
    """The form in which all addresses of one page are equal: no scheme, `www.`, tracking, fragment or last slash.

    >>> page_key("https://www.a.test/news/?utm_source=x&id=7#top")
    'a.test/news?id=7'
    """
    try:
        parts = urlsplit(url)
        asked = parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
        query = sorted((k, v) for k, v in asked if not _TRACKING.match(k))
        host = _host(parts).removeprefix("www.")
        said = f"?{urlencode(query, errors='surrogateescape')}" if query else ""
        return f"{host}{quoted_anew(parts.path).rstrip('/')}{said}"
    except ValueError:
        return url


def host_name(host: str) -> str:
    """A host as DNS has it.

    Raises:
        UnicodeError: there is no such name.

    >>> host_name("Bücher.example.")
    'xn--bcher-kva.example'
    """
    name = host.lower().rstrip(".")
    return name if name.isascii() else name.encode("idna").decode("ascii")


def _host(parts: SplitResult) -> str:
    """Host as DNS has it, with the port where that is not the scheme's own."""
    host = host_name(parts.hostname or "")
    if ":" in host:
        host = f"[{host}]"
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{host}:{parts.port}" if parts.port and parts.port != default else host
