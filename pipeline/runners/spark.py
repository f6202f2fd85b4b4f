"""What weft asks of Beam's Spark runner, and the flags that only its job server knows."""

from __future__ import annotations

from collections.abc import Sequence

# Options of Beam's job server that are worth setting for a batch; it takes them from the same command line.
OPTIONS = frozenset(
    "--" + name
    for name in (
        "storage_level",
        "bundle_size",
        "cache_disabled",
        "prefer_group_by_key_to_handle_huge_values",
        "files_to_stage",
        "load_balance_bundles",
        "enable_spark_metric_sinks",
        "environment_expiration_millis",
        "app_name",
    )
)
_DEFAULTS = {
    # What is read twice is kept. Spark's own MEMORY_ONLY forgets what does not fit and then does it again from the
    # start: images would be asked for a second time.
    "--storage_level": "MEMORY_AND_DISK",
    # Python workers outlive the step they were started for: starting one for each of a job's steps is 3 to 6 s a step.
    "--environment_cache_millis": "600000",
}


def defaults(flags: Sequence[str]) -> list[str]:
    """Flags to add to the user's, where the user is silent."""
    given = {flag.split("=")[0] for flag in flags}
    return [f"{name}={value}" for name, value in _DEFAULTS.items() if name not in given]
