"""Preferences about use: what a Content-Usage or Content-Signal value says of training.

Content-Usage (AIPREF, draft-ietf-aipref-attach-05 and -vocab-08) is a structured-field dictionary (RFC 9651) of
`category=y` and `category=n`, read as strictly as the draft wants: what does not parse, and a value that is no such
token, says nothing. Its categories were renamed from draft to draft, and pages that were made then still have the old
ones: `tdm`, later `all`, held all use; `ai`, later `train-ai`, all training; `genai`, later `train-genai`, that of
generative models. The most specific one that a value has decides.

Content-Signal (contentsignals.org) is a list of `search`, `ai-input` and `ai-train`, each `yes` or `no`, and `use`, one
of `immediate`, `reference` and `full`: less than full rules training out where no `ai-train` says otherwise.
"""

from __future__ import annotations

import re
from typing import Literal

Said = Literal["", "y", "n"]  # nothing, training is allowed, it is not

_CATEGORIES = (("train-genai", "genai"), ("train-ai", "ai", "ai-train"), ("all", "tdm"))  # most specific first
_VALUES: dict[str, Said] = {"y": "y", "n": "n"}
_SIGNALS: dict[str, Said] = {"yes": "y", "no": "n", "y": "y", "n": "n"}
_KEY = r"[a-z*][a-z0-9_.*-]*+"
_BARE = (  # RFC 9651, 3.3
    r'"(?:[^"\\\x00-\x1f\x7f-\U0010ffff]|\\["\\])*+"|%"[\x20-\x7e]*?"|:[A-Za-z0-9+/=]*+:|\?[01]|@-?\d++|-?\d++(?:\.\d++)?|'
    r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*+"
)
_PARAMETERS = rf"(?:; *+{_KEY}(?:=(?:{_BARE}))?+)*+"
_MEMBER = re.compile(rf"({_KEY})(?:=(?:({_BARE})|\([^()]*+\)))?{_PARAMETERS}")
_COMMA = re.compile(r"[ \t]*+,[ \t]*+")
_SEPARATOR = re.compile("[,;]")


def usage(value: str) -> Said:
    """What a Content-Usage value says of the training of generative models.

    >>> usage("train-ai=n"), usage("train-ai=n, train-genai=y"), usage("search=n"), usage("train-ai=no")
    ('n', 'y', '', '')
    """
    said = _dictionary(value.strip(" "))
    for names in _CATEGORIES:
        # Content-Signal's word under the other name is taken as it is meant.
        found = {(_SIGNALS if name == "ai-train" else _VALUES).get(said.get(name, ""), "") for name in names} - {""}
        if found:
            return "n" if "n" in found else "y"
    return ""


def signal(value: str) -> Said:
    """What a Content-Signal value says of training.

    >>> signal("search=yes, ai-train=no"), signal("search=yes,use=reference"), signal("ai-train=yes,use=reference")
    ('n', 'n', 'y')
    """
    pairs = [part.partition("=")[::2] for part in _SEPARATOR.split(value.lower())]
    named = [(name.strip(), text.strip()) for name, text in pairs]
    training = {_SIGNALS.get(text, "") for name, text in named if name in ("ai-train", "train-ai")} - {""}
    if training:
        return "n" if "n" in training else "y"
    return "n" if any(name == "use" and text in ("immediate", "reference") for name, text in named) else ""


def _dictionary(text: str) -> dict[str, str]:
    """Bare values of a structured-field dictionary, the last of each key; empty where it does not parse."""
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        member = _MEMBER.match(text, place)
        if member is None:
            return {}
        found[member[1]] = member[2] or ""
        place = member.end()
        if place < len(text):
            comma = _COMMA.match(text, place)
            if comma is None or comma.end() == len(text):
                return {}
            place = comma.end()
    return found
