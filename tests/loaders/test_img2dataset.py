"""img2dataset itself as the downloader, on loopback: the same pictures and reasons as weft's own client gives.

It stands here and not with the other tests because importing img2dataset alone takes eight seconds, three times over.
"""

import dataclasses

from recording_web import recording_web

from weft.schemas.parameters import FetchRules
from weft.transforms.fetch import unit
from weft.transforms.fetch.decode import Refused

RULES = FetchRules(downloader="img2dataset", max_side=32, timeout_s=3.0, retries=0, concurrency=4)


def test_it_gives_what_wefts_own_client_gives():
    own_rules = dataclasses.replace(RULES, downloader="weft", allow_networks=("127.0.0.0/8",))
    with recording_web(takes=0.0) as web:
        base = f"http://127.0.0.1:{web.server_address[1]}"
        wanted = {f"k{n}": f"{base}/ok/{n}.png" for n in range(3)}
        wanted |= {"gone": f"{base}/gone/x", "text": f"{base}/robots.txt", "dead": "http://127.0.0.1:1/x.png"}
        found, own = ({one.key: one for one in unit.from_web(wanted, rules)} for rules in (RULES, own_rules))
    assert set(found) == set(own) == set(wanted)
    for key, one in own.items():
        if isinstance(one.image, Refused):
            assert (found[key].image.reason, found[key].http_status) == (one.image.reason, one.http_status)
        else:
            assert found[key].image == one.image
