"""Take something out of a finished run: what is left is, byte for byte, what a run would have made that never had it.

    OUTPUT, lists ──► OUTPUT/removing: the same run with these excluded ──► what differs replaces what is in OUTPUT

The second run takes what the first one has: rows of extract without what is excluded (no archive is parsed), and stored
images (none is asked for again), and vectors, where these hang on nothing but their own image or text (score/units.py).
Duplicates are looked for anew, so that the twin of what is removed comes back. A removal that was killed goes on when
it is called again, or begins anew where OUTPUT has changed meanwhile; until its last step OUTPUT, and its place in a
dedup index, are as they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import weft.schemas.config as configuration
from weft.pipeline.run import decides, discards, idle, integrity, manifest, place, registry, taken_out
from weft.pipeline.run.context import Adds
from weft.pipeline.run.registry import BY_NAME, CORPUS
from weft.pipeline.run.run import Run
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.transforms.dedup import index
from weft.transforms.extract import exclusions
from weft.transforms.io import files, state

_WORK, _SETTLING = "removing", "settling"
TAKEN = ("extract", "fetch")  # stages of which rows and images are taken
SOURCE = "source.json"  # what the rows and images that are taken were when they were


@dataclasses.dataclass(frozen=True)
class Removed:
    """What a removal did.

    Attributes:
        config: of the run as it is now.
        shards: how many there are.
        rewritten: names of those that were written anew.
        idle: entries of the lists that name nothing of the run.
    """

    config: Config
    shards: int
    rewritten: tuple[str, ...]
    idle: tuple[str, ...] = ()


def remove(
    output: str,
    lists: Sequence[str],
    flags: Sequence[str] = (),
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> Removed:
    """Remove what the lists name from a finished run.

    Raises:
        ConfigError: the run is not finished, or a list cannot be read or holds a line that means nothing.
    """
    output, work = output.rstrip("/"), files.join(output.rstrip("/"), _WORK)
    settled = _settle(work, output) if files.exists(files.join(work, _SETTLING)) else []
    config, found, apart = finished(output)
    entries = set().union(*map(exclusions.entries, lists))
    if exclusions.contents((*config.exclude, *lists)) == exclusions.contents(config.exclude):
        # A removal that was cut off before it said of what. One of another list goes on when that comes again.
        if state.read(files.join(work, SOURCE)) is None:
            files.remove_tree(work)
        return _removed(config, output, settled)
    if unnamed := idle.of(entries, output):
        say(idle.line(unnamed, output))
    source = {"made": manifest.made(output, *TAKEN)}
    if state.read(files.join(work, SOURCE)) != source:
        files.remove_tree(work)
        state.write(files.join(work, SOURCE), source)
    config, mine = taken_out.into(work, output, config, entries)
    for path in set(taken_out.there(work)) - mine.keys():  # of a removal by another list, which was killed
        files.remove_tree(path)
    for path, text in mine.items():
        files.write_atomic(path, text)
    manifest.write_run(work, config, found, apart)
    own = index.run_name([one[0] for one in found])
    owns = apart is None and bool(config.dedup.index) and discards.in_index(config.dedup.index, own, output) == ""
    adds: Adds = "later" if owns else "never"  # a subset has no place in the index, and gets none here
    Run(work, tuple(found), config, tuple(flags), quiet, say, finished=output, adds=adds, redo=True).go(CORPUS)
    settled += _settle(work, output)
    return _removed(configuration.from_dict(manifest.known_run(output)["config"]), output, settled, unnamed)


def _removed(config: Config, output: str, settled: Sequence[str], unnamed: Sequence[str] = ()) -> Removed:
    shards = sorted({name for name in settled if name.endswith(".tar")})
    return Removed(
        config, len(files.listing(files.join(output, "shards", "*", "*", "*.tar"))), tuple(shards), tuple(unnamed)
    )


def check(output: str) -> None:
    """Raise ConfigError where a removal was killed while it put its files in place."""
    if files.exists(files.join(output, _WORK, _SETTLING)):
        raise ConfigError(f"a removal from {output} was interrupted: call `weft remove` again first")


def finished(output: str) -> tuple[Config, list[registry.Input], list[str] | None]:
    """Configuration and input of a run that is finished through pack, and `apart` as of `manifest.write_run`.

    Raises:
        ConfigError: it is not, or as `check`.
    """
    check(output)
    place.recover(output)
    known = manifest.known_run(output)
    config = configuration.from_dict(known["config"])
    found = [tuple(one) for one in known["inputs"]]
    names = [stage.name for stage in registry.STAGES]
    more = registry.decided(config, found, output, noted=decides.recorded(output, *names))
    prints = registry.fingerprints(config, found, more=more)
    for name in CORPUS:
        if (manifest.read(output, name) or {}).get("fingerprint") != prints[name]:
            raise ConfigError(f"{output} is not finished: `weft run` goes on with {name}")
    return config, found, decides.against(config, [one[0] for one in found], output) if known.get("apart") else None


def _settle(work: str, output: str) -> list[str]:
    """Make the run's files those of `work`: what differs is replaced, what is not there any more goes.

    Killed in between, it is gone on with by the next removal, and nothing else touches the run until then (`check`).

    Returns:
        Names of the files that are other than before.
    """
    place.sweep_beside(output)
    for name in CORPUS:
        place.sweep(output, BY_NAME[name])
    if waiting := state.read(files.join(work, "dedup", index.LATER)):
        index.whole(waiting["index"], waiting["run"], waiting["said"], work)
    settling = files.join(work, _SETTLING)
    if (said := state.read(settling)) is None:
        said = _differing(work, output)
        state.write(settling, said)
    for name in said["changed"]:
        files.copy(files.join(work, name), files.join(output, name))
    for name in said["gone"]:
        files.remove_tree(files.join(output, name))
    files.write_atomic(files.join(output, "run.json"), files.read_bytes(files.join(work, "run.json")))
    if place_in_index := state.read(files.join(output, "dedup", index.LATER)):
        index.publish(place_in_index["index"], place_in_index["run"], place_in_index["said"])
    # The markers go before the data: a settling that was killed here must not be taken for one to begin again.
    for name in (SOURCE, _SETTLING, *CORPUS):
        files.remove_tree(files.join(work, name))
    files.remove_tree(work)
    return list(said["changed"])


def _differing(work: str, output: str) -> dict[str, list[str]]:
    """Names of files that are not as they are in `work`, and of those that are not there any more.

    The lists of the stages say what a file is; what they do not list is read.
    """
    owned = sorted({name for stage in CORPUS for name in BY_NAME[stage].owned})
    lists = _sizes(work, [taken_out.FOLDER])
    now, before = _sizes(work, owned) | lists, _sizes(output, [*owned, taken_out.FOLDER])
    is_now, was = _listed(work), _listed(output)

    def differs(name: str) -> bool:
        if before.get(name) != now[name]:
            return True
        if name in is_now and name in was:
            return is_now[name] != was[name]
        return files.read_bytes(files.join(work, name)) != files.read_bytes(files.join(output, name))

    gone = before.keys() - now.keys()
    return {
        "changed": [name for name in sorted(now) if differs(name)],
        "gone": sorted(name for name in gone if not name.startswith(f"{taken_out.FOLDER}/")),
    }


def _listed(output: str) -> dict[str, str]:
    """Path below the output → sha256 of what the stages list."""
    return {name: file.sha256 for stage in CORPUS for name, file in integrity.listed(output, BY_NAME[stage]).items()}


def _sizes(output: str, folders: Sequence[str]) -> dict[str, int]:
    """Path below the output → bytes, of every file of some of its folders."""
    found = [hit for name in folders for hit in files.listing(files.join(output, name, "**"))]
    return {path.removeprefix(f"{output}/"): size for path, size in found}
