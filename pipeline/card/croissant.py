"""Croissant 1.1 (MLCommons): the corpus as JSON-LD that loaders and data set searches read.

Every shard is a FileObject with its sha256; the samples of each corpus are a record set of names and KEY.json, the
shards themselves another, of what the manifest says.
"""

from __future__ import annotations

import json
from typing import Any

from weft.pipeline.card.facts import Facts
from weft.schemas import shards

NAME = "croissant.json"
SPECIFICATION = "http://mlcommons.org/croissant/1.1"
_TERMS = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileObject fileProperty fileSet format "
    "includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace "
    "samplingRate separator source subField transform"
).split()
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _TERMS},
}
_LISTED = {"name": "sc:Text", **dict.fromkeys(("samples", "tokens", "images", "bytes"), "sc:Integer")}
_MEMBERS = {"member": "filename", "json": "content"}


def write(facts: Facts, description: str, base: str) -> str:
    """The corpus in Croissant.

    Args:
        facts: of it.
        description: what it is, in a paragraph.
        base: where the shards are, an address or a path from where the file lies, without its last slash.
    """
    listed: dict[str, Any] = {
        "@type": "cr:FileObject",
        "@id": shards.MANIFEST,
        "name": shards.MANIFEST,
        "contentUrl": f"{base}/{shards.MANIFEST}",
        "encodingFormat": "application/jsonlines",
        "sha256": facts.manifest_sha256,
    }
    tars = [
        {
            "@type": "cr:FileObject",
            "@id": info.name,
            "name": info.name,
            "contentUrl": f"{base}/{info.name}",
            "contentSize": f"{info.bytes} B",
            "encodingFormat": "application/x-tar",
            "sha256": info.sha256,
        }
        for info in facts.infos
    ]
    held = {
        corpus: names
        for corpus in shards.corpora_of(facts.infos)
        if (names := [info.name for info in facts.infos if info.name.startswith(f"{corpus}/") and info.samples])
    }
    samples = [
        {
            "@type": "cr:FileSet",
            "@id": _set(corpus),
            "name": _set(corpus),
            "containedIn": [{"@id": name} for name in names],
            "encodingFormat": "application/json",
            "includes": f"*.{shards.META}",
        }
        for corpus, names in held.items()
    ]
    sets = [_records("shards", {"fileObject": {"@id": shards.MANIFEST}}, "column", {n: n for n in _LISTED}, _LISTED)]
    sets += [_records(corpus, {"fileSet": {"@id": _set(corpus)}}, "fileProperty", _MEMBERS, {}) for corpus in held]
    said = facts.said
    told = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": said.name,
        "description": description,
        "conformsTo": SPECIFICATION,
        "version": "1.0.0",
        "datePublished": said.published,
        "citeAs": f"{said.creator or 'Anonymous'}: {said.name} ({said.published[:4]})",
        "license": said.licence,
        "url": said.url,
        "creator": {"@type": "sc:Organization", "name": said.creator} if said.creator else None,
        "inLanguage": [code for code, _ in facts.languages if code != "undecided"],
        "rai:dataCollection": f"Pages of web archives, {len(facts.inputs):,} in number.",
        "rai:dataCollectionTimeframe": list(facts.period) if facts.period else None,
        "distribution": [listed, *tars, *samples],
        "recordSet": sets,
    }
    return json.dumps({key: value for key, value in told.items() if value}, indent=1, ensure_ascii=False) + "\n"


def _set(corpus: str) -> str:
    return f"{corpus}-{shards.META}"


def _records(
    name: str, source: dict[str, Any], how: str, fields: dict[str, str], types: dict[str, str]
) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{field}",
                "name": field,
                "dataType": types.get(field, "sc:Text"),
                "source": {**source, "extract": {how: what}},
            }
            for field, what in fields.items()
        ],
    }
