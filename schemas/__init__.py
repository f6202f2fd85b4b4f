"""The contract every other package reads: records, tables, shards and configuration.

records.py  what flows between Beam steps (NamedTuples with deterministic ids)
tables.py   the Arrow schema of every table on disk
shards.py   member names, serialisation and manifests of the webdataset shards
config.py   the strict TOML configuration and the built-in recipes

A leaf: standard library, numpy and pyarrow only; no Beam, no torch.
"""

if __name__ != "weft.schemas":  # the folder stands at the top of the repository, its import name does not
    raise ImportError("import weft.schemas")
