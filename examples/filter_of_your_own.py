"""Archives → documents → a filter of your own → Parquet, in a Beam pipeline of your own.

python examples/filter_of_your_own.py 'crawl/*.warc.gz' OUTPUT.parquet
"""

import sys
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

import weft

RULES = weft.PageRules(languages=("en",), min_words=30)
SCHEMA = pa.schema([("url", pa.string()), ("images", pa.int64()), ("text", pa.string())])


def judge(document: weft.Document) -> str:
    """A filter returns why it drops a document, "" to keep it: reasons can be counted, a bare False cannot."""
    words = sum(len(text.split()) for text in document.texts if text)
    pictures = sum(image is not None for image in document.images)
    if not pictures:
        return "no_pictures"
    return "" if words >= 40 * pictures else "more_pictures_than_text"


def judged(document: weft.Document) -> Iterator[Any]:
    """The document under `kept`, or its reason under `dropped`."""
    reason = judge(document)
    yield beam.pvalue.TaggedOutput("dropped" if reason else "kept", reason or document)


def row(document: weft.Document) -> dict[str, object]:
    """A document as a row of SCHEMA."""
    text = "\n\n".join(text for text in document.texts if text)
    return {"url": document.url, "images": sum(image is not None for image in document.images), "text": text}


def main() -> None:
    """Write what is kept, and print how many documents were dropped for which reason."""
    archives, output = sys.argv[1:]
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as p:
        pages = p | weft.ReadArchives(archives)
        found = pages.records | weft.ExtractPages(RULES)
        mine = found.documents | "Judge" >> beam.FlatMap(judged).with_outputs("kept", "dropped")
        _ = (
            mine.kept
            | "Row" >> beam.Map(row)
            | beam.io.WriteToParquet(output.removesuffix(".parquet"), SCHEMA, file_name_suffix=".parquet")
        )
        _ = mine.dropped | beam.combiners.Count.PerElement() | beam.Map(lambda n: print(f"dropped {n[1]}: {n[0]}"))


if __name__ == "__main__":
    main()
