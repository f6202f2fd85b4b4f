"""One level of a plan in one process: rows of its sources are pushed through the steps that hang on them.

Steps are called as every runner of Beam's calls them (its DoFnRunner); between them stands no coder and no queue. What
leaves the level is encoded, so that no later step sees an object that an earlier one still holds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.coders import Coder
from apache_beam.internal import cloudpickle_pickler
from apache_beam.metrics.cells import DistributionData
from apache_beam.metrics.execution import MetricsContainer
from apache_beam.metrics.metricbase import MetricName
from apache_beam.runners.common import DoFnRunner, Receiver
from apache_beam.runners.worker import statesampler
from apache_beam.transforms.window import GlobalWindows

from weft.pipeline.runners.local.partitions import Kept, Partition, Writer, part_of
from weft.pipeline.runners.local.plan import SHUFFLES, Coders, Plan, Side, Source, Step

_ONE_WINDOW = beam.Windowing(GlobalWindows())
_KEYS = 4_096  # keys that a combiner holds at a time
_in_window = GlobalWindows.windowed_value(None).with_value
Counts = dict[tuple[MetricName, bool], int | DistributionData]  # by name, and whether it is a distribution
_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass
class Shuffled:
    """What one shuffle took.

    Attributes:
        rows: before any were combined.
        sent: of them, or of what they were combined to.
        size: bytes of what was sent.
        largest: bytes of the values of one key, at most.
    """

    rows: int = 0
    sent: int = 0
    size: int = 0
    largest: int = 0

    def add(self, other: Shuffled) -> None:
        self.rows += other.rows
        self.sent += other.sent
        self.size += other.size
        self.largest = max(self.largest, other.largest)


@dataclasses.dataclass
class Found:
    """What one process leaves of a level."""

    kept: Kept
    shuffled: dict[str, Shuffled]  # by the label of the step
    counted: Counts


class Counted:
    """Counters of the steps that run in this thread; stands where Beam looks for those of a bundle."""

    def __init__(self) -> None:
        self.metrics_container = MetricsContainer("local")

    def current_state(self) -> Counted:
        return self

    def update_metric(self, name: Any, value: Any) -> None:
        self.metrics_container.get_metric_cell(name).update(value)

    def found(self) -> Counts:
        """Counters and distributions; nobody asks for the rest, as what a store's client keeps of its requests."""
        held = [(name.metric_name, cell.get_cumulative()) for name, cell in self.metrics_container.metrics.items()]
        return {(n, isinstance(v, DistributionData)): v for n, v in held if isinstance(v, int | DistributionData)}

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        before = statesampler.get_current_tracker()
        statesampler.set_current_tracker(self)
        try:
            yield
        finally:
            statesampler.set_current_tracker(before)


class _Fan(Receiver):
    """Hands each row of a collection to all who take it."""

    def __init__(self) -> None:
        self.takers: list[Callable[[Any], Any]] = []

    def receive(self, row: Any) -> None:
        for take in self.takers:
            take(row)


class _Tagged(dict[str | None, _Fan]):
    """Tag → who takes its rows: nobody, where the pipeline has not asked for them."""

    def __missing__(self, tag: str | None) -> _Fan:
        return _Fan()


class _View:
    """A side input as Beam's callers ask for it: by window, of which there is one."""

    def __init__(self, side: Side, rows: _Rows) -> None:
        self._make = functools.cache(lambda: side.view._from_runtime_iterable(rows, side.options))

    def is_globally_windowed(self) -> bool:
        return True

    def __getitem__(self, window: Any) -> Any:
        return self._make()


class _Rows:
    """A kept collection, to be gone through as often as one likes."""

    def __init__(self, parts: Iterable[Partition], coder: Coder) -> None:
        self._parts, self._decode = tuple(parts), coder.get_impl().decode

    def __iter__(self) -> Iterator[Any]:
        return (self._decode(row) for part in self._parts for rows in part.lists() for row in rows)


class _Values(Sequence[Any]):
    """The values of a key, each decoded when it is asked for."""

    def __init__(self, rows: Sequence[bytes], decode: Callable[[bytes], Any]) -> None:
        self._rows, self._decode = rows, decode

    def __iter__(self) -> Iterator[Any]:
        return map(self._decode, self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: Any) -> Any:
        found = self._rows[place]
        return [*map(self._decode, found)] if isinstance(found, list) else self._decode(found)


