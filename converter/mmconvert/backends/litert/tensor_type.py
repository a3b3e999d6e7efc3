"""Families of tensor types, by the names that the TFLite schema gives them."""

from __future__ import annotations

FLOAT_TYPES = ("FLOAT16", "FLOAT32", "FLOAT64", "BFLOAT16")
QUANTIZED_TYPES = ("INT8", "INT4")
