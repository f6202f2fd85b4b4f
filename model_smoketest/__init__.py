"""Kosmos-1 at smoke size: reads shards, trains, is evaluated. Imports schemas and torch; never Beam."""

if __name__ != "weft.model_smoketest":  # the folder stands at the top of the repository, its import name does not
    raise ImportError("import weft.model_smoketest")
