"""Near-duplicates in a Beam pipeline of your own, over documents of your own.

python examples/dedup_in_your_pipeline.py
"""

from typing import NamedTuple

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

import weft

STORY = "The keeper climbed the stairs every evening at dusk and wrote down what the sea had done that day. " * 6


class Note(NamedTuple):
    """Any NamedTuple with these fields will do; a date of the crawl decides which of two equal ones stays."""

    doc_id: str
    url: str
    crawl_date: int
    warc_file: str
    warc_offset: int
    texts: list[str | None]
    images: list[str | None]


NOTES = [
    Note("a", "https://one.example/story", 1, "", 0, [STORY], [None]),
    Note("b", "https://two.example/copy", 2, "", 1, [STORY.replace("sea", "water", 1)], [None]),
    Note("c", "https://three.example/", 3, "", 2, ["Something else altogether, and not long."], [None]),
]


def main() -> None:
    """Print which notes stay, and what became of the others."""
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as p:
        notes = p | beam.Create(NOTES).with_output_types(Note)
        found = notes | weft.Deduplicate(weft.DuplicateRules(threshold=0.7))
        _ = found.kept | "Kept" >> beam.Map(lambda row: print(f"kept {row.doc_id}"))
        _ = found.fates | "Fates" >> beam.Map(
            lambda fate: print(f"{fate.key}: {fate.fate} {fate.reason} {fate.detail}".rstrip())
        )


if __name__ == "__main__":
    main()
