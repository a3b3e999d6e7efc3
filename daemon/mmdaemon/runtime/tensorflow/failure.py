"""Turns what TensorFlow raises into one line for a person."""

from __future__ import annotations

import re

import tensorflow as tf

from mmwire.errors import InferenceError

_TEXT_LENGTH = 300
# The text around the reason: the place in the graph, the Python code of the author, advice on debugging.
_NOISE = re.compile(
    r"Graph execution error:|Detected at node .*|<stack traces unavailable>|^ *File \".*\n.*|\[\[\{\{.*?\}\}\]\]"
    r"|\[Op:[^\]]*\]( name: .*)?|^Hint: .*|^\(\d+\) [A-Z_]+: |\d+ root error\(s\) found\.|\d+ successful operations?\."
    r"|\d+ derived errors? ignored\.|on /job:\S+ by allocator \w+",
    re.MULTILINE,
)


def reason_of(error: BaseException) -> str:
    """Return the reason in an exception of TensorFlow, without the stack and the names of nodes around it."""
    text = getattr(error, "message", None) or str(error)
    return " ".join(_NOISE.sub(" ", text).split())[:_TEXT_LENGTH] or type(error).__name__


def inference_error(error: Exception) -> InferenceError:
    """Return the error for a call that TensorFlow refused."""
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return InferenceError(
            "INFERENCE_FAILED",
            f"not enough memory to compute this request: {reason_of(error)}",
            "send fewer rows or smaller inputs in a request",
        )
    return InferenceError("INFERENCE_FAILED", f"TensorFlow refused to compute: {reason_of(error)}")
