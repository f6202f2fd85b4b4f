"""Quicker building of Beam's graphs: what Beam asks of a function or of the flags again and again is asked once.

To build a graph of a few hundred transforms and hand it to a runner takes Beam a second. Most of it goes into questions
whose answers do not change: which parameters each method of a DoFn has (all of them, the inherited ones too, several
times a DoFn, to learn whether it keeps state), whether its source both yields and returns, and what the command line
says (parsed anew for every view of the options, of which each transform takes a few; its names sorted for every value).
The graph is the same, byte for byte, without this. And each function is compressed with bzip2, several times over,
which on this machine saves nobody anything.
"""

from __future__ import annotations

import bz2
import inspect
import types
import weakref
from typing import Any, TypeVar

from apache_beam.internal import cloudpickle_pickler, pickler
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import core, ptransform, userstate
from apache_beam.typehints import decorators

_View = TypeVar("_View", bound=PipelineOptions)

_ask = core.get_function_args_defaults
_ask_state = userstate.get_dofn_specs
_ask_signature = decorators.get_signature
_ask_source = core._check_fn_use_yield_and_return
_ask_names = PipelineOptions._visible_option_list
_ask_origin = decorators.IOTypeHints._make_origin
# Of functions as they are, and as methods of an instance.
_Parameters = weakref.WeakKeyDictionary[types.FunctionType, tuple[list[str], list[Any]]]
_Signatures = weakref.WeakKeyDictionary[types.FunctionType, inspect.Signature]
_parameters = (_Parameters(), _Parameters())
_signatures = (_Signatures(), _Signatures())
_sources: weakref.WeakKeyDictionary[types.CodeType, bool] = weakref.WeakKeyDictionary()
_options: weakref.WeakKeyDictionary[type[PipelineOptions], list[str]] = weakref.WeakKeyDictionary()
_states: weakref.WeakKeyDictionary[Any, tuple[set[Any], set[Any]]] = weakref.WeakKeyDictionary()
_PLAIN = b"plain:"  # no stream of bzip2's begins like this


class Options(PipelineOptions):
    """PipelineOptions that parse the flags once for each class they are viewed as.

    Views of one object share their values and the flags behind them, and keep nothing else: any two of the same class
    are interchangeable.
    """

    def view_as(self, cls: type[_View]) -> _View:
        views = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_views"}


def remember_signatures() -> None:
    """Have Beam inspect each function, and each method of a class whatever the number of its instances, once.

    A method bound to an instance is remembered by the function that instances share: its parameters and their defaults
    belong to the class. Where an instance answers for itself (Beam's wrapper of a plain function does), Beam asks it
    before it gets here. What the source says is remembered by its code. An entry goes with its function.

    And have it pickle each function once: it tries whether it can as soon as a step is made of it, and throws away what
    comes of that.
    """
    core.get_function_args_defaults = _args_defaults
    core._check_fn_use_yield_and_return = _yields_and_returns
    decorators.get_signature = core.get_signature = _signature
    userstate.get_dofn_specs = _state
    PipelineOptions._visible_option_list = _names
    decorators.IOTypeHints._make_origin = classmethod(_no_origin)
    ptransform.pickler = types.SimpleNamespace(**{**vars(pickler), "roundtrip": _copied})


def compress_functions(compress: bool) -> None:
    """Whether functions are compressed when they are pickled: no, where all who read them have called this too."""
    cloudpickle_pickler.bz2 = types.SimpleNamespace(
        compress=bz2.compress if compress else lambda data, compresslevel=9: _PLAIN + data, decompress=_decompress
    )


def _decompress(data: bytes) -> bytes:
    return data[len(_PLAIN) :] if data.startswith(_PLAIN) else bz2.decompress(data)


def _state(dofn: core.DoFn) -> tuple[set[Any], set[Any]]:
    """Specifications of state and of timers: those of the class, where no instance answers for itself.

    Of a wrapped function Beam looks at methods only, and a plain function is none.
    """
    alone = hasattr(dofn, "_inspect_process") and isinstance(getattr(dofn, "process", None), types.MethodType)
    asked = dofn if alone else type(dofn)
    if (known := _states.get(asked)) is None:
        known = _states[asked] = _ask_state(dofn)
    return {*known[0]}, {*known[1]}


def _shared(function: Any) -> Any:
    """The function itself, or the one that a method of several instances is; None for all else."""
    found = function.__func__ if type(function) is types.MethodType else function
    return found if type(found) is types.FunctionType else None


def _args_defaults(function: Any) -> tuple[list[str], list[Any]]:
    if (shared := _shared(function)) is None:
        return _ask(function)
    kept = _parameters[shared is not function]
    if (known := kept.get(shared)) is None:
        known = kept[shared] = _ask(function)
    names, defaults = known
    return [*names], [*defaults]  # lists of the caller's own, as Beam's are


def _signature(function: Any) -> inspect.Signature:
    if (shared := _shared(function)) is None:
        return _ask_signature(function)
    kept = _signatures[shared is not function]
    if (known := kept.get(shared)) is None:
        known = kept[shared] = _ask_signature(function)
    return known


def _copied(value: Any) -> Any:
    """Arguments of a step, by pickling them: they are its own from here on. A function is taken as it is."""
    return pickler.roundtrip(value) if value and isinstance(value, list | dict) else value


def _yields_and_returns(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    if not isinstance(code, types.CodeType):
        return bool(_ask_source(function))
    if (known := _sources.get(code)) is None:
        known = _sources[code] = bool(_ask_source(function))
    return known


def _names(options: PipelineOptions) -> list[str]:
    """Those that a class of options adds to its command line, whatever the values."""
    if (known := _options.get(type(options))) is None:
        known = _options[type(options)] = _ask_names(options)
    return [*known]


def _no_origin(hints: Any, bases: Any, tb: bool = True, msg: Any = ()) -> list[str]:
    """Where a hint comes from, without the stack: only the message of a wrong hint quotes it."""
    return list(msg)
