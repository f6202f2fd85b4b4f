"""Hostile servers: each ends in a named fate, in bounded time and memory, and nothing private is ever connected to.

Every test runs behind `fence`, which stands in front of the socket's connect and of the resolver: a name is answered from
a table, and a connection to anything but the test's own server raises and is remembered. So a guard that fails is caught
here, and no packet leaves.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_web import HostileWeb, hostile_web

from weft.schemas.parameters import FetchRules
from weft.transforms.fetch.decode import Refused
from weft.transforms.fetch.unit import from_web

HERE = "127.0.0.1"
PRIVATE = {  # names, and what the resolver says of them
    "loopback.test": [HERE],
    "loopback6.test": ["::1"],
    "metadata.test": ["169.254.169.254"],
    "mapped.test": ["::ffff:169.254.169.254"],
    "nat64.test": ["64:ff9b::a9fe:a9fe"],
    "sixtofour.test": ["2002:7f00:1::1"],
    "lan.test": ["192.168.1.1"],
    "carrier.test": ["100.64.3.4"],
    "nowhere.test": ["0.0.0.0"],
    "unique.test": ["fd12::1"],
    "linklocal.test": ["fe80::1%1"],
    "both.test": ["93.184.216.34", "10.0.0.8"],
}
LITERAL = (
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "169.254.169.254", "0xa9fea9fe",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "10.255.0.1", "[fc00::5]",
)  # fmt: skip


class Fence:
    """What was connected to, and what names mean."""

    def __init__(self) -> None:
        self.ports: set[int] = set()
        self.breached: list[Any] = []
        self.names: dict[str, list[list[str]]] = {}  # host → its answers, one after the other; the last one stays
        self.asked: list[str] = []


@pytest.fixture(autouse=True)
def fence(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fence]:
    made = Fence()
    real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[:2] not in {(HERE, p) for p in made.ports}:
            made.breached.append(address)
            raise AssertionError(f"connecting to {address}")
        return real_connect(self, address)

    def lookup(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        try:
            return real_lookup(name, *rest, **{**more, "flags": socket.AI_NUMERICHOST})  # a literal asks nobody
        except socket.gaierror:
            made.asked.append(name)
        answers = made.names.get(name)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        told = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))
            for address in told
        ]

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    yield made
    assert not made.breached, made.breached


@pytest.fixture
def web(fence: Fence) -> Iterator[HostileWeb]:
    with hostile_web() as one:
        fence.ports.add(one.port)
        yield one


CONFIG = FetchRules(  # no clock decides where an answer ends, however busy the machine is
    timeout_s=600.0, stall_s=0.0, retries=0, concurrency=200, max_bytes=1_000_000, robots=False, tdm_file=False
)
SHORT: Any = {"timeout_s": 1.0, "stall_s": 0.5}  # for answers that never do


def fates(urls: dict[str, str], config: FetchRules) -> dict[str, tuple[str, str]]:
    """Key → (reason, detail), "ok" where there is an image; all asked for in one unit."""
    found = {outcome.key: outcome.image for outcome in from_web(urls, config)}
    assert set(found) == set(urls), "each has one fate"
    return {key: image[:2] if isinstance(image, Refused) else ("ok", "") for key, image in found.items()}


def routed(web: HostileWeb, **section: Any) -> FetchRules:
    return dataclasses.replace(CONFIG, connect_to=(f"web.test={HERE}:{web.port}",), **section)


# Of the last one, a chunk of no size, aiohttp never says that it broke.
ENDLESS = ("silent", "drip/head", "drip/body", "stall", "informed", "chunks")
ANSWERS = {  # path → its fate
    "ok": "ok",
    "reset": "incomplete",
    "hang_up": "connection_failed",
    "early": "incomplete",
    "long": "connection_failed",
    "minus": "connection_failed",
    "two_lengths": "connection_failed",
    "html": "not_an_image",
    "mislabelled": "ok",
    "garbage": "connection_failed",
    "ancient": "connection_failed",
    "status/204": "too_few_bytes",
    "status/206": "http_error",
    "status/304": "http_error",
    "status/401": "http_error",
    "status/416": "http_error",
    "status/451": "http_error",
    "status/999": "http_error",
    "long_header": "connection_failed",
    "many_headers": "connection_failed",
    "giant/told": "too_many_bytes",
    "giant/untold": "too_many_bytes",
    "endless_chunks": "too_many_bytes",
    "loop": "too_many_redirects",
    "chain/5": "ok",
    "chain/6": "too_many_redirects",
    "bomb/png": "too_many_pixels",
    "bomb/gif": "too_many_pixels",
    "bomb/webp": "too_many_pixels",
    "bomb/gzip": "too_many_bytes",
    "bomb/gzip2": "unsupported_format",
    "bomb/deflate": "too_many_bytes",
    "bomb/br": "bad_encoding",
    "bomb/svg": "svg",
}


def test_each_way_to_answer_badly_has_a_fate(web: HostileWeb) -> None:
    found = fates({path: f"http://h{n}.web.test/{path}" for n, path in enumerate(ANSWERS)}, routed(web))
    assert {path: reason for path, (reason, _) in found.items()} == ANSWERS
    assert web.sent < 3 * 40_000_000, "what is too long is not read to its end"
    assert "text/html" not in found["html"][1] and "image/jpeg" in found["html"][1], "the declared type is on record"


def test_what_never_ends_holds_up_its_unit_for_no_longer_than_its_time(web: HostileWeb) -> None:
    begun = time.monotonic()
    found = fates({path: f"http://h{n}.web.test/{path}" for n, path in enumerate(ENDLESS)}, routed(web, **SHORT))
    assert {path: reason for path, (reason, _) in found.items()} == dict.fromkeys(ENDLESS, "timeout")
    assert time.monotonic() - begun < 60


def test_cookies_are_never_sent_back(web: HostileWeb) -> None:
    fates({str(n): f"http://web.test/ok/{n}" for n in range(4)}, routed(web, per_host=1))
    assert len(web.asked) == 4 and {cookie for *_, cookie in web.asked} == {""}


def test_no_redirect_leads_into_a_private_network(web: HostileWeb, fence: Fence) -> None:
    fence.names = {name: [told] for name, told in PRIVATE.items()}
    port = web.port
    web.targets = [
        *(f"http://{host}:{port}/ok" for host in (*LITERAL, *PRIVATE)),
        *(f"https://{host}/latest/meta-data/" for host in ("169.254.169.254", "metadata.test", "mapped.test")),
        *("file:///etc/passwd", "data:image/gif;base64,R0lGODlhAQABAA==", "ftp://lan.test/a.png", "javascript:0"),
        *("gopher://127.0.0.1:70/_", "http://["),
    ]
    urls = {target: f"http://h{n}.web.test/to/{n}" for n, target in enumerate(web.targets)}
    found = {target: reason for target, (reason, _) in fates(urls, routed(web)).items()}
    for target, reason in found.items():
        web_like = target.startswith("http") and len(target) > 8
        assert reason in (("private_address",) if web_like else ("bad_redirect", "http_error")), target
    assert len(web.asked) == len(urls), "nothing was asked for but the redirects"


def test_nothing_private_is_asked_for_to_begin_with(web: HostileWeb, fence: Fence) -> None:
    fence.names = {name: [told] for name, told in PRIVATE.items()}
    urls = {host: f"http://{host}:{web.port}/ok" for host in (*LITERAL, *PRIVATE)}
    config = dataclasses.replace(CONFIG, robots=True, tdm_file=True)
    assert {reason for reason, _ in fates(urls, config).values()} == {"private_address"}
    assert web.asked == []


def test_a_name_that_changes_its_mind_is_connected_to_as_it_was_checked(web: HostileWeb, fence: Fence) -> None:
    """DNS rebinding: a public answer for the check, a private one for the connection."""
    fence.names = {"turncoat.test": [["93.184.216.34"], [HERE]]}
    with pytest.raises(AssertionError, match=r"93\.184\.216\.34"):  # the fence: the checked address is what is used
        fates({"a": f"http://turncoat.test:{web.port}/ok"}, CONFIG)
    assert fence.breached.pop()[0] == "93.184.216.34" and not fence.breached
    assert web.asked == [] and fence.asked == ["turncoat.test"]


def test_named_networks_and_no_others_are_let_through(web: HostileWeb, fence: Fence) -> None:
    fence.names = {"here.test": [[HERE]], "lan.test": [["192.168.1.1"]]}
    config = dataclasses.replace(CONFIG, allow_networks=("127.0.0.1/32",))
    urls = {host: f"http://{host}:{web.port}/ok" for host in ("here.test", "lan.test", "127.0.0.1", "127.0.0.2")}
    found = {host: reason for host, (reason, _) in fates(urls, config).items()}
    assert found == {
        "here.test": "ok",
        "127.0.0.1": "ok",
        "lan.test": "private_address",
        "127.0.0.2": "private_address",
    }


def test_unknown_names_and_addresses_of_no_sense(web: HostileWeb) -> None:
    urls = {
        "unknown": "http://no-such-host.test/a.png",
        "label": f"http://{'a' * 70}.web.test/ok",
        "port": "http://web.test:99999/ok",
        "bracket": "http://[::1/ok",
        "empty": "http:///ok",
        "scheme": "gopher://web.test/ok",
        "user": "http://me:secret@web.test/ok",
        "space": "http://web.test/ok/a b.png",
        "latin": "http://web.test/ok/m\xfcnze.png",
        "surrogate": "http://web.test/ok/\udcff.png",
        "punycode": "http://xn--mnze-0ra.web.test/ok",
        "idn": "http://m\xfcnze.web.test/ok",
        "null": "http://web.test/ok/\x00",
        "lines": "http://web.test/ok/a\r\nX-Injected: 1",
    }
    found = {key: reason for key, (reason, _) in fates(urls, routed(web)).items()}
    bad = dict.fromkeys(("label", "port", "bracket", "empty", "scheme"), "bad_url")
    fine = dict.fromkeys(("user", "space", "latin", "punycode", "idn", "null", "lines"), "ok")
    surrogate = found.pop("surrogate")
    assert found == {"unknown": "connection_failed", **bad, **fine} and surrogate in ("ok", "bad_url")
    assert not any("secret" in host for host, *_ in web.asked)


def test_hostile_rules(web: HostileWeb) -> None:
    expected = {
        "rules-none": "ok",
        "rules-html": "ok",
        "rules-forbid": "robots_disallowed",
        "rules-bomb": "robots_disallowed",  # its beginning counts, as that of a long one that is not packed
        "rules-giant": "ok",
        "rules-loop": "ok",
        "rules-away": "private_address",
        "rules-broken": "robots_unavailable",
    }
    found = fates({name: f"http://{name}.web.test/ok" for name in expected}, routed(web, robots=True))
    assert {name: reason for name, (reason, _) in found.items()} == expected
    assert web.sent < 20_000_000
    ((reason, _),) = fates({"": "http://rules-silent.web.test/ok"}, routed(web, robots=True, **SHORT)).values()
    assert reason == "timeout"


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path, fence: Fence) -> None:
    from tls import server_context

    with hostile_web(server_context(tmp_path)) as web:
        fence.ports.add(web.port)
        fence.names = {"tls.test": [[HERE]], "other.test": [[HERE]]}
        config = dataclasses.replace(CONFIG, allow_networks=("127.0.0.1/32",))
        told = fates({host: f"https://{host}:{web.port}/ok" for host in fence.names}, config)
        assert {reason for reason, _ in told.values()} == {"connection_failed"} and web.asked == []
        assert "CERTIFICATE_VERIFY_FAILED" in told["tls.test"][1]


MEMORY = """
    import json, resource, sys
    from weft.transforms.fetch.unit import from_web
    from weft.schemas.parameters import FetchRules
    port, paths = sys.argv[1], json.loads(sys.argv[2])
    config = FetchRules(connect_to=(f"web.test=127.0.0.1:{port}",), robots=False, tdm_file=False, retries=0, timeout_s=600.0,
                   stall_s=0.0, max_bytes=8_000_000)
    list(from_web({"warm": "http://web.test/ok"}, config))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wanted = {f"{path}{n}": f"http://h{n}.web.test/{path}" for path in paths for n in range(4)}
    told = sorted({outcome.image[0] for outcome in from_web(wanted, config)})
    print(json.dumps([told, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024]))
"""


def test_memory_stays_bounded(web: HostileWeb) -> None:
    """Four of each at once: a stream of 4 GB, endless chunks, bombs; each may hold max_bytes and its copy."""
    paths = ["giant/untold", "endless_chunks", "bomb/png", "bomb/gif", "bomb/webp", "bomb/gzip", "bomb/deflate"]
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEMORY), str(web.port), json.dumps(paths)],
        capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[3],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    )  # fmt: skip
    told, grown = json.loads(ran.stdout.splitlines()[-1])
    assert told == ["too_many_bytes", "too_many_pixels"]
    assert grown < 600_000_000, "28 answers at once of at most 8 MB each, twice; a single bomb opened would be 1.2 GB"
