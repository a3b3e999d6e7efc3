"""Examines a model in a throw-away process: reads it, loads it, runs it, finds its traits."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmdaemon.runtime.interface import Traits
from mmdaemon.runtime.tflite.selection import select_runtime
from mmdaemon.runtime.trial.batching import BATCH, batches_well
from mmdaemon.runtime.trial.facts import Facts
from mmdaemon.runtime.trial.golden import replay
from mmwire.associated import associated_labels
from mmwire.errors import ModelError
from mmwire.golden import GOLDEN_ENTRY, Golden, parse_goldens
from mmwire.manifest import parse_labels
from mmwire.tflite import LABELS_ENTRY, ModelState, outline, verify_content

_LABELS_BYTES = 512 * 1024  # the 21,841 labels of the whole ImageNet take 400 KB


def examine(path: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    """Load a model file, run every signature, and return the facts of its trial result as JSON.

    Args:
        path: The model file.
        threads: Threads of one invocation.
        announce: Called with the name of each phase before it starts, so that a death can be told by its phase.

    Returns:
        ``signatures`` (``SignatureSpec.as_dict``), ``batch``, ``state`` (``ModelState``), ``labels``, ``load_ms``,
        ``run_us`` (of one row of the default signature), ``memory_bytes`` (growth of the peak resident set).

    Raises:
        MmError: ``DIGEST_MISMATCH``: it changed since ``mmconvert`` wrote it. ``MODEL_INVALID``: it is not whole, the
            runtime refuses it, or it does not answer a plain input. ``GOLDEN_MISMATCH``: it gives other answers to its
            goldens than when it was converted.

    Thread: the only one of a process that nobody needs afterwards.
    """
    announce("import")
    runtime, _ = select_runtime()
    announce("read")
    state, labels, goldens = _read(path)
    announce("load")
    facts = Facts()
    instance = facts.load(lambda: runtime.load(path, threads, Traits(state=state)))
    announce("run")
    replay(instance, goldens)
    row_us = facts.run(instance)
    announce("batch")
    batches = state is ModelState.NONE and batches_well(instance, row_us)
    return facts.as_dict(instance, BATCH if batches else 1, state, labels)


def _read(path: str) -> tuple[ModelState, Sequence[str], list[Golden]]:
    """Check the file against its own digest; return its state, labels and goldens."""
    with Path(path).open("rb") as opened:
        if opened.seek(0, 2) == 0:
            outline(b"")  # raises; an empty file cannot be mapped
        with mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as view:
            file = outline(view)
            verify_content(view, file)
            text = file.entry(view, LABELS_ENTRY) or associated_labels(view, file, _LABELS_BYTES) or b""
            recorded = file.entry(view, GOLDEN_ENTRY)
    if len(text) > _LABELS_BYTES:
        raise ModelError("MODEL_INVALID", f"the file's labels have {len(text)} bytes, expected at most {_LABELS_BYTES}")
    goldens = [] if recorded is None else parse_goldens(recorded)
    return file.state, parse_labels(text.decode("utf-8", "replace")), goldens
