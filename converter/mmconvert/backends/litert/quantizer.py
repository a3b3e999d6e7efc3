"""The calls to litert-quantizer, the library that quantizes without TensorFlow.

Only the child process with LiteRT imports it. It uses one private name of the library: ``Quantizer._recipe_manager``.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmconvert.feed import Feed
from mmwire.errors import ConvertError

os.environ.setdefault("TQDM_DISABLE", "1")
_CURVE_POINTS = 8


def calibrate(model: Path, recipe: list[dict[str, Any]], feeds: Mapping[str, Sequence[Feed]]) -> dict[str, Any]:
    """Return the least and the greatest value of every tensor, and how the ranges grew with the rows.

    The library's own moving average depends on the order of the rows, and cuts off the extremes.

    Returns:
        ``ranges``: tensor -> [min, max]; ``growth``: pairs of (rows, mean share of the final range).

    Raises:
        ValueError: The library cannot walk the graph (loops, recurrent layers).
    """
    from litert_quantizer import calibrator, quantizer
    from litert_quantizer.utils import qsv_utils

    planner = quantizer.Quantizer(str(model), recipe)
    observer = calibrator.Calibrator(
        str(model),
        num_threads=1,
        mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
        qsv_update_func=qsv_utils.min_max_update,
    )
    most = max(len(rows) for rows in feeds.values())
    ends = sorted({max(1, most * point // _CURVE_POINTS) for point in range(1, _CURVE_POINTS + 1)})
    snapshots: list[tuple[int, dict[str, list[float]]]] = []
    start = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for end in ends:
            part = {name: list(rows[start:end]) for name, rows in feeds.items() if rows[start:end]}
            observer.calibrate(part, planner._recipe_manager)
            snapshots.append((end, _ranges(observer.get_model_qsvs())))
            start = end
    final = snapshots[-1][1]
    return {"ranges": final, "growth": [[rows, _share(ranges, final)] for rows, ranges in snapshots]}


def _ranges(statistics: Mapping[str, Mapping[str, Any]]) -> dict[str, list[float]]:
    return {
        name: [float(np.min(found["min"])), float(np.max(found["max"]))]
        for name, found in statistics.items()
        if "min" in found and "max" in found
    }


def _share(ranges: Mapping[str, Sequence[float]], final: Mapping[str, Sequence[float]]) -> float:
    shares = [
        (ranges[name][1] - ranges[name][0]) / (high - low)
        for name, (low, high) in final.items()
        if name in ranges and high > low
    ]
    return round(float(np.mean(shares)), 4) if shares else 1.0


def quantize(model: Path, recipe: list[dict[str, Any]], ranges: Mapping[str, Sequence[float]] | None) -> bytes:
    """Return the model quantized by a recipe in the library's own form.

    Raises:
        ConvertError: ``OP_UNSUPPORTED``: the library has no form for something in the graph.
    """
    from litert_quantizer import quantizer

    statistics = {
        name: {"min": np.array([low]), "max": np.array([high])} for name, (low, high) in (ranges or {}).items()
    }
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # channels that are always zero cause divisions by zero
        warnings.simplefilter("ignore")
        try:
            result = quantizer.Quantizer(str(model), recipe).quantize(
                calibration_result=statistics or None, enable_progress_report=False
            )
        except (ValueError, KeyError, AttributeError, RuntimeError, NotImplementedError, IndexError) as error:
            reason = re.sub(r"\s+", " ", str(error))[:160]
            raise ConvertError("OP_UNSUPPORTED", f"litert-quantizer cannot quantize the model: {reason}") from None
    return bytes(result.quantized_model)
