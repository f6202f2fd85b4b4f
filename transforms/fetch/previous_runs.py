"""Images of an earlier run, so that a later one asks the web only for what is new or did not come.

An earlier output's index → its rows that stand: stored images, and failures that asking again would not mend. What
failed in a way that may pass (no answer, a busy host) is left out, and is thereby asked for again; so is what something
speaks against, where other opt-outs counted then than today.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from weft.schemas.parameters import ConfigError, ImageForm, Manners
from weft.schemas.records import ImageRow
from weft.transforms.fetch.blobs import Outcome, StoredBytes, read_stored
from weft.transforms.fetch.client import UNANSWERED
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.fetch.hosts import CAPPED
from weft.transforms.fetch.robots import PASSING, UNAVAILABLE
from weft.transforms.fetch.scheduler import TOO_SLOW
from weft.transforms.io import files, parquet, state

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


class IndexFile(NamedTuple):
    """One file of an earlier run's images/index."""

    rank: int  # 0 is the run that counts most
    output: str
    path: str
    doubtful: bool = False  # whether other opt-outs counted there: what they decided is decided anew
    final: bool = False  # whether failures that may pass stand too


class EarlierImage(NamedTuple):
    """An image of an earlier run."""

    rank: int
    output: str
    row: ImageRow


def may_pass(status: str, http_status: int) -> bool:
    """Whether asking again may give another answer.

    >>> may_pass("timeout", 0), may_pass("http_error", 503), may_pass("http_error", 404)
    (True, True, False)
    """
    return status in _MAY_PASS or (status == "http_error" and http_status in PASSING)


def check(outputs: Sequence[str], form: ImageForm) -> None:
    """Check that each output holds a finished fetch with images as they would be stored today.

    Raises:
        ConfigError: one does not.
    """
    for output in outputs:
        done = state.read(files.join(output, "fetch", "manifest.json"))
        if done is None:
            raise ConfigError(f"fetch.earlier names {output}, which holds no finished fetch")
        asked = done["config"]["fetch"]
        stored = {
            key: asked.get(key, getattr(ImageForm, key)) for key in _STORED_BY
        }  # an older run has not all of them
        other = [
            f"{key} = {value}, not {getattr(form, key)}" for key, value in stored.items() if value != getattr(form, key)
        ]
        if other:
            raise ConfigError(f"fetch.earlier names {output}, whose images were stored with {'; '.join(other)}")


def index_files(outputs: Sequence[str], rules: Manners | None = None, final: str = "") -> list[IndexFile]:
    """Index files of earlier runs; the first output named counts most.

    Args:
        outputs: of these runs.
        rules: which opt-outs count today; None takes them for those that counted then.
        final: the one of which failures stand too.
    """

    def doubtful(output: str) -> bool:
        return rules is not None and _counted(output) != (rules.honoured, set(rules.ai_agents))

    return [
        IndexFile(rank, output, path, doubtful(output), output == final)
        for rank, output in enumerate(outputs)
        for path, _ in files.listing(files.join(output, "images", "index", "*.parquet"))
    ]


def images(index: IndexFile) -> Iterator[tuple[str, EarlierImage]]:
    """(image key, image) of each row of one index file that stands."""
    for row in parquet.read(index.path, ImageRow):
        judged = row.opt_out or row.status == "opt_out"
        stands = index.final or not may_pass(row.status, row.http_status)
        if stands and not (index.doubtful and judged):
            yield row.image_url, EarlierImage(index.rank, index.output, row)


def _counted(output: str) -> tuple[frozenset[str], set[str]]:
    """(signals, AI agents) that counted in an earlier run."""
    asked = ((state.read(files.join(output, "fetch", "manifest.json")) or {}).get("config") or {}).get("fetch") or {}
    signals = asked.get("opt_out", Manners.opt_out) if asked.get("honour_opt_out", True) else ()
    return frozenset(signals), set(asked.get("ai_agents", Manners.ai_agents))


def outcome(output: str, row: ImageRow) -> Outcome:
    """What came of an image in the run that wrote `output`, its bytes read from their blob.

    Raises:
        Damaged: they are not those that were stored.
    """
    image: Prepared | Refused = Refused(row.status, "as before")
    if row.status == "ok":
        where = StoredBytes(files.join(output, row.blob), row.offset, row.length, row.digest, row.image_url)
        (data,) = read_stored([where])
        image = Prepared(
            data, row.image_id, row.mime, row.width, row.height, row.stored_width, row.stored_height, row.phash,
            row.single_colour,
        )  # fmt: skip
    return Outcome(row.image_url, image, row.http_status, row.fetched_at, row.final_url, row.opt_out)
