"""Into how many files or units rows go: as many as are configured, else as many as the input asks for.

The number decides bytes, so it follows from the input alone, never from the runner. It doubles where a part would
become too large: two inputs of nearly one size have the same, and twice the input never needs another configuration.
"""

from __future__ import annotations

from weft.schemas.parameters import ConfigError

ROWS_A_FILE = 1_000_000  # of a table of ids and addresses: some 100 MB
KEPT_A_HOSTS_UNIT = 50_000  # kept documents and pairs whose images one unit asks for: some 150,000 addresses
SCORED_A_FILE = 100_000  # images, documents and pairs: vectors of 300 MB
KEPT_A_SHARD = 20_000  # documents and pairs: no corpus has more than about 10,000 samples in a shard, some 200 MB


def parts(asked: int, rows: int, each: int, least: int) -> int:
    """How many parts to make.

    Args:
        asked: what the configuration says; 0 leaves it to the input.
        rows: of the input.
        each: rows that a part may have.
        least: parts of a small input; more are this many times a power of two.

    Raises:
        ConfigError: fewer than none are asked for.

    >>> [parts(0, rows, 1_000, 8) for rows in (0, 8_000, 8_001, 100_000)], parts(3, 100_000, 1_000, 8)
    ([8, 8, 16, 128], 3)
    """
    if asked < 0:
        raise ConfigError(f"{asked} is no number of files: 0 leaves it to the input")
    if asked:
        return asked
    made = least
    while made * each < rows:
        made *= 2
    return made
