"""What resources cost: rates by the user, and defaults that say so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from weft.schemas.parameters import ConfigError

RATES = {  # dollars; what large clouds list, rounded (2026): a planner's numbers, nobody's offer
    "core_hour": 0.04,  # a core of a shared machine, with its 4 GB
    "gpu_hour": 3.0,  # an H100
    "stored_tb": 23.0,  # an object store, a month
    "shuffled_tb": 11.0,  # a shuffle service; 0 on machines of one's own
    "fetched_tb": 0.0,  # traffic into a cloud
}


def rates(entries: Sequence[str]) -> dict[str, float]:
    """RATES, with those that `name=dollars` entries set.

    Raises:
        ConfigError: an entry that means nothing.
    """
    found = dict(RATES)
    for entry in entries:
        name, _, value = entry.partition("=")
        try:
            found[name] = float(value)
            known = name in RATES and 0 <= found[name] < math.inf
        except ValueError:
            known = False
        if not known:
            raise ConfigError(f"--rate takes NAME=DOLLARS, 0 or more, with one of {', '.join(RATES)}, not {entry!r}")
    return found


def line(amounts: Mapping[str, float], by: Mapping[str, float]) -> str:
    """The sum and its parts, for a person."""
    costs = {name: amount * by[name] for name, amount in amounts.items() if amount * by[name]}
    parts = ", ".join(f"{name} {cost:,.0f} (at {by[name]:g})" for name, cost in costs.items())
    return f"money: ${sum(costs.values()):,.0f}{f', of it {parts}' if parts else ''}; --rate sets others"
