"""Beam comes without what weft leaves out, with all of it as soon as somebody asks, and builds the same graphs."""

import subprocess
import sys

GRAPH = """
import apache_beam as beam
from weft.pipeline.runners import beam_options

p = beam_options.pipeline(["--direct_num_workers=1"], 1)
_ = p | beam.Create([("a", 1)]) | beam.GroupByKey() | beam.Map(str) | beam.combiners.Count.Globally() | beam.Map(print)
made = p.to_runner_api()
parts = made.components
steps = [(one.unique_name, one.spec.urn, sorted(one.inputs), sorted(one.outputs)) for one in parts.transforms.values()]
coders = [(name, one.spec.urn, [*one.component_coder_ids]) for name, one in parts.coders.items()]
can = [sorted(one.capabilities) for one in parts.environments.values()]
print(sorted(steps), sorted(coders), can, sorted(made.requirements))  # functions are pickled with numbers of chance
"""
LIGHT = "from weft.pipeline.runners import process; process.prepare()\n"
LEFT_OUT = """
import importlib, sys
import pyarrow
column = pyarrow.table({"a": ["x"]})
heavy = ("pandas", "pymongo", "boto3", "google.cloud.storage", "google.cloud.dataflow", "apache_beam.io.mongodbio")
print([name for name in heavy if name in sys.modules], len(column.to_pandas()))
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners import create_runner
FileSystems.set_options(PipelineOptions([]))
print(type(FileSystems.get_filesystem("s3://a/b")).__name__, type(FileSystems.get_filesystem("/a/b")).__name__)
print(type(create_runner("DataflowRunner")).__name__, importlib.import_module("pandas").__name__)
from apache_beam.io.mongodbio import ReadFromMongoDB
from apache_beam.io.gcp.bigquery import ReadFromBigQuery
print(ReadFromMongoDB.__name__, ReadFromBigQuery.__name__)
try:
    FileSystems.get_filesystem("nowhere://a")
except ValueError as error:
    print(str(error)[:39])
"""


def said(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-P", "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_is_left_out_is_there_when_it_is_asked_for_and_graphs_are_the_same() -> None:
    graph, *rest = said(LIGHT + GRAPH + LEFT_OUT)
    assert [graph] == said("\n" + GRAPH)  # its lines have numbers
    assert rest == [
        "[] 1",
        "S3FileSystem LocalFileSystem",
        "DataflowRunner pandas",
        "ReadFromMongoDB ReadFromBigQuery",
        "Unable to get filesystem from specified",
    ]


def test_where_beam_has_been_imported_nothing_is_done() -> None:
    whole = "import sys, apache_beam\nbefore = [*sys.meta_path]\n"
    probe = "print(sys.meta_path == before, apache_beam.runners.DataflowRunner.__name__, 'pandas' in sys.modules)"
    assert said(whole + LIGHT + probe) == ["True DataflowRunner True"]
