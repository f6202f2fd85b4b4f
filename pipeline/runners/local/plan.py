"""A pipeline as steps on collections, each at its level: what can run as soon as the levels before it are done.

A graph of Beam's → Plan, which can be pickled. A step runs in the level of what it reads, row by row; what groups rows
or spreads them anew gives its rows to the next level, and what reads a side input waits for the level after that one's.
A collection that is read later than it is made is kept whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import apache_beam as beam
from apache_beam.coders import Coder, registry
from apache_beam.internal import cloudpickle_pickler
from apache_beam.pipeline import AppliedPTransform
from apache_beam.runners.common import DoFnSignature
from apache_beam.transforms.combiners import curry_combine_fn
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints import typehints

Kind = Literal["create", "do", "flatten", "group", "combine", "spread"]
SHUFFLES = ("group", "combine", "spread")
_WHOLE = (beam.Create, beam.CombinePerKey, beam.Reshuffle, beam.transforms.util.ReshufflePerKey)
# What a method may ask for beside its rows: times are lost where a level ends, and nobody would call a finalizer.
_KNOWN = (
    beam.DoFn.ElementParam, beam.DoFn.SideInputParam, beam.DoFn.KeyParam,
    beam.DoFn.WindowParam, beam.DoFn.PaneInfoParam,
)  # fmt: skip
_CONTEXTS = (beam.DoFn.SetupContextParam, beam.DoFn.BundleContextParam)
_PARAMETER = type(beam.DoFn.ElementParam)


class Side(NamedTuple):
    """A side input: the collection, and how the step sees it."""

    collection: int
    view: Any  # class of beam.pvalue.AsSideInput
    options: dict[str, Any]


class Coders(NamedTuple):
    """Of a shuffle: its keys and its values. Of other rows: the value's alone."""

    key: Coder | None
    value: Coder


@dataclasses.dataclass(frozen=True)
class Step:
    """One transform that has no parts.

    Attributes:
        level: in which it takes its rows.
        inputs: collections it takes.
        outputs: tag → collection; None is the main one.
        what: (DoFn, arguments by place, by name) or a CombineFn, pickled by itself, so that no two steps hold one
            object, however often one was applied; or the values created.
        coders: of the rows that it keeps for the next level.
    """

    kind: Kind
    label: str
    level: int
    inputs: tuple[int, ...]
    outputs: dict[str | None, int]
    what: Any = None
    sides: tuple[Side, ...] = ()
    coders: Coders | None = None


Source = Step | int  # what created or shuffled rows; a collection that was kept


@dataclasses.dataclass
class Plan:
    """Steps in an order in which each comes after those that it reads from.

    Attributes:
        made: collection → level in which its rows come to be.
        kept: collection → coder, of those that are read in a level after that.
        last: collection → level in which it is read last, of these.
    """

    steps: list[Step] = dataclasses.field(default_factory=list)
    made: dict[int, int] = dataclasses.field(default_factory=dict)
    kept: dict[int, Coder] = dataclasses.field(default_factory=dict)
    last: dict[int, int] = dataclasses.field(default_factory=dict)

    @property
    def levels(self) -> int:
        return 1 + max(self.made.values(), default=-1)

    def sides(self, level: int) -> set[str]:
        """Numbers of the collections that are side inputs of a level's steps."""
        return {str(side.collection) for one in self.steps if one.level == level for side in one.sides}

    def sources(self, level: int) -> list[Source]:
        """Where rows come from in a level: steps that create or shuffled them, and kept collections."""
        steps = [
            one
            for one in self.steps
            if (one.kind == "create" and one.level == level) or (one.kind in SHUFFLES and one.level == level - 1)
        ]
        read = {taken for one in self.steps for taken in one.inputs if one.level == level and self.made[taken] < level}
        return [*steps, *sorted(read)]


def of(pipeline: beam.Pipeline) -> Plan:
    """The plan of a pipeline.

    Raises:
        NotImplementedError: it has a transform that only other runners know.
    """
    plan, names = Plan(), _Names()
    for node in _leaves(pipeline._root_transform()):
        step = _step(node, plan, names)
        plan.steps.append(step)
        later = step.kind in SHUFFLES
        for collection in step.outputs.values():
            plan.made[collection] = step.level + later
    for step in plan.steps:
        early = {taken for taken in step.inputs if plan.made[taken] < step.level}
        for collection in early | {side.collection for side in step.sides}:
            plan.kept[collection] = registry.get_coder(names.types[collection])
            plan.last[collection] = max(step.level, plan.last.get(collection, 0))
    return plan


