"""Why a step failed for want of memory, and how a child process ended, as errors for the user."""

from __future__ import annotations

import re
import signal

from mmwire.errors import ConvertError

# The words of the C++ runtime, the loader, the kernel and TensorFlow when the address space is used up.
OUT_OF_MEMORY = re.compile(
    r"bad_alloc|cannot allocate memory|out of memory|failed to map segment|memoryerror|resource temporarily unavailable"
    r"|resource exhausted|allocation failed|pthread_create\(\) failed",
    re.IGNORECASE,
)
_HINTS = {
    "quantize": "TensorFlow's calibrator crashes on some control flow; use --quantize dynamic or float32 instead",
    "convert": "TensorFlow's converter crashes on this model; only full TensorFlow can run it",
}


def out_of_memory(step: str) -> ConvertError:
    """Return the error of a step that passed its memory limit."""
    return ConvertError(
        "CONVERTER_LIMIT",
        f"the step {step!r} needs more memory than its limit allows",
        "allow more with --memory-limit MB, or convert on a larger machine",
    )


def explain_death(step: str, return_code: int, chatter: str) -> ConvertError:
    """Return why a child ended in the middle of a step.

    Args:
        step: The step it was asked to do.
        return_code: As ``subprocess`` gives it: negative for a signal.
        chatter: The end of what it wrote on stderr.
    """
    if return_code == -signal.SIGXCPU:
        return ConvertError(
            "CONVERTER_LIMIT", f"the step {step!r} used up its CPU time", "allow more with --time-limit SECONDS"
        )
    if return_code != -signal.SIGSEGV and OUT_OF_MEMORY.search(chatter):
        return out_of_memory(step)
    if return_code < 0:
        number = -return_code
        name = signal.Signals(number).name if number in signal.valid_signals() else "unknown"
        hint = _HINTS.get(step, "")
        if number == signal.SIGKILL:
            hint = "the kernel kills the largest process when memory runs out; convert on a machine with more memory"
        return ConvertError("CONVERTER_CRASHED", f"the step {step!r} was killed by signal {number} ({name})", hint)
    last = next((line.strip() for line in reversed(chatter.splitlines()) if line.strip()), "it wrote no reason")
    return ConvertError("CONVERTER_FAILED", f"the step {step!r} ended with status {return_code}: {last[:200]}")
