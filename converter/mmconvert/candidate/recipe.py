"""Named recipes, in the form that litert-quantizer reads and writes, so that they can be used with that tool alone.

A recipe is a list of rules: a pattern over the names of an operation's output tensors, the operation, and the
algorithm. The last rule that matches wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

Rules = list[dict[str, Any]]

_WEIGHTS_INT8 = {"num_bits": 8, "symmetric": True, "granularity": "CHANNELWISE", "dtype": "INT"}
_WEIGHTS_INT4 = {"num_bits": 4, "symmetric": True, "granularity": "CHANNELWISE", "dtype": "INT"}
_WEIGHTS_FLOAT16 = {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"}
_ACTIVATIONS_INT8 = {"num_bits": 8, "symmetric": False, "granularity": "TENSORWISE", "dtype": "INT"}
_ACTIVATIONS_INT16 = {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "INT"}
_NO_QUANTIZE = "no_quantize"
# The algorithm float_casting knows only these operations.
_FLOAT16_OPS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D_TRANSPOSE", "EMBEDDING_LOOKUP")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to quantize.

    Attributes:
        rules: In litert-quantizer's own form; empty where that tool is not used.
        is_calibrated: Whether it needs the ranges of the activations.
        kept_float: Names of output tensors whose operations stay in floating point.
        pruned_share: Share of the weights of 1x1 convolutions that is left out before anything else.
    """

    name: str
    meaning: str
    rules: Rules
    is_calibrated: bool = False
    kept_float: tuple[str, ...] = ()
    pruned_share: float = 0.0

    def keeping_float(self, outputs: Iterable[str]) -> Recipe:
        """Return the recipe with these operations left in floating point."""
        kept = (*self.kept_float, *outputs)
        rules = [*self.rules, *(keep_float(output) for output in kept[len(self.kept_float) :])]
        return replace(self, rules=rules, kept_float=kept)


def keep_float(output: str) -> dict[str, Any]:
    """Return the rule that leaves the operation with this output tensor in floating point."""
    return {"regex": f"^{re.escape(output)};?$", "operation": "*", "algorithm_key": _NO_QUANTIZE}


def _rule(
    weights: dict[str, Any],
    activations: dict[str, Any] | None = None,
    operation: str = "*",
    algorithm: str = "min_max_uniform_quantize",
    computes_float: bool = False,
) -> dict[str, Any]:
    config: dict[str, Any] = {} if activations is None else {"activation_tensor_config": activations}
    config |= {
        "weight_tensor_config": weights,
        "compute_precision": "FLOAT" if computes_float else "INTEGER",
        "explicit_dequantize": computes_float,
        "skip_checks": False,
        "min_weight_elements": 0,
    }
    return {"regex": ".*", "operation": operation, "algorithm_key": algorithm, "op_config": config}


_DYNAMIC = _rule(_WEIGHTS_INT8)
_KEEP_DEPTHWISE = {"regex": ".*", "operation": "DEPTHWISE_CONV_2D", "algorithm_key": _NO_QUANTIZE}

FLOAT32 = Recipe("float32", "weights and arithmetic in float32", [])
STATIC_INT8 = Recipe("static_int8", "everything in int8", [_rule(_WEIGHTS_INT8, _ACTIVATIONS_INT8)], True)
INT16X8 = Recipe("int16x8", "int8 weights, int16 tensors", [_rule(_WEIGHTS_INT8, _ACTIVATIONS_INT16)], True)
FLOAT16 = Recipe(
    "float16",
    "weights kept in float16, arithmetic in float32",
    [
        _rule(_WEIGHTS_FLOAT16, None, operation, algorithm="float_casting", computes_float=True)
        for operation in _FLOAT16_OPS
    ],
)
DYNAMIC_INT8 = Recipe("dynamic_int8", "int8 weights, tensors in float32", [_DYNAMIC])
DYNAMIC_INT8_DENSE = Recipe(
    "dynamic_int8_no_depthwise",
    "int8 weights except depthwise convolutions, which have no such kernel",
    [_DYNAMIC, _KEEP_DEPTHWISE],
)
WEIGHTS_INT8 = Recipe(
    "weights_int8", "weights kept in int8, arithmetic in float32", [_rule(_WEIGHTS_INT8, computes_float=True)]
)
DENSE_INT4 = Recipe(
    "dense_int4",
    "dense layers with int4 weights, the others with int8",
    [_DYNAMIC, _KEEP_DEPTHWISE, _rule(_WEIGHTS_INT4, operation="FULLY_CONNECTED")],
)
TENSORFLOW_INT8 = Recipe("tensorflow_int8", "everything in int8, by TensorFlow's own quantizer", [], True)
# XNNPACK's sparse kernels need at least two thirds.
PRUNED = Recipe("pruned_70", "the smallest 70 % of the weights of 1x1 convolutions left out", [], pruned_share=0.7)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        FLOAT32,
        STATIC_INT8,
        DYNAMIC_INT8,
        DYNAMIC_INT8_DENSE,
        WEIGHTS_INT8,
        FLOAT16,
        DENSE_INT4,
        INT16X8,
        PRUNED,
        TENSORFLOW_INT8,
    )
}
# The recipe of each explicit --quantize.
EXPLICIT = {
    "float32": FLOAT32,
    "float16": FLOAT16,
    "dynamic": DYNAMIC_INT8,
    "int8": STATIC_INT8,
    "int16x8": INT16X8,
}
QUICK = (STATIC_INT8, DYNAMIC_INT8_DENSE, FLOAT16)


def recipes_for(preset: str, ops: Iterable[str], has_calibration: bool) -> list[Recipe]:
    """Return the recipes that are worth trying on a graph with these operations.

    If two recipes differ only in operations that the graph does not have, one of them is left out.
    """
    present = set(ops)
    tried = list(QUICK if preset == "quick" else RECIPES.values())
    if "DEPTHWISE_CONV_2D" not in present:
        tried = [DYNAMIC_INT8 if recipe is DYNAMIC_INT8_DENSE else recipe for recipe in tried]
    if "FULLY_CONNECTED" not in present:
        tried = [recipe for recipe in tried if recipe is not DENSE_INT4]
    if "CONV_2D" not in present:
        tried = [recipe for recipe in tried if recipe is not PRUNED]
    found = [recipe for recipe in tried if recipe not in (FLOAT32, TENSORFLOW_INT8)]
    found = [recipe for recipe in found if has_calibration or not recipe.is_calibrated]
    return list({recipe.name: recipe for recipe in found}.values())
