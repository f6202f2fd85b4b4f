"""Files in object stores, through Beam's file systems: gs://, s3://, hdfs:// and what else is installed.

path → a file system that is there (or one line that names the extra to install), path → a stream. Beam's clients retry
what may pass; what does not come in the end is `Unavailable`, so that an outage is never taken for a damaged file.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from typing import Any

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from weft.schemas.parameters import ConfigError
from weft.transforms.io.web_files import Unavailable

_EXTRAS = {"gs": "gcp", "s3": "aws", "azfs": "azure", "hdfs": "hadoop"}


def file_system(path: str) -> type[FileSystems]:
    """Beam's file systems, once it is known that one of them takes `path`.

    Raises:
        ConfigError: none does.
    """
    scheme = path.partition("://")[0]
    if FileSystems._pipeline_options is None:  # no pipeline has been made yet, and s3:// does not work without
        FileSystems.set_options(PipelineOptions([]))
    try:
        FileSystems.get_filesystem(path)
        there = scheme != "s3" or importlib.util.find_spec("boto3") is not None  # which Beam's s3:// looks for later
    except (ValueError, OSError):  # OSError: hdfs:// without its client
        there = False
    if there:
        return FileSystems
    if scheme in _EXTRAS:
        extra = _EXTRAS[scheme]
        raise ConfigError(f"{path}: {scheme}:// needs the extra [{extra}]: pip install 'apache-beam[{extra}]'")
    raise ConfigError(f"{path}: there is no file system for {scheme}://")


def configure(flags: Sequence[str]) -> None:
    """Give the file systems Beam's own flags (`--s3_endpoint_url`, …); a pipeline does so itself when it is made."""
    FileSystems.set_options(PipelineOptions(list(flags)))


class ObjectFile(io.RawIOBase):
    """A file of an object store, to be read.

    Raises:
        FileNotFoundError: there is none.
        Unavailable: on opening or reading.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        where = file_system(path)
        self._inner: Any = self._tried(where.open, path, compression_type=CompressionTypes.UNCOMPRESSED)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return int(self._inner.tell())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._tried(self._inner.seek, offset, whence)
        return self.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._tried(self._inner.read, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed and hasattr(self, "_inner"):
            self._inner.close()
        super().close()

    def _tried(self, call: Any, *arguments: Any, **more: Any) -> Any:
        try:
            return call(*arguments, **more)
        except FileNotFoundError:
            raise
        except Exception as error:  # each store's client has errors of its own
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise Unavailable(f"cannot read {self._path}: {reason}; the same command goes on later") from None
