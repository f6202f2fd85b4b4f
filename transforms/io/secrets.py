"""Addresses of inputs without what lets somebody in: what is written down, and what is asked for.

https://me:pw@a.test/x.warc.gz?X-Amz-Signature=… ──► https://a.test/x.warc.gz   in tables, shards, manifests, messages
that name ──► `held` ──► the address itself, in the processes that read it and nowhere else
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from weft.schemas.records import stable_id

# Parameters of signed addresses: of S3 and Google, CloudFront, Azure's shared access signatures, and plain tokens.
_SIGNING = re.compile(
    r"x-(amz|goog)-.*|.*(sig|token|key|secret|auth|policy|passw|credential|accessid).*|expires"
    r"|s[vterpis]|ss|srt|spr|sip|sk[a-z]+",
    re.IGNORECASE,
)
_keys: ContextVar[Mapping[str, str] | None] = ContextVar("keys", default=None)


def public(path: str) -> str:
    """A path as it may be read by anybody; one that is not a web server's stays as it is.

    What a query says beside a signature may name the file, or be a secret of an unknown kind: its hash stands for it,
    the same however often the address is signed anew.

    >>> public("https://me:pw@a.test/x.warc.gz?X-Amz-Expires=60&X-Amz-Signature=0f3c"), public("s3://b/x?y")
    ('https://a.test/x.warc.gz', 's3://b/x?y')
    >>> public("https://a.test/get?file=x&token=1") == public("https://a.test/get?file=x&token=2")
    True
    """
    if not path.startswith(("http://", "https://")):
        return path
    try:
        parts = urlsplit(path)
    except ValueError:  # no address that anything can be asked for
        return re.sub(r"//[^/]*@|\?.*", "", path)
    if not parts.query and "@" not in parts.netloc:
        return path
    rest = [(key, value) for key, value in parse_qsl(parts.query, True) if not _SIGNING.fullmatch(key)]
    query = stable_id("query", urlencode(rest))[:16] if rest else ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, parts.fragment))


def lets_in(path: str) -> bool:
    """Whether an address holds a user, a password or a signature."""
    if not path.startswith(("http://", "https://")):
        return False
    try:
        parts = urlsplit(path)
    except ValueError:
        return False
    return "@" in parts.netloc or any(_SIGNING.fullmatch(key) for key, _ in parse_qsl(parts.query, True))


@contextmanager
def held(keys: Mapping[str, str]) -> Iterator[None]:
    """Ask for the addresses that stand behind public names while the block runs, in this thread.

    Args:
        keys: public name → address.
    """
    token = _keys.set(keys)
    try:
        yield
    finally:
        _keys.reset(token)


def address(path: str) -> str:
    """What is to be asked for to read a path."""
    return (_keys.get() or {}).get(path, path)
