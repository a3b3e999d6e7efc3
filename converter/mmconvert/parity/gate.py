"""The gates: the limits that a converted model must keep, and the errors for one that does not."""

from __future__ import annotations

from collections.abc import Sequence

from mmconvert.parity.metric import OutputParity
from mmwire.errors import ConvertError

# A right float conversion differs by rounding: 1e-7 to 1e-5 of the range was seen. A wrong one (lost weights, a
# changed layout, a missing fused activation) is off by percents and more. 1e-3 lies between the two.
MAX_RELATIVE_ERROR = 1e-3
# Working int8 networks were seen at 20 to 40 dB, and int4 networks without accuracy below 0 dB. At 10 dB, the error's
# power is a tenth of the signal's.
MIN_SQNR_DB = 10.0
# One changed class in ten: careful quantization changes fewer, ill-chosen calibration data changes more.
MIN_TOP1_AGREEMENT = 0.9
# Whole numbers come from comparing or rounding floats: a tie may fall to the other side.
MIN_EQUAL_SHARE_FLOAT = 0.99
MIN_EQUAL_SHARE_QUANTIZED = 0.9

_SQNR = "signal to quantization noise (SQNR, dB)"
_BETTER_DATA = "give more and truer calibration rows, or use --quantize dynamic or float32"
_FLOAT_HINT = "TensorFlow's converter changed the model; only full TensorFlow can run it as it is"


def require_float_parity(outputs: Sequence[OutputParity]) -> None:
    """Check a float model against the original: it must be the same function.

    Raises:
        ConvertError: ``PARITY_FAILED`` with metric, limit and figure.
    """
    for output in outputs:
        _require_comparable(output, _FLOAT_HINT)
        if output.equal_share is not None:
            _require_least(output, "share of equal values", output.equal_share, MIN_EQUAL_SHARE_FLOAT, _FLOAT_HINT)
        elif not output.relative_error <= MAX_RELATIVE_ERROR:
            raise ConvertError(
                "PARITY_FAILED",
                f"output {output.name!r}: largest error relative to the output's range: at most"
                f" {MAX_RELATIVE_ERROR:g} allowed, got {output.relative_error:.3g}",
                _FLOAT_HINT,
            )


def require_quantized_parity(outputs: Sequence[OutputParity], mode: str, rows_are_real: bool) -> None:
    """Check a quantized model against the original: it must be close enough to be useful.

    Args:
        outputs: The figures.
        mode: ``int8`` or ``dynamic``.
        rows_are_real: Whether the rows are real inputs; the class of a random row means nothing.

    Raises:
        ConvertError: ``PARITY_FAILED`` with metric, limit and figure.
    """
    hint = _BETTER_DATA if mode == "int8" else "use --quantize float32"
    for output in outputs:
        _require_comparable(output, hint)
        if output.equal_share is not None:
            _require_least(output, "share of equal values", output.equal_share, MIN_EQUAL_SHARE_QUANTIZED, hint)
            continue
        if output.max_abs_error:
            _require_least(output, _SQNR, output.sqnr_db, MIN_SQNR_DB, hint)
        if rows_are_real and output.top1_agreement is not None:
            _require_least(output, "top-1 agreement", output.top1_agreement, MIN_TOP1_AGREEMENT, hint)


def require_comparable(outputs: Sequence[OutputParity]) -> None:
    """Check only shapes and finiteness: for random rows beside real ones, since only real rows must keep the limits.

    Raises:
        ConvertError: ``PARITY_FAILED``: a shape differs, or a value is NaN or infinite.
    """
    for output in outputs:
        _require_comparable(output, _FLOAT_HINT)


def _require_comparable(output: OutputParity, hint: str) -> None:
    if output.shape_error:
        raise ConvertError("PARITY_FAILED", f"output {output.name!r}: the shapes differ: {output.shape_error}", hint)
    if output.non_finite:
        raise ConvertError(
            "PARITY_FAILED",
            f"output {output.name!r}: {output.non_finite} values are NaN or infinite where TensorFlow's are finite"
            " (0 allowed)",
            hint,
        )
    if not output.compared:
        raise ConvertError(
            "SAVED_MODEL_INVALID",
            f"output {output.name!r}: TensorFlow itself gives no finite value for any row",
            "give real inputs with --calibration",
        )


def _require_least(output: OutputParity, metric: str, got: float, limit: float, hint: str) -> None:
    if not got >= limit:
        raise ConvertError(
            "PARITY_FAILED",
            f"output {output.name!r}: {metric}: at least {limit:g} wanted, got {got:.3g}",
            hint,
        )
