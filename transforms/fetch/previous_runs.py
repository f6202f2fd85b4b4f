"""Images of an earlier run, so that a later one asks the web only for what is new or did not come.

An earlier output's index → its rows that stand: stored images, and failures that asking again would not mend. What
failed in a way that may pass (no answer, a busy host) is left out, and is thereby asked for again; so is what another
configuration refused (limits, robots.txt, opt-outs), and whatever a list excluded: today's lists are asked anew.
An image of the web whose host was not asked what it is today (robots.txt, tdmrep.json, or less in them was heard) is
asked for again too: what these files said then is written nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from weft.schemas.parameters import ConfigError, FetchRules
from weft.schemas.records import ImageRow
from weft.transforms.consent import agents, responses
from weft.transforms.extract import exclusions
from weft.transforms.fetch.blobs import TAKEN, Outcome, StoredBytes, read_stored
from weft.transforms.fetch.client import UNANSWERED
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.fetch.hosts import CAPPED
from weft.transforms.fetch.robots import DISALLOWED, OPT_OUT, PASSING, UNAVAILABLE
from weft.transforms.fetch.scheduler import TOO_SLOW
from weft.transforms.io import files, parquet, state
from weft.transforms.io.work_units import unit_of_file

_MAY_PASS = frozenset(
    {
        *UNANSWERED,
        CAPPED,
        "host_unreachable",
        "host_throttled",
        TOO_SLOW,
        UNAVAILABLE,
        "not_in_warc",
        "capture_unreadable",
    }
)
_STORED_BY = ("max_side", "quality", "format", "resize")  # what decides stored bytes
_REFUSED_BY = {  # reason → keys that made it
    "too_few_bytes": ("min_bytes",),
    "too_many_bytes": ("max_bytes",),
    "too_many_pixels": ("max_pixels",),
    DISALLOWED: ("robots", "user_agent"),
    "private_address": ("allow_networks", "connect_to"),
}

_UNASKED = "unasked"  # among `doubted`: images of hosts that are asked more today than they were


class IndexFile(NamedTuple):
    """One file of an earlier run's images/index."""

    rank: int  # 0 is the run that counts most
    output: str
    path: str
    doubted: tuple[str, ...] = ()  # reasons that another configuration gave: what they decided is decided anew
    final: bool = False  # whether failures that may pass stand too
    exclude: tuple[str, ...] = ()  # today's lists
    listed: str = ""  # what these say, as `exclusions.as_begun` asks


class EarlierImage(NamedTuple):
    """An image of an earlier run."""

    rank: int
    output: str
    row: ImageRow
    unit: str = ""  # of the run that is made anew, the unit that has it


def may_pass(status: str, http_status: int) -> bool:
    """Whether asking again may give another answer.

    >>> may_pass("timeout", 0), may_pass("http_error", 503), may_pass("http_error", 404)
    (True, True, False)
    """
    return status in _MAY_PASS or (status == "http_error" and http_status in PASSING)


def check(outputs: Sequence[str], rules: FetchRules) -> None:
    """Check that each output holds a finished fetch with images as they would be stored today, and no others.

    Raises:
        ConfigError: one does not.
    """
    for output in outputs:
        done = state.read(files.join(output, "fetch", "manifest.json"))
        if done is None:
            raise ConfigError(f"fetch.earlier names {output}, which holds no finished fetch")
        asked = done["config"]["fetch"]
        then = {key: asked.get(key, getattr(FetchRules, key)) for key in (*_STORED_BY, "min_bytes", "max_bytes")}
        other = [f"{key} = {then[key]}, not {now}" for key in _STORED_BY if (now := getattr(rules, key)) != then[key]]
        # How many bytes a stored image had is written nowhere.
        other += [f"min_bytes = {then['min_bytes']}, less than {rules.min_bytes}"] * (
            then["min_bytes"] < rules.min_bytes
        )
        other += [f"max_bytes = {then['max_bytes']}, more than {rules.max_bytes}"] * (
            then["max_bytes"] > rules.max_bytes
        )
        if other:
            raise ConfigError(f"fetch.earlier names {output}, whose images were stored with {'; '.join(other)}")


