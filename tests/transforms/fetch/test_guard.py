"""Which addresses may be connected to; that nothing else is, the tests of hostile servers show."""

import asyncio

import pytest

from weft.schemas.parameters import ConfigError
from weft.transforms.fetch.guard import ADDRESSES_TRIED, Guard, is_public, networks


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        *[(a, False) for a in ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1")],
        *[(a, False) for a in ("0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1")],
        *[(a, False) for a in ("::", "::1", "::7f00:1", "fe80::1%eth0", "fc00::1", "ff0e::1", "::ffff:10.0.0.1")],
        *[(a, False) for a in ("168.63.129.16", "192.88.99.1", "192.0.0.1", "192.0.0.9", "192.0.0.170", "3fff::1")],
        *[(a, False) for a in ("3fff:fff::1", "5f00::1", "fd00:ec2::254", "100.100.100.200", "64:ff9b:1::808:808")],
        *[(a, False) for a in ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", "2001:2::1", "2001:20::1", "2001:1ff::1")],
        *[(a, False) for a in ("::ffff:168.63.129.16", "64:ff9b::a83f:8110", "2002:a83f:8110::", "2002:c058:6301::")],
        *[
            (a, False)
            for a in ("2606:4700::5efe:a00:1", "2606:4700::200:5efe:7f00:1", "192.31.196.1", "2620:4f:8000::1")
        ],
        *[(a, True) for a in ("168.63.129.17", "192.0.1.1", "192.88.98.1", "2001:200::1", "2002:808:808::")],
        *[(a, False) for a in ("64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "100::1")],
    ],
)
def test_public_means_global_unicast(address: str, public: bool) -> None:
    assert is_public(address) is public


def resolved(host: str, *allowed: str, told: list[list[str]] | None = None) -> list[str]:
    async def ask() -> list[str]:
        guard = Guard(allowed)
        try:
            return await guard.addresses(host)
        finally:
            await guard.close()

    with pytest.MonkeyPatch.context() as patch:
        if told:
            patch.setattr("weft.transforms.fetch.guard._look_up", lambda host: told.pop(0))
        return asyncio.run(ask())


def test_a_name_with_one_private_address_is_refused_as_a_whole() -> None:
    assert resolved("both.test", told=[["8.8.8.8", "8.8.4.4"]]) == ["8.8.8.8", "8.8.4.4"]
    with pytest.raises(PermissionError, match=r"both\.test is 10\.0\.0\.8"):
        resolved("both.test", told=[["8.8.8.8", "10.0.0.8"]])
    assert len(resolved("many.test", told=[[f"8.8.8.{n}" for n in range(9)]])) == ADDRESSES_TRIED


def test_literal_addresses_and_the_systems_own_names_are_looked_at_too() -> None:
    for host in ("127.0.0.1", "localhost", "2130706433"):
        with pytest.raises(PermissionError):
            resolved(host)
        assert "127.0.0.1" in resolved(host, "127.0.0.0/8", "::1/128")


def test_an_answer_is_used_again_and_asked_for_once() -> None:
    told = [["8.8.8.8"], ["10.0.0.1"]]

    async def ask() -> list[list[str]]:
        guard = Guard()
        found = await asyncio.gather(*(guard.addresses("a.test") for _ in range(5)))
        found.append(await guard.addresses("a.test"))
        assert [one["host"] for one in await guard.resolve("a.test", 80)] == ["8.8.8.8"], "what aiohttp connects to"
        await guard.close()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.transforms.fetch.guard._look_up", lambda host: told.pop(0))
        assert asyncio.run(ask()) == [["8.8.8.8"]] * 6
    assert len(told) == 1


def test_what_is_no_network_is_the_users_to_mend() -> None:
    assert [str(one) for one in networks(["10.1.0.0/16", "::1/128"])] == ["10.1.0.0/16", "::1/128"]
    with pytest.raises(ConfigError, match="allow_networks takes networks"):
        networks(["everything"])