class Level:
    """The steps of one level, ready to be given rows.

    Args:
        writer: takes what leaves the level.
        sides: kept collections by number, of the levels before.
        folder: gives a directory for large partitions.
        turn: partition in which this process begins to spread rows.
    """

    def __init__(
        self, plan: Plan, level: int, writer: Writer, sides: Kept, folder: Callable[[], str], turn: int = 0
    ) -> None:
        self._plan, self._level, self._writer, self._sides, self._folder = plan, level, writer, sides, folder
        self._turn = turn
        self._shuffled: dict[str, Shuffled] = {}
        self._counted = Counted()
        self._fans: dict[int, _Fan] = {}
        self._runners: dict[int, DoFnRunner] = {}  # by the step's place in the plan
        self._below: dict[int, set[int]] = {}  # collection → places of the steps that its rows reach
        self._ready: dict[int, DoFnRunner] = {}  # those that are set up
        self._combiners: list[_Combiner] = []
        # Backwards, so that those who take a collection stand before it is made.
        for place, step in reversed([*enumerate(plan.steps)]):
            if step.level == level:
                self._add(place, step)

    def _add(self, place: int, step: Step) -> None:
        takes: Callable[[Any], Any]
        if step.kind == "do":
            tagged = _Tagged({tag: self._fan(collection) for tag, collection in step.outputs.items()})
            sides = [
                _View(side, _Rows(self._sides.get(str(side.collection), ()), self._plan.kept[side.collection]))
                for side in step.sides
            ]
            function, args, kwargs = cloudpickle_pickler.loads(step.what)
            runner = DoFnRunner(function, args, kwargs, sides, _ONE_WINDOW, tagged, step_name=step.label)
            self._runners[place] = runner
            takes = runner.process
        elif step.kind == "flatten":
            takes = self._fan(*step.outputs.values()).receive
        elif step.kind in SHUFFLES:
            takes = self._sink(step)
        else:
            return
        reached = {place} if step.kind == "do" else set()
        if step.kind not in SHUFFLES:
            reached = reached.union(*(self._below.get(made, ()) for made in step.outputs.values()))
        for taken in step.inputs:
            self._fan(taken).takers.append(takes)
            self._below[taken] = self._below.get(taken, set()) | reached

    def _fan(self, collection: int) -> _Fan:
        if (fan := self._fans.get(collection)) is None:
            fan = self._fans[collection] = _Fan()
            coder = self._plan.kept.get(collection)
            if coder is not None and self._plan.made[collection] == self._level:
                fan.takers.append(self._spread(str(collection), coder))
        return fan

    def _spread(self, name: str, coder: Coder, label: str = "") -> Callable[[Any], None]:
        encode, lists, grown = coder.get_impl().encode, self._writer.rows(name), self._writer.grown
        turn = self._turn

        def take(row: Any) -> None:
            nonlocal turn
            try:
                data = encode(row.value)
                lists[turn].append(data)
                turn = (turn + 1) % len(lists)
                grown(len(data))
            except Exception as error:
                raise _with_step(label, error) from None

        return take

    def _sink(self, step: Step) -> Callable[[Any], None]:
        assert step.coders is not None
        (name,) = map(str, step.outputs.values())
        if step.coders.key is None:
            return self._spread(name, step.coders.value, step.label)
        sent = self._shuffled[step.label] = Shuffled()
        if step.kind == "combine":
            combiner = _Combiner(step, self._writer, sent)
            self._combiners.append(combiner)
            return combiner.take
        encode, send = step.coders.key.get_impl().encode, _sender(name, step.coders, self._writer, sent)

        def take(row: Any) -> None:
            sent.rows += 1
            try:
                key, value = row.value
                send(encode(key), value)
            except Exception as error:
                raise _with_step(step.label, error) from None

        return take

    def run(self, source: Source, what: Sequence[Partition] | tuple[int, int]) -> None:
        """Push some rows of a source through the level, as one bundle.

        Args:
            what: partitions of what was kept or shuffled, or the first and the last place in what is created.
        """
        collection = source if isinstance(source, int) else next(iter(source.outputs.values()))
        receive = self._fan(collection).receive
        places = sorted(self._below.get(collection, ()))
        with self._counted.counting():
            for place in reversed(places):  # who gives rows begins after, and ends before, those who take them
                if place not in self._ready:
                    self._ready[place] = self._runners[place]
                    self._runners[place].setup()
                self._runners[place].start()
            for row in self._read(source, what):
                receive(_in_window(row))
            for place in places:
                self._runners[place].finish()

    def _read(self, source: Source, what: Sequence[Partition] | tuple[int, int]) -> Iterable[Any]:
        if isinstance(what, tuple):
            assert isinstance(source, Step)
            return source.what[slice(*what)]
        if isinstance(source, int):
            return _Rows(what, self._plan.kept[source])
        assert source.coders is not None
        if source.coders.key is None:
            return _Rows(what, source.coders.value)
        return self._grouped(source, source.coders.key, source.coders.value, what)

    def _grouped(self, source: Step, key: Coder, value: Coder, parts: Sequence[Partition]) -> Iterator[Any]:
        sent = self._shuffled.setdefault(source.label, Shuffled())
        decode_key, decode = key.get_impl().decode, value.get_impl().decode
        with contextlib.ExitStack() as stack:
            combine = stack.enter_context(_set_up(source)) if source.kind == "combine" else None
            for name, rows in (group for part in parts for group in part.groups(self._folder)):
                sent.largest = max(sent.largest, sum(map(len, rows)))
                values = _Values(rows, decode)
                if combine is None:
                    yield decode_key(name), values
                else:
                    with _naming(source.label):
                        whole = combine.extract_output(combine.merge_accumulators(values))
                    yield decode_key(name), whole

    def close(self, memory: int) -> Found:
        """Let go of what steps hold; what leaves the level.

        Args:
            memory: bytes that may be left there; what is more goes to files.
        """
        for combiner in self._combiners:
            combiner.flush()
        self.abandon()
        if self._writer.held > memory:
            self._writer.flush()
        return Found(self._writer.close(), self._shuffled, self._counted.found())

    def abandon(self) -> None:
        """Let go of what steps and combiners hold."""
        ends = [combiner.stack.close for combiner in self._combiners]
        ends += [runner.teardown for runner in self._ready.values()]
        self._combiners, self._ready = [], {}
        for end in reversed(ends):
            _let_go(end)


