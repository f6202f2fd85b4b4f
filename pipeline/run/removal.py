"""Take something out of a finished run: what is left is, byte for byte, what a run would have made that never had it.

    lists ──► OUTPUT/exclude/HASH.txt, named in the configuration
    OUTPUT ──► OUTPUT/removing: the same run with these excluded ──► only files that differ replace those of OUTPUT

The second run takes what the first one has: rows of extract without what is excluded (no archive is parsed), and stored
images (none is asked for again). Duplicates are looked for anew, so that the twin of what is removed comes back, and
similarities are computed anew, because the last bits of a vector hang on its company. A removal that was killed goes on
when it is called again; until its last step OUTPUT, and its place in a dedup index, are as they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import weft.schemas.config as configuration
from weft.pipeline.run import decides, discards, manifest, place, registry
from weft.pipeline.run.context import Adds
from weft.pipeline.run.registry import BY_NAME, CORPUS
from weft.pipeline.run.run import Run
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.schemas.records import stable_id
from weft.transforms.dedup import index
from weft.transforms.extract import exclusions
from weft.transforms.io import files, state

_WORK, _SETTLING = "removing", "settling"


@dataclasses.dataclass(frozen=True)
class Removed:
    """What a removal did.

    Attributes:
        config: of the run as it is now.
        shards: how many there are.
        rewritten: names of those that were written anew.
    """

    config: Config
    shards: int
    rewritten: tuple[str, ...]


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
    if files.exists(files.join(work, _SETTLING)):
        _settle(work, output)
    config, found, apart = finished(output)
    text = "".join(f"{entry}\n" for entry in sorted(set().union(*map(exclusions.entries, lists))))
    exclusions.parse(text.splitlines(), ", ".join(lists))
    path = files.join(output, "exclude", f"{stable_id('exclude', text)[:16]}.txt")
    files.write_atomic(path, text)
    config = dataclasses.replace(config, exclude=tuple(sorted({*config.exclude, path})))
    manifest.write_run(work, config, found, apart)
    own = index.run_name([one[0] for one in found])
    mine = apart is None and bool(config.dedup.index) and discards.in_index(config.dedup.index, own, output) == ""
    adds: Adds = "later" if mine else "never"  # a subset has no place in the index, and gets none here
    Run(work, tuple(found), config, tuple(flags), quiet, say, finished=output, adds=adds, redo=True).go(CORPUS)
    shards = [name for name in _settle(work, output) if name.endswith(".tar")]
    return Removed(config, len(files.listing(files.join(output, "shards", "*", "*", "*.tar"))), tuple(shards))


def check(output: str) -> None:
    """Raise ConfigError where a removal was killed while it put its files in place."""
    if files.exists(files.join(output, _WORK, _SETTLING)):
        raise ConfigError(f"a removal from {output} was interrupted: call `weft remove` again first")


def finished(output: str) -> tuple[Config, list[registry.Input], list[str] | None]:
    """Configuration and input of a run that is finished through pack, and `apart` as of `manifest.write_run`.

    Raises:
        ConfigError: it is not.
    """
    place.recover(output)
    known = manifest.known_run(output)
    config = configuration.from_dict(known["config"])
    found = [tuple(one) for one in known["inputs"]]
    prints = registry.fingerprints(config, found, output)
    for name in CORPUS:
        if (manifest.read(output, name) or {}).get("fingerprint") != prints[name]:
            raise ConfigError(f"{output} is not finished: `weft run` goes on with {name}")
    return config, found, decides.against(config, [one[0] for one in found], output) if known.get("apart") else None


def _settle(work: str, output: str) -> list[str]:
    """Make the run's files those of `work`: what differs is replaced, what is not there any more goes.

    Killed in between, it is begun again by the next removal, and nothing else touches the run until then (`check`).
    """
    if waiting := state.read(files.join(work, "dedup", index.LATER)):
        index.whole(waiting["index"], waiting["run"], waiting["said"], work)
    files.write_atomic(files.join(work, _SETTLING), "")
    owned = sorted({name for stage in CORPUS for name in BY_NAME[stage].owned})
    now, before = _sizes(work, owned), _sizes(output, owned)
    changed = []
    for name, size in sorted(now.items()):
        source, target = files.join(work, name), files.join(output, name)
        data = files.read_bytes(source)
        if before.get(name) != size or data != files.read_bytes(target):
            files.write_atomic(target, data)
            changed.append(name)
    for name in sorted(before.keys() - now.keys()):
        files.remove_tree(files.join(output, name))
    files.write_atomic(files.join(output, "run.json"), files.read_bytes(files.join(work, "run.json")))
    if place_in_index := state.read(files.join(output, "dedup", index.LATER)):
        index.publish(place_in_index["index"], place_in_index["run"], place_in_index["said"])
    # The marker goes before the data: a settling that was killed here must not be taken for one to begin again.
    for name in (_SETTLING, *CORPUS):
        files.remove_tree(files.join(work, name))
    files.remove_tree(work)
    return changed


def _sizes(output: str, folders: Sequence[str]) -> dict[str, int]:
    """Path below the output → bytes, of every file of some of its folders."""
    found = [hit for name in folders for hit in files.listing(files.join(output, name, "**"))]
    return {path.removeprefix(f"{output}/"): size for path, size in found}
