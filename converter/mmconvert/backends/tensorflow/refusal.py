"""TensorFlow's error texts, each turned into one line and a way out; and which of them full TensorFlow avoids."""

from __future__ import annotations

import re

from mmconvert.backends.process.death import OUT_OF_MEMORY, out_of_memory
from mmwire.errors import ConvertError, MmError

_FULL_TENSORFLOW = "only full TensorFlow can run this model; the daemon's LiteRT has no such operation"
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
# Lines that stand before the reason when a running graph fails.
_PREAMBLE = re.compile(r"Graph execution error$|Detected at node |<stack traces unavailable>|File \"|Traceback ")
_MAX_TEXT = 240
# Failures to make an equal float model. They concern LiteRT alone: full TensorFlow can still run the model.
_FULL_TF_GROUNDS = {
    "OP_UNSUPPORTED": "operation without a built-in form",
    "CONVERTER_CRASHED": "native crash",
    "CONVERTER_FAILED": "TensorFlow's converter",
    "PARITY_FAILED": "gate failed",
}


def explain(step: str, error: BaseException) -> ConvertError:
    """Return the error for an exception of TensorFlow in a step: export, load, convert, quantize or answer."""
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
            f"Keras cannot load the file: {first_reason(text)}",
            "export it where its own layers are defined: model.export('DIR')",
        )
    if step == "answer":
        return ConvertError(
            "SAVED_MODEL_INVALID",
            f"TensorFlow itself cannot run the signature: {first_reason(text)}",
            "it refused every row; --calibration and --eval must hold inputs that the model accepts",
        )
    if re.search(r"(bigger|larger) than 2 ?gb", text, re.IGNORECASE):
        return ConvertError("CONVERTER_FAILED", "the model is larger than 2 GB, the most that a .tflite can hold")
    hint = "try --quantize dynamic or float32" if step == "quantize" else ""
    return ConvertError("CONVERTER_FAILED", f"TensorFlow's converter refused the model: {first_reason(text)}", hint)


def _explain_load(text: str) -> ConvertError:
    if _BROKEN_VARIABLES.search(text):
        return ConvertError(
            "SAVED_MODEL_INVALID",
            f"the SavedModel's variables are missing, cut short or damaged: {first_reason(text)}",
            "copy or export the model again",
        )
    return ConvertError("SAVED_MODEL_INVALID", f"TensorFlow cannot load the SavedModel: {first_reason(text)}")


def first_reason(text: str) -> str:
    """Return the first line that gives a reason, without the names of TensorFlow's internals."""
    for line in text.splitlines():
        cleaned = _NOISE.sub("", line).strip(" ;:")
        if cleaned and not _PREAMBLE.match(cleaned):
            return cleaned if len(cleaned) <= _MAX_TEXT else cleaned[:_MAX_TEXT] + "..."
    return "TensorFlow gives no reason"


def full_tf_ground(error: MmError) -> str | None:
    """Return the ground on which a model without an equal float form is left to full TensorFlow, None for none."""
    return _FULL_TF_GROUNDS.get(error.code)
