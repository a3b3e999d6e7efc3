"""What TensorFlow says, as one line and a way out: the table of its error texts."""

from __future__ import annotations

import re

from mmconvert.backends.process.death import OUT_OF_MEMORY
from mmconvert.backends.process.serve import out_of_memory
from mmwire.errors import ConvertError

_FULL_TENSORFLOW = "full TensorFlow would be needed to run this model; the daemon's LiteRT has no such operation"
_NO_INT8_FORM = "--quantize dynamic or float32 keeps this operation in floating point"

# Every pattern names the operations in its first group. Source: texts of TensorFlow 2.21.
_UNSUPPORTED_OPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^\s*TF Select ops: (.+)$", re.MULTILINE), _FULL_TENSORFLOW),
    (re.compile(r"^\s*Custom ops: (.+)$", re.MULTILINE), _FULL_TENSORFLOW),
    (re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op"), _FULL_TENSORFLOW),
    (re.compile(r"Op type not registered '([^']+)'"), _FULL_TENSORFLOW),
    (re.compile(r"failed to legalize operation 'tf\.(\w+)'"), _FULL_TENSORFLOW),
    (re.compile(r"[Qq]uantization (?:to \S+ )?not yet supported for op: '(\w+)'"), _NO_INT8_FORM),
)
_BROKEN_VARIABLES = re.compile(
    r"Read less bytes|not an sstable|[Cc]hecksum does not match|TensorBundle|[Dd]ata ?[Ll]oss|variables\.(data|index)"
    r"|Unsuccessful TensorSliceReader|truncated|block checksum"
)
_NOISE = re.compile(r"\{\{function_node [^}]*\}\}|^\S+\.py:\d+:\d+: (?=error: )|\[Op:\w+\]|<unknown>:0: |error: ")
# What stands before the reason when a graph fails as it runs.
_PREAMBLE = re.compile(r"Graph execution error$|Detected at node |<stack traces unavailable>|File \"|Traceback ")
_MAX_TEXT = 240


def explain(step: str, error: BaseException) -> ConvertError:
    """Return the error for what TensorFlow raised in a step: ``load``, ``float``, ``quantize`` or ``reference``."""
    text = str(error)
    if OUT_OF_MEMORY.search(f"{type(error).__name__} {text}"):
        return out_of_memory(step)
    for pattern, hint in _UNSUPPORTED_OPS:
        found = pattern.search(text)
        if found:
            ops = list(dict.fromkeys(op.strip() for op in found[1].split(",")))
            form = "int8" if hint is _NO_INT8_FORM else "TFLite"
            verb = f"operation {ops[0]} has" if len(ops) == 1 else f"operations {', '.join(ops)} have"
            return ConvertError("OP_UNSUPPORTED", f"the {verb} no {form} form", hint)
    if step == "load":
        return _explain_load(text)
    if step == "export":
        return ConvertError(
            "SAVED_MODEL_INVALID",
            f"Keras cannot load the file: {shorten(text)}",
            "export it where its own layers are defined: model.export('DIR')",
        )
    if step == "reference":
        return ConvertError(
            "SAVED_MODEL_INVALID",
            f"TensorFlow itself cannot run the signature: {shorten(text)}",
            "it refused every row; --calibration and --eval must hold inputs that the model takes",
        )
    if re.search(r"(bigger|larger) than 2 ?gb", text, re.IGNORECASE):
        return ConvertError("CONVERTER_FAILED", "the model is larger than the 2 GB a .tflite can hold")
    hint = "--quantize dynamic or float32 may do" if step == "quantize" else ""
    return ConvertError("CONVERTER_FAILED", f"TensorFlow's converter refused the model: {shorten(text)}", hint)


def _explain_load(text: str) -> ConvertError:
    if _BROKEN_VARIABLES.search(text):
        return ConvertError(
            "SAVED_MODEL_INVALID",
            f"the SavedModel's variables are missing, cut short or damaged: {shorten(text)}",
            "copy or export the model again",
        )
    return ConvertError("SAVED_MODEL_INVALID", f"TensorFlow cannot load the SavedModel: {shorten(text)}")


def shorten(text: str) -> str:
    """Return the first line that says something, without what names TensorFlow's insides."""
    for line in text.splitlines():
        cleaned = _NOISE.sub("", line).strip(" ;:")
        if cleaned and not _PREAMBLE.match(cleaned):
            return cleaned if len(cleaned) <= _MAX_TEXT else cleaned[:_MAX_TEXT] + "..."
    return "it gives no reason"
