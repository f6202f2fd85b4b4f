"""How long fetch and crawl wait in tests: on a busy machine no clock decides what an answer is, or who is asked twice."""

from typing import Any

PATIENT: Any = {"timeout_s": 600.0, "stall_s": 0.0}
