"""An output directory that one command makes alone: taken when empty, gone on with when it is to be the same again."""

from __future__ import annotations

import json

from weft.pipeline.run import lock, manifest
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files


def claim(output: str, state: str, fingerprint: str, what: str) -> None:
    """Take an empty directory, or go on with this very thing; another's is never written over.

    Args:
        output: the directory.
        state: below it, where is said whose it is.
        fingerprint: of what is made.
        what: in words, for the error: "an export as mds".

    Raises:
        ConfigError: the directory holds something else.
    """
    path = files.join(output, state, "started.json")
    known = manifest.read_json(path)
    if known is None and any(not there.endswith(lock.NAME) for there, _ in files.listing(files.join(output, "*"))):
        raise ConfigError(f"{output} is not empty and holds no {what.split()[1]}; name another --output")
    if known is not None and known["fingerprint"] != fingerprint:
        raise ConfigError(f"{output} holds {known['what']}, of something else; name another --output")
    files.write_atomic(path, json.dumps({"fingerprint": fingerprint, "what": what}))
