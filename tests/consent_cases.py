"""consent_cases.toml: what is said of training, and what follows from it, by section."""

import tomllib
from pathlib import Path
from typing import Any

CASES: dict[str, list[dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("consent_cases.toml").read_text("utf-8")
)


def named(case: dict[str, Any]) -> str:
    """The name of a case in a test report."""
    return str(case["from"])