class _Combiner:
    """Combines rows before they cross, some keys at a time."""

    def __init__(self, step: Step, writer: Writer, sent: Shuffled) -> None:
        assert step.coders is not None and step.coders.key is not None
        (name,) = map(str, step.outputs.values())
        self.stack, self._step = contextlib.ExitStack(), step
        self._fn: beam.CombineFn | None = None
        self._encode = step.coders.key.get_impl().encode
        self._send, self._sent = _sender(name, step.coders, writer, sent), sent
        self._found: dict[bytes, Any] = {}

    def take(self, row: Any) -> None:
        self._sent.rows += 1
        try:
            key, value = row.value
            name = self._encode(key)
            if self._fn is None:
                self._fn = self.stack.enter_context(_set_up(self._step))
            if name not in self._found:
                if len(self._found) >= _KEYS:
                    self.flush()
                self._found[name] = self._fn.create_accumulator()
            self._found[name] = self._fn.add_input(self._found[name], value)
        except Exception as error:
            raise _with_step(self._step.label, error) from None

    def flush(self) -> None:
        with _naming(self._step.label):
            for key, accumulator in self._found.items():
                assert self._fn is not None
                self._send(key, self._fn.compact(accumulator))
        self._found = {}


def _sender(name: str, coders: Coders, writer: Writer, sent: Shuffled) -> Callable[[bytes, Any], None]:
    """Puts a key, as bytes, with a value into its partition."""
    encode, lists, grown = coders.value.get_impl().encode, writer.rows(name), writer.grown
    parts = len(lists)

    def send(key: bytes, value: Any) -> None:
        row = encode(value)
        size = len(key) + len(row)
        rows = lists[part_of(key, parts)]
        rows.append(key)
        rows.append(row)
        sent.sent += 1
        sent.size += size
        grown(size)

    return send


@contextlib.contextmanager
def _set_up(step: Step) -> Iterator[beam.CombineFn]:
    fn = cloudpickle_pickler.loads(step.what)
    with _naming(step.label):
        fn.setup()
    try:
        yield fn
    finally:
        _let_go(fn.teardown)


def _let_go(end: Callable[[], object]) -> None:
    """Call it; what fails in it is logged alone, as the work is done."""
    try:
        end()
    except Exception:
        _LOGGER.warning("a step failed when it was to let go of what it holds", exc_info=True)


@contextlib.contextmanager
def _naming(label: str) -> Iterator[None]:
    """Say of what is raised which step raised it."""
    try:
        yield
    except Exception as error:
        raise _with_step(label, error) from None


def _with_step(label: str, error: Any) -> Any:
    """The error with the step's name. Beam's callers, through whose hands it goes, add theirs to no other."""
    if not getattr(error, "_tagged_with_step", False):
        error._tagged_with_step = True
        error.add_note(f"[while running {label!r}]")
    return error
