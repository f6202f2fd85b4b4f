"""Beam without what no pipeline of weft's uses: half the CPU time of a start-up, and 70 MB less memory.

`import apache_beam` brings pandas, MongoDB's client, BigQuery, Dataflow's API and the clients of all object stores with
it, in each process: the command and every local worker. While Beam is imported these are not to be had, which Beam
allows for. A store's client is imported when the first path of its scheme is looked up, Dataflow's runner when it is
asked for by name, pandas by whoever imports it. pyarrow looks for pandas when it makes its first value, and imports it;
that is now, too, and it looks again where it cannot do without (`to_pandas`). To `pyarrow.array` a Series is a sequence
like any other there.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_STORES = {
    "gs": "apache_beam.io.gcp.gcsfilesystem",
    "s3": "apache_beam.io.aws.s3filesystem",
    "azfs": "apache_beam.io.azure.blobstoragefilesystem",
    "hdfs": "apache_beam.io.hadoopfilesystem",
}
# Where these cannot be imported, Beam goes on without.
_ABSENT = {*_STORES.values(), "pandas", "apache_beam.io.gcp.bigquery"}
# These it cannot do without: what it takes from each, of a module that is there only until Beam is imported.
_DATAFLOW = "apache_beam.runners.dataflow"
_STAND_INS: dict[str, Sequence[str]] = {
    "apache_beam.io.mongodbio": (),
    _DATAFLOW: (),
    f"{_DATAFLOW}.dataflow_runner": ("DataflowRunner",),
    f"{_DATAFLOW}.test_dataflow_runner": ("TestDataflowRunner",),
}


def begin() -> None:
    """Have Beam imported like this, once somebody imports it; nothing where that has been done."""
    if "apache_beam" not in sys.modules and not any(isinstance(one, _Beam) for one in sys.meta_path):
        sys.meta_path.insert(0, _Beam())


class _Beam(MetaPathFinder):
    """Finds Beam, once."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name != "apache_beam":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            whole = spec.loader.exec_module

            def light(module: ModuleType) -> None:
                with _without():
                    whole(module)
                    importlib.import_module("pyarrow").scalar(None)
                _find_stores()

            spec.loader.exec_module = light  # type: ignore[method-assign]
        return spec


class _Hidden(MetaPathFinder, Loader):
    """Finds nothing, or an empty module, where there is something."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name in _ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return ModuleSpec(name, self, is_package=name == _DATAFLOW) if name in _STAND_INS else None

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(dict.fromkeys(_STAND_INS[module.__name__]))


@contextlib.contextmanager
def _without() -> Iterator[None]:
    finder = _Hidden()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, taken in _STAND_INS.items():
            sys.modules.pop(name, None)
            for parent in filter(None, (sys.modules.get("apache_beam.io"), sys.modules.get("apache_beam.runners"))):
                for left in (name.rpartition(".")[2], *taken):
                    vars(parent).pop(left, None)


def _find_stores() -> None:
    """Have Beam import a store's client before it looks for one."""
    from apache_beam.io.filesystems import FileSystems

    find = FileSystems.get_filesystem

    def get_filesystem(path: str) -> Any:
        store = _STORES.get(FileSystems.get_scheme(path) or "")
        if store:
            with contextlib.suppress(ImportError):  # Beam names the extra that is missing
                importlib.import_module(store)
        return find(path)

    FileSystems.get_filesystem = staticmethod(get_filesystem)
