"""An output directory that one command makes alone: taken when empty, gone on with when it is to be the same again."""

from __future__ import annotations

from weft.pipeline.run import lock
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, state


def claim(output: str, below: str, fingerprint: str, what: str, option: str = "--output", place: str = "") -> None:
    """Take an empty directory, or go on with this very thing; another's is never written over.

    Args:
        output: the directory.
        below: a directory in it, where is said whose it is.
        fingerprint: of what is made.
        what: in words, for the error: "an export as mds".
        option: that names the directory, for the error.
        place: where what it is made of lies; what it was made of there before may have been another.

    Raises:
        ConfigError: the directory holds something else.
    """
    path = files.join(output, below, "started.json")
    known = state.read(path) or {}
    if not {"fingerprint", "what"} <= known.keys():
        if lock.occupied(output):
            raise ConfigError(f"{output} is not empty and holds no {what.split()[1]}; name another {option}")
    elif known["fingerprint"] != fingerprint and not (place and known.get("place") == place):
        raise ConfigError(f"{output} holds {known['what']}, of something else; name another {option}")
    state.write(path, {"fingerprint": fingerprint, "what": what, **({"place": place} if place else {})})
