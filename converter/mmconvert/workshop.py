"""The tools of the stages: the backends, the cache, and a private folder that is deleted afterwards."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmconvert.backends.litert.backend import LiteRTBackend
from mmconvert.backends.process.worker import Worker
from mmconvert.backends.tensorflow.backend import TensorFlowBackend
from mmconvert.cache import Cache
from mmconvert.job import Job
from mmconvert.pack.provenance import tool_versions
from mmconvert.progress import Progress
from mmwire.errors import ConvertError

_TENSORFLOW_CHILD = "mmconvert.backends.tensorflow.child"
_LITERT_CHILD = "mmconvert.backends.litert.child"


@dataclass(frozen=True, slots=True)
class Workshop:
    """Everything that a stage needs of the outside.

    Attributes:
        cache: Results of this and earlier runs.
        folder: Private, and gone when the run ends.
        versions: Of the tools, by name.
        progress: Shows the user what happens.
    """

    tensorflow: TensorFlowBackend
    litert: LiteRTBackend
    cache: Cache
    folder: Path
    versions: Mapping[str, str]
    progress: Progress


@contextlib.contextmanager
def open_workshop(job: Job, progress: Progress) -> Iterator[Workshop]:
    """Set up a workshop; at the end of the block its child processes are ended and its folder is removed.

    Raises:
        ConvertError: ``CONVERTER_FAILED``: no temporary folder or cache can be made.
    """
    deadline = time.monotonic() + job.limits.wall_s
    try:
        with tempfile.TemporaryDirectory(prefix="mmconvert-") as name, contextlib.ExitStack() as children:
            folder, versions = Path(name), tool_versions()
            cache = Cache(job.cache or folder / "cache")
            tensorflow, litert, scale = (
                children.enter_context(Worker(module, folder, job.limits, deadline))
                for module in (_TENSORFLOW_CHILD, _LITERT_CHILD, _LITERT_CHILD)
            )
            yield Workshop(
                TensorFlowBackend(tensorflow, cache, folder, versions),
                LiteRTBackend(litert, scale, cache, folder, versions),
                cache,
                folder,
                versions,
                progress,
            )
            if job.cache is not None:
                cache.trim()
    except OSError as error:
        raise no_room(error) from None


def no_room(error: OSError) -> ConvertError:
    """Return the error for a temporary folder or a cache that cannot be used."""
    reason = error.strerror or str(error)
    return ConvertError(
        "CONVERTER_FAILED",
        f"the temporary folder {tempfile.gettempdir()} or the cache cannot be used: {reason}",
        "point TMPDIR to a folder with room, or use --no-cache",
    )
