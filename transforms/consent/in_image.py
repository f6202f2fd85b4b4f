"""What a picture file says of its own use: IPTC's Data Mining field in its XMP, and C2PA's training assertions.

bytes → the words that forbid training, "" where none do. Nothing is decoded: an XMP packet stands in a file as plain
text (JPEG APP1, PNG iTXt, WebP and GIF chunks), and so does the CBOR of a C2PA assertion, so both are searched for.

plus:DataMining (IPTC Photo Metadata 2023.1, PLUS vocabulary) says DMI-PROHIBITED, -AIMLTRAINING, -GENAIMLTRAINING,
-EXCEPTSEARCHENGINEINDEXING, -SEECONSTRAINT and the like: all of them rule training out, or do unless a condition is met
that nobody can check here. DMI-ALLOWED and DMI-UNSPECIFIED forbid nothing.
"""

from __future__ import annotations

import re

_DATA_MINING = re.compile(rb"DMI-PROHIBITED[A-Z-]{0,60}+")
_C2PA = re.compile(  # CBOR: a map key "use" (text of 3) with the value "notAllowed" (text of 10), or "constrained" (11)
    rb"((?:c2pa|cawg)\.(?:ai_generative_training|ai_training|data_mining))"
    rb".{0,12}?\x63use(?:\x6a(notAllowed)|\x6b(constrained))",
    re.DOTALL,
)


def read(body: bytes) -> str:
    """The words that forbid training with a picture.

    >>> read(b"... <plus:DataMining>http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED</plus:DataMining> ...")
    'XMP plus:DataMining: DMI-PROHIBITED'
    """
    if b"DMI-PROHIBITED" in body and (found := _DATA_MINING.search(body)):
        return f"XMP plus:DataMining: {found[0].decode('ascii')}"
    if b"\x63use" in body and (found := _C2PA.search(body)):  # they all have it, and few other files
        return f"C2PA {found[1].decode('ascii')}: {(found[2] or found[3]).decode('ascii')}"
    return ""