class _Names:
    """Collections by number, and what their rows are."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}  # id of Beam's object, which the pipeline keeps alive
        self.types: list[Any] = []

    def of(self, collection: Any) -> int:
        if id(collection) not in self._known:
            self._known[id(collection)] = len(self.types)
            self.types.append(collection.element_type or typehints.Any)
        return self._known[id(collection)]


def _leaves(node: AppliedPTransform) -> Iterator[AppliedPTransform]:
    """Transforms to run, in the order in which they were applied; composites that are run as one among them."""
    whole = any(isinstance(node.transform, one) and type(node.transform).expand is one.expand for one in _WHOLE)
    if whole or not node.parts:
        passed = {id(one) for one in node.inputs}
        if node.transform is not None and any(id(one) not in passed for one in node.outputs.values()):
            yield node
        return
    for part in node.parts:
        yield from _leaves(part)


def _step(node: AppliedPTransform, plan: Plan, names: _Names) -> Step:
    transform = node.transform
    inputs = tuple(names.of(one) for one in node.inputs if isinstance(one, beam.PCollection))
    outputs = {tag: names.of(one) for tag, one in node.outputs.items()}
    level = max((plan.made[taken] for taken in inputs), default=0)

    def made(kind: Kind, **more: Any) -> Step:
        return Step(kind, node.full_label, more.pop("level", level), inputs, outputs, **more)

    if isinstance(transform, beam.Create):
        return made("create", what=tuple(transform.values))
    if isinstance(transform, beam.Impulse):
        return made("create", what=(b"",))
    if isinstance(transform, beam.Flatten):
        return made("flatten")
    if isinstance(transform, beam.Reshuffle | beam.transforms.util.ReshufflePerKey):
        return made("spread", coders=Coders(None, registry.get_coder(names.types[inputs[0]])))
    if isinstance(transform, beam.GroupByKey):
        return made("group", coders=_keyed(names.types[inputs[0]], node.full_label))
    if isinstance(transform, beam.CombinePerKey):
        fn = transform.fn
        if transform.args or transform.kwargs:
            fn = curry_combine_fn(fn, transform.args, transform.kwargs)
        key = _keyed(names.types[inputs[0]], node.full_label).key
        return made("combine", what=cloudpickle_pickler.dumps(fn), coders=Coders(key, fn.get_accumulator_coder()))
    if isinstance(transform, beam.ParDo) and _plain(transform):
        sides = []
        for side in transform.side_inputs:
            options = {name: value for name, value in side._view_options().items() if name == "default"}
            sides.append(Side(names.of(side.pvalue), type(side), options))
        level = max([level, *(plan.made[side.collection] + 1 for side in sides)])
        what = cloudpickle_pickler.dumps((transform.fn, transform.args, transform.kwargs))
        return made("do", level=level, what=what, sides=tuple(sides))
    raise NotImplementedError(
        f"{node.full_label}: weft's runner knows no windows, times, state, timers, finalizers or splitting; "
        "--runner=FnApiRunner does"
    )


def _plain(transform: beam.ParDo) -> bool:
    if isinstance(transform, beam.WindowInto):
        return bool(transform.windowing.windowfn == GlobalWindows())  # as all rows are
    signature = DoFnSignature(transform.fn)
    methods = (signature.process_method, signature.start_bundle_method, signature.finish_bundle_method)
    strange = any(
        (isinstance(one, _PARAMETER) and not isinstance(one, _CONTEXTS) and one not in _KNOWN)
        or (isinstance(one, type) and issubclass(one, _PARAMETER))
        for method in methods
        for one in method.defaults
    )
    return not (strange or signature.is_stateful_dofn() or signature.is_splittable_dofn())


def _keyed(kind: Any, label: str) -> Coders:
    coder = registry.get_coder(typehints.coerce_to_kv_type(kind, label))
    return Coders(coder.key_coder().as_deterministic_coder(label), coder.value_coder())
