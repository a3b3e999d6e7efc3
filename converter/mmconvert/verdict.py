"""Verdicts: their names, and how the verdict is read off a file that passed every gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmconvert.backends.litert.tensor_type import FLOAT_TYPES, QUANTIZED_TYPES
from mmwire.errors import ConvertError

LITE_INT8 = "LITE_INT8"
LITE_MIXED = "LITE_MIXED"
LITE_FLOAT = "LITE_FLOAT"
FULL_TF = "FULL_TF"
REJECT = "REJECT"

# Folding (batch normalisation, constant arithmetic) removes some of the parameters; losing the weights removes all.
MIN_PARAMETER_SHARE = 0.25
# Above this share the weights are float, and only the inputs of the file are int8.
MAX_FLOAT_WEIGHT_SHARE = 0.5


def require_weights(census: Mapping[str, Any], variable_elements: int) -> None:
    """Check that the weights of the SavedModel are in the file.

    Raises:
        ConvertError: ``CONVERTER_FAILED``: they are not.
    """
    kept = sum(census["weights"].values())
    if kept < MIN_PARAMETER_SHARE * variable_elements:
        raise ConvertError(
            "CONVERTER_FAILED",
            f"TensorFlow's converter dropped weights: the signature uses {variable_elements} parameters,"
            f" the file holds {kept} values",
            "export the model with model.export(DIR) or tf.saved_model.save and convert again",
        )


def require_int8(census: Mapping[str, Any]) -> None:
    """Check that a file that should be int8 is int8.

    Raises:
        ConvertError: ``CONVERTER_FAILED``: its inputs, outputs or weights are float.
    """
    hint = "use --quantize dynamic or float32"
    floats = [kind for kind in (*census["inputs"], *census["outputs"]) if kind in FLOAT_TYPES]
    if floats:
        raise ConvertError(
            "CONVERTER_FAILED",
            f"int8 was asked for, and the quantizer gave back a model with {floats[0]} tensors",
            hint,
        )
    share = _float_weight_share(census)
    if share > MAX_FLOAT_WEIGHT_SHARE:
        raise ConvertError(
            "CONVERTER_FAILED",
            f"int8 was asked for, and the quantizer left {share:.0%} of the weights in floating point"
            f" ({_count(census['float_ops'])})",
            hint,
        )


def _float_weight_share(census: Mapping[str, Any]) -> float:
    floats = sum(census["weights"].get(kind, 0) for kind in FLOAT_TYPES)
    integers = sum(census["weights"].get(kind, 0) for kind in QUANTIZED_TYPES)
    return floats / (floats + integers) if floats else 0.0


def decide(census: Mapping[str, Any]) -> tuple[str, str]:
    """Return the verdict for a file that passed every gate, and its reason in a sentence."""
    weights, float_ops = census["weights"], census["float_ops"]
    has_float_ends = any(kind in FLOAT_TYPES for kind in (*census["inputs"], *census["outputs"]))
    if not any(weights.get(kind) for kind in QUANTIZED_TYPES):
        if weights.get("FLOAT16"):
            return LITE_FLOAT, "weights in float16, arithmetic in float32"
        if census["ops"].get("DENSIFY"):
            return LITE_FLOAT, "weights and arithmetic are float32, the smallest weights left out"
        return LITE_FLOAT, "weights and arithmetic are float32"
    narrow = "int4 and int8" if weights.get("INT4") else "int8"
    if census.get("int16_ops"):
        return LITE_MIXED, f"{narrow} weights, tensors in int16"
    if has_float_ends and sum(float_ops.values()) >= sum(census["ops"].values()) - census.get("edge_ops", 0):
        return LITE_MIXED, f"{narrow} weights, arithmetic and tensors in float32"
    if float_ops:
        ends = "weights" if has_float_ends else "inputs, outputs and weights"
        return LITE_MIXED, f"{narrow} {ends}, but not everything computes in int8: {_count(float_ops)}"
    if has_float_ends:
        return LITE_INT8, "weights and arithmetic are int8, inputs or outputs float32"
    return LITE_INT8, "inputs, outputs, weights and arithmetic are int8"


def _count(ops: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(ops.items())) + " in floating point"
