"""URLs as keys: when two addresses mean the same page or the same image.

`resolve` makes an absolute URL the way a browser would, `page_key` and `image_key` normalise one for comparison.
Image keys ignore scheme differences, fragments, default ports and needless percent-encoding, because the page and
the crawler often disagree on them; page keys also drop tracking parameters and a trailing slash (as C4 does).
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

_TRACKING = re.compile(
    r"^(utm_\w+|fbclid|gclid|dclid|msclkid|mc_[ce]id|igshid|ref|ref_src|feed|sessionid|phpsessid)$", re.I
)
_SPACES = re.compile(r"[\t\n\r]+")
# An absolute address that resolving would not change.
_PLAIN = re.compile(
    r"https?://(?:[a-z0-9-]+\.)+[a-z]+/[A-Za-z0-9/:@!$&'()*+,;=~%._-]*(?:\?[A-Za-z0-9/:@!$&'()*+,;=~%._?\[\]-]+)?"
)
_PATH_SAFE = "/:@!$&'()*+,;=~%-._"
_QUERY_SAFE = _PATH_SAFE + "?[]"


def resolve(base: str, reference: str) -> str:
    """Absolute http(s) URL of `reference` on a page at `base`, percent-encoded; "" where it has none."""
    if _PLAIN.fullmatch(reference):
        return reference  # most are, and taking them apart costs more than the rest of a page's images
    try:
        joined = urljoin(base, _SPACES.sub("", reference.strip()))
        parts = urlsplit(joined)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return ""
        host = _host(parts)
        path = quote(parts.path, safe=_PATH_SAFE) or "/"
        return urlunsplit((parts.scheme, host, path, quote(parts.query, safe=_QUERY_SAFE), ""))
    except ValueError:
        return ""


@lru_cache(maxsize=65_536)
def image_key(url: str) -> str:
    """The form under which an image is fetched and joined once: `http://` + host + decoded-and-requoted path."""
    try:
        parts = urlsplit(url)
        path = quote(
            unquote(parts.path, errors="surrogateescape"), safe=_PATH_SAFE.replace("%", ""), errors="surrogateescape"
        )
        return urlunsplit((parts.scheme and "http", _host(parts), path or "/", parts.query, ""))
    except (ValueError, UnicodeError):
        return url


def page_key(url: str) -> str:
    """The form under which two captures are the same page: no scheme, `www.`, tracking, fragment or last slash."""
    try:
        parts = urlsplit(url)
        query = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.match(k)]
        host = _host(parts).removeprefix("www.")
        return f"{host}{unquote(parts.path).rstrip('/')}" + (f"?{urlencode(sorted(query))}" if query else "")
    except ValueError:
        return url


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    if ":" in host:
        host = f"[{host}]"
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{host}:{parts.port}" if parts.port and parts.port != default else host
