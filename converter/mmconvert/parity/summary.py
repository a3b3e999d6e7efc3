"""The figures of several outputs as one set, and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmconvert.parity.metric import OutputParity


def summarise(outputs: Sequence[OutputParity]) -> dict[str, Any]:
    """Return the worst figure of each kind, rounded; None where there is none or it is infinite.

    Errors are those of the floating-point outputs, where there are any.
    """
    floats = [output for output in outputs if output.equal_share is None] or outputs
    agreements = [output.top1_agreement for output in outputs if output.top1_agreement is not None]
    shares = [output.equal_share for output in outputs if output.equal_share is not None]
    return {
        "max_abs_error": _rounded(max(output.max_abs_error for output in floats)),
        "relative_error": _rounded(max(output.relative_error for output in floats)),
        "sqnr_db": _rounded(min(output.sqnr_db for output in floats)),
        "top1_agreement": _rounded(min(agreements)) if agreements else None,
        "equal_share": _rounded(min(shares)) if shares else None,
    }


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def describe_parity(figures: Mapping[str, Any]) -> str:
    """Return the figures in words."""
    parts = []
    if figures["max_abs_error"] == 0:
        parts.append("equal to TensorFlow in every value")
    elif figures["relative_error"] is not None:
        parts.append(
            f"largest error {figures['max_abs_error']:.3g} ({figures['relative_error']:.3g} of the output's range)"
        )
    if figures["sqnr_db"] is not None:
        parts.append(f"SQNR {figures['sqnr_db']:.1f} dB")
    if figures["top1_agreement"] is not None:
        parts.append(f"same class in {figures['top1_agreement']:.1%} of the rows")
    if figures["equal_share"] is not None:
        parts.append(f"{figures['equal_share']:.1%} of the whole numbers equal")
    sizes = " and ".join(str(size) for size in figures["batches"])
    kind = "random" if figures["inputs"] == "random" else "real"
    return f"{', '.join(parts)}; {figures['rows']} {kind} rows, batch {sizes}"
