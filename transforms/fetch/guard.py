"""Where a request may lead: names are resolved once, every address is checked, and only those are connected to.

host → addresses, or PermissionError. A name that has one private address is refused as a whole, and literal addresses
are checked like those of names. An answer is kept for a while, so that a name cannot change its meaning between the
check and the connection. Networks that the user names are let through.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from weft.schemas.parameters import ConfigError

ADDRESSES_TRIED = 3  # of a host with several
_LIFE_S = 300.0  # how long an answer is used before its name is asked for again
_LOOKUPS = 32  # at once: the system's resolver blocks a thread for as long as it likes
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # all that is assigned for global unicast (RFC 4291)
# Of IANA's registries of special-purpose addresses, what Python's ipaddress lets through in one version or another; and
# Azure's host (168.63.129.16), which answers every machine there.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32", "192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24",
        "2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20", "5f00::/16",
    )
)  # fmt: skip
_ISATAP = (0x5EFE, 0x0200_5EFE)  # RFC 5214, 6.1: an IPv4 address in the last 32 bits comes after one of these
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Guard(AbstractResolver):
    """Resolves names for aiohttp, and refuses what is not public."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        """Let `allowed` through beside what is public.

        Args:
            allowed: networks, as `10.1.0.0/16`, that may be asked though they are not public.

        Raises:
            ConfigError: one that is no network.
        """
        self._allowed = networks(allowed)
        self._known: dict[str, tuple[float, list[str]]] = {}
        self._asking: dict[str, asyncio.Future[list[str]]] = {}
        self._threads = ThreadPoolExecutor(_LOOKUPS, "resolver")

    async def addresses(self, host: str) -> list[str]:
        """Addresses of a host in the system's order of preference, all of them fit to be asked.

        Raises:
            PermissionError: one of them is not public.
            OSError: the name is not known.
        """
        until, found = self._known.get(host, (0.0, []))
        if time.monotonic() >= until:
            asking = self._asking.get(host)
            if asking is None:  # many images of one host may ask at the same time
                looking = functools.partial(_look_up, host)
                asking = asyncio.get_running_loop().run_in_executor(self._threads, looking)
                self._asking[host] = asking
                asking.add_done_callback(functools.partial(self._answered, host))
            found = await asyncio.shield(asking)
            self._known[host] = (time.monotonic() + _LIFE_S, found)
        for address in found:
            if not self.allows(address):
                raise PermissionError(f"{host} is {address}" if address != host else f"{host} is not public")
        return found[:ADDRESSES_TRIED]

    def _answered(self, host: str, asked: asyncio.Future[list[str]]) -> None:
        self._asking.pop(host, None)
        if not asked.cancelled():
            asked.exception()  # so that asyncio does not complain where all who asked have left

    def allows(self, address: str) -> bool:
        """Whether this address may be connected to."""
        return is_public(address) or any(ipaddress.ip_address(address.split("%")[0]) in one for one in self._allowed)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """What aiohttp asks before it connects."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self.addresses(host)
        ]

    async def close(self) -> None:
        """Wait for nobody: a lookup that hangs ends when the system lets it."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def networks(texts: Sequence[str]) -> tuple[_Network, ...]:
    """Raises ConfigError for a text that is no network."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigError(f"fetch.allow_networks takes networks such as 10.1.0.0/16: {error}") from None


def is_public(address: str) -> bool:
    """Whether an address is global unicast, and so is any IPv4 address that it wraps."""
    found = ipaddress.ip_address(address.split("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped or found.sixtofour or found in _NAT64:
            inner = found.ipv4_mapped or found.sixtofour or ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
            return is_public(str(inner))
        if found not in _GLOBAL_V6:
            return False
        if int(found) >> 32 & 0xFFFFFFFF in _ISATAP and not is_public(
            str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
        ):
            return False
    if any(found in network for network in _SPECIAL):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
