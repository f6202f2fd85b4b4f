"""Where a sample stands in its shard: which of how many, and what its KEY.json says."""

from __future__ import annotations

import json
import tarfile
from typing import Any, NamedTuple

from weft.schemas.parameters import ConfigError
from weft.schemas.shards import META
from weft.transforms.io import files


class Place(NamedTuple):
    """A sample in its shard."""

    shard: str  # below shards/
    key: str
    number: int  # from 1, in the order of the tar
    meta: dict[str, Any]  # KEY.json


def samples(output: str, shard: str, begins: str | tuple[str, ...], holds: str = "") -> list[Place]:
    """The samples of one shard whose key begins so; names alone are read of the others.

    Args:
        shard: as in shards/manifest.jsonl.
        begins: a beginning, or several.
        holds: a doc_id that KEY.json must name among its documents, "" for none.

    Raises:
        ConfigError: the shard is damaged.
    """
    found: list[Place] = []
    keys: set[str] = set()
    path = files.join(output, "shards", shard)
    try:
        with files.open_read(path) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                keys.add(key)
                if suffix == META and key.startswith(begins):
                    content: Any = tar.extractfile(member)
                    meta = json.load(content)
                    if not holds or any(one["doc_id"] == holds for one in meta.get("documents", ())):
                        found.append(Place(shard, key, len(keys), meta))
    except (tarfile.TarError, ValueError) as error:
        raise ConfigError(f"{path} is not what was written: {error}") from None
    return found
