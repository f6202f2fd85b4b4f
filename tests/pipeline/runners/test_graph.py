"""A graph that is built quicker is the same graph."""

import bz2
import copy
import pickle
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.internal import cloudpickle_pickler, pickler
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
    TypeOptions,
)
from apache_beam.transforms import core, ptransform, userstate
from apache_beam.typehints import decorators

from weft.pipeline.runners import graph
from weft.schemas.tables import CLUSTERS
from weft.transforms.dedup.components import Stars
from weft.transforms.dedup.lsh import Signed, SimilarPairs
from weft.transforms.dedup.minhash import Bands
from weft.transforms.io import parquet

FLAGS = ["--runner=FnApiRunner", "--experiments=one", "--job_name=job"]


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beam as it is, until the test ends."""
    monkeypatch.setattr(core, "get_function_args_defaults", graph._ask)
    monkeypatch.setattr(core, "_check_fn_use_yield_and_return", graph._ask_source)
    monkeypatch.setattr(userstate, "get_dofn_specs", graph._ask_state)
    monkeypatch.setattr(PipelineOptions, "_visible_option_list", graph._ask_names)
    monkeypatch.setattr(decorators.IOTypeHints, "_make_origin", graph._ask_origin)
    monkeypatch.setattr(ptransform, "pickler", pickler)
    for module in (core, decorators):
        monkeypatch.setattr(module, "get_signature", graph._ask_signature)


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)
    graph.remember_signatures()


def built(options: PipelineOptions, folder: Path) -> bytes:
    """Pages compared, linked, counted and written: DoFns, plain functions, combiners, side inputs."""
    p = beam.Pipeline(options=options)
    edges = p | beam.Create([]).with_output_types(Signed) | SimilarPairs(Bands(13, 8, 0.8, exact=True))
    linked, _ = edges | "Pairs" >> beam.Map(lambda e: (e[0], e[1])).with_output_types(tuple[str, str]) | Stars(2)
    _ = linked | "Rows" >> beam.Map(lambda e: (*e, "x")) | parquet.WriteTable(str(folder), CLUSTERS, 2)
    made = p.to_runner_api()
    for transform in made.components.transforms.values():
        if transform.spec.urn == "beam:transform:pickled_python:v1":  # a composite of Beam's, pickled anew each time;
            transform.spec.ClearField("payload")  # runners take the transforms that it is made of
    return made.SerializeToString(deterministic=True)


def test_the_graph_is_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget(monkeypatch)
    monkeypatch.setattr(cloudpickle_pickler, "bz2", bz2)
    plain = built(PipelineOptions(FLAGS), tmp_path)
    graph.remember_signatures()
    graph.compress_functions(True)
    assert core.get_function_args_defaults is not graph._ask
    assert [built(graph.Options(FLAGS), tmp_path) for _ in range(2)] == [plain, plain]


class Counter(beam.DoFn):
    SEEN = userstate.CombiningValueStateSpec("seen", sum)
    PARAMETER = beam.DoFn.StateParam(SEEN)

    def process(self, element: Any, seen: Any = PARAMETER, when: Any = beam.DoFn.TimestampParam) -> Any:
        seen.add(1)
        return [element]


class Plain(beam.DoFn):
    def process(self, element: Any) -> Any:
        return [element]


@pytest.mark.usefixtures("remembered")
def test_of_each_function_its_own_parameters() -> None:
    for _ in range(2):  # asked, then remembered
        assert userstate.get_dofn_specs(Counter()) == ({Counter.SEEN}, set())
        assert userstate.get_dofn_specs(Plain()) == (set(), set())
        assert userstate.get_dofn_specs(core.CallableWrapperDoFn(lambda a: [a])) == (set(), set())
        assert Counter().get_function_arguments("process")[0] == ["element", "seen", "when"]
        assert core.CallableWrapperDoFn(lambda a, b=2: [a, b]).get_function_arguments("process") == (["a", "b"], [2])
        assert core.CallableWrapperDoFn(lambda a, c=3: [a, c]).get_function_arguments("process") == (["a", "c"], [3])
    userstate.get_dofn_specs(Counter())[0].clear()
    assert userstate.get_dofn_specs(Counter())[0] == {Counter.SEEN}
    names, _ = core.get_function_args_defaults(Counter().process)
    names.clear()
    assert core.get_function_args_defaults(Counter().process)[0] == ["element", "seen", "when"]


@pytest.mark.usefixtures("remembered")
def test_arguments_are_the_steps_own_and_what_cannot_be_pickled_is_told(tmp_path: Path) -> None:
    given = {"a": [1]}
    step = beam.Map(lambda row, taken: taken, given)
    given["a"].append(2)
    assert step.args == [{"a": [1]}]
    with open(tmp_path / "open", "w") as file:
        p = beam.Pipeline(options=graph.Options(FLAGS))
        _ = p | beam.Create([1]) | "Mine" >> beam.Map(lambda row: file.write(row))
        with pytest.raises(RuntimeError, match="Unable to translate Mine"):
            p.to_runner_api()


class Wrapped:
    def both(self, element: Any, seen: Any = Counter.PARAMETER) -> Any:
        if not element:
            return [element]
        yield element

    def one(self, element: int, times: int = 2) -> list[int]:
        return [element] * times


@pytest.mark.usefixtures("remembered")
def test_what_is_remembered_is_what_beam_finds() -> None:
    functions = [Wrapped().both, Wrapped().one, Wrapped.one, len, str.strip, set, lambda a, b=1: [a, b]]
    options = [PipelineOptions(FLAGS), StandardOptions(FLAGS), graph.Options(FLAGS)]
    for _ in range(2):  # asked, then remembered
        for function in functions:
            assert core.get_signature(function) == decorators.get_signature(function) == graph._ask_signature(function)
            found = core._check_fn_use_yield_and_return(function)
            assert found == graph._ask_source(function) == (function == functions[0])
        for function in functions[:2]:  # Beam looks into a method that is wrapped, not into a function
            wrapper = core.CallableWrapperDoFn(function)
            assert userstate.get_dofn_specs(wrapper) == graph._ask_state(wrapper)
            assert userstate.is_stateful_dofn(wrapper) == (function == functions[0])
        for one in options:
            assert one._visible_option_list() == graph._ask_names(one)
    options[1]._visible_option_list().clear()
    assert "streaming" in options[1]._visible_option_list()


def test_what_was_compressed_and_what_was_not_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudpickle_pickler, "bz2", bz2)
    beams = cloudpickle_pickler.dumps([1] * 99)
    for compress in (True, False):
        graph.compress_functions(compress)
        made = cloudpickle_pickler.dumps([1] * 99)
        assert (made == beams) is compress
        assert [cloudpickle_pickler.loads(one) for one in (made, beams)] == [[1] * 99] * 2
    graph.compress_functions(True)
    assert cloudpickle_pickler.loads(made) == [1] * 99


def test_the_options_are_beams() -> None:
    made = graph.Options(FLAGS, save_main_session=False)
    assert made.get_all_options() == PipelineOptions(FLAGS, save_main_session=False).get_all_options()
    made.view_as(StandardOptions).streaming = True
    made.view_as(DebugOptions).experiments.append("two")
    assert made.view_as(StandardOptions).streaming
    assert made.get_all_options()["experiments"] == ["one", "two"]
    assert graph.Options(FLAGS).view_as(DebugOptions).experiments == ["one"]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda options: pickle.loads(pickle.dumps(options))])
def test_a_copy_goes_its_own_way(again: Any) -> None:
    made = graph.Options(FLAGS)
    made.view_as(DebugOptions).experiments.append("two")
    made.view_as(GoogleCloudOptions).impersonate_service_account = "somebody"
    copied = again(made)
    assert copied.view_as(DebugOptions).experiments == ["one", "two"]
    copied.view_as(DebugOptions).experiments.append("three")
    copied.view_as(TypeOptions).runtime_type_check = True
    assert made.view_as(DebugOptions).experiments == ["one", "two"]
    assert not made.view_as(TypeOptions).runtime_type_check
    assert copied.view_as(GoogleCloudOptions).impersonate_service_account is None  # Beam's own rule for what is sent