def index_files(
    outputs: Sequence[str], rules: FetchRules | None = None, final: str = "", listed: str = ""
) -> list[IndexFile]:
    """Index files of earlier runs; the first output named counts most.

    Args:
        outputs: of these runs.
        rules: of today; None takes them for those of then.
        final: the one of which failures stand too: today's rules are its own but for what is excluded.
        listed: what the lists of `rules` say, as `exclusions.as_begun` asks.
    """
    exclude = rules.exclude if rules else ()
    return [
        IndexFile(rank, output, path, () if output == final or not rules else doubted, output == final, exclude, listed)
        for rank, output in enumerate(outputs)
        for doubted in [_doubted(output, rules) if rules else ()]
        for path, _ in files.listing(files.join(output, "images", "index", "*.parquet"))
    ]


def images(index: IndexFile) -> Iterator[tuple[str, EarlierImage]]:
    """(image key, image) of each row of one index file that stands."""
    excluded = exclusions.as_begun(index.exclude, index.listed)
    unit = unit_of_file(index.path).removeprefix(TAKEN) if index.final else ""
    for row in parquet.read(index.path, ImageRow):
        stands = index.final or not may_pass(row.status, row.http_status)
        doubtful = row.status in index.doubted or (row.opt_out and OPT_OUT in index.doubted)
        doubtful = doubtful or (row.status == "ok" and row.origin == "http" and _UNASKED in index.doubted)
        # Of an archive the next best address counts instead; of the web none but this one was asked for.
        gone = excluded is not None and row.origin == "warc" and excluded.image(row.final_url)
        if stands and not doubtful and not gone:
            yield row.image_url, EarlierImage(index.rank, index.output, row, unit)


def _doubted(output: str, rules: FetchRules) -> tuple[str, ...]:
    """Reasons that an earlier run gave by keys which are others today, or by lists."""
    asked = ((state.read(files.join(output, "fetch", "manifest.json")) or {}).get("config") or {}).get("fetch") or {}

    def then(key: str) -> Any:
        said, default = asked.get(key), getattr(FetchRules, key)
        return default if said is None else tuple(said) if isinstance(default, tuple) else said

    found = {reason for reason, keys in _REFUSED_BY.items() if any(then(key) != getattr(rules, key) for key in keys)}
    signals = frozenset(then("opt_out") if then("honour_opt_out") else ())
    robots, tdm_file = ((then(key) and then("downloader") == "weft") for key in ("robots", "tdm_file"))
    if _questions(rules.robots, rules.tdm_file, rules.honoured, rules.ai_agents) - _questions(
        robots, tdm_file, signals, then("ai_agents")
    ):
        found.add(_UNASKED)
    if (signals, set(then("ai_agents"))) != (rules.honoured, set(rules.ai_agents)):
        found.add(OPT_OUT)
    return tuple(sorted({*found, exclusions.REASON}))


def _questions(robots: bool, tdm_file: bool, signals: Collection[str], named: Sequence[str]) -> frozenset[str]:
    """What is heard of the files of a host, of which nothing is on record where they forbid nothing."""
    asked = {"robots"} if robots else set()
    if robots:
        asked |= {signal for signal in signals if signal in responses.SITE_SIGNALS - {"tdm", "ai-txt"}}
        asked |= {f"agent {name}" for name in agents.chosen(named)} if asked - {"robots"} else set()
    return frozenset(asked | ({"tdm"} & set(signals) if tdm_file else set()))


def outcome(output: str, row: ImageRow) -> Outcome:
    """What came of an image in the run that wrote `output`, its bytes read from their blob.

    Raises:
        Damaged: they are not those that were stored.
    """
    image: Prepared | Refused = Refused(row.status, "as before")
    if row.status == "ok":
        where = StoredBytes(files.join(output, row.blob), row.offset, row.length, row.digest, row.image_url)
        (data,) = read_stored([where])
        image = prepared(row, data)
    return as_before(row, image)


def prepared(row: ImageRow, data: bytes) -> Prepared:
    """A stored image as it was before it was stored."""
    return Prepared(
        data, row.image_id, row.mime, row.width, row.height, row.stored_width, row.stored_height, row.phash,
        row.single_colour,
    )  # fmt: skip


def as_before(row: ImageRow, image: Prepared | Refused) -> Outcome:
    """What came of an image, in all but its bytes or its refusal as a row says."""
    return Outcome(row.image_url, image, row.http_status, row.fetched_at, row.final_url, row.opt_out)
