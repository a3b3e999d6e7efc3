from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwire.errors import RemoteWireError, RequestError
from mmwire.tensor import DTYPE_BYTES, Shape, SignatureSpec, TensorSpec, rows_in, shape_mismatch, size_mismatch

FUZZ = settings(deadline=None, derandomize=True, max_examples=200)
KWS = TensorSpec("input", "int8", (-1, 49, 10, 1), 0.5, 83)


def signature(*inputs: TensorSpec) -> SignatureSpec:
    return SignatureSpec("serve", inputs, (TensorSpec("y", "int8", (-1, 12)),))


@pytest.mark.parametrize(
    ("outputs", "classes"),
    [
        ([TensorSpec("y", "int8", (-1, 12))], 12),
        ([TensorSpec("y", "float32", (1, 2))], 2),
        ([TensorSpec("y", "float32", (-1, 1))], 0),
        ([TensorSpec("y", "float32", (-1, -1))], 0),
        ([TensorSpec("y", "float32", (12,))], 0),
        ([TensorSpec("y", "float32", (4, 12))], 0),
        ([TensorSpec("y", "bool", (-1, 12))], 0),
        ([TensorSpec("y", "int8", (-1, 12)), TensorSpec("z", "int8", (-1, 12))], 0),
        ([], 0),
    ],
)
def test_classes(outputs: list[TensorSpec], classes: int) -> None:
    assert SignatureSpec("serve", (KWS,), tuple(outputs)).classes == classes


@pytest.mark.parametrize(
    ("shape", "has_rows", "is_static", "row_bytes"),
    [
        ((-1, 49, 10, 1), True, True, 490 * 4),
        ((3, 2), False, True, 24),
        ((), False, True, 4),
        ((-1,), True, True, 4),
        ((-1, 0), True, True, 0),
        ((-1, -1, 3), True, False, None),
        ((2, -1), False, False, None),
    ],
)
def test_a_shape_tells_rows_and_bytes(shape: Shape, has_rows: bool, is_static: bool, row_bytes: int | None) -> None:
    spec = TensorSpec("x", "float32", shape)

    assert (spec.has_rows, spec.is_static) == (has_rows, is_static)
    if row_bytes is not None:
        assert spec.row_bytes == row_bytes


def test_every_dtype_has_the_size_of_its_name() -> None:
    sizes = {name: int(name.lstrip("uintfloa")) // 8 for name in DTYPE_BYTES if name != "bool"}

    assert {"bool": 1, **sizes} == DTYPE_BYTES


@pytest.mark.parametrize(
    ("shape", "fits"),
    [((1, 49, 10, 1), True), ((64, 49, 10, 1), True), ((49, 10, 1), False), ((1, 49, 10, 2), False), ((), False)],
)
def test_accepts(shape: Shape, fits: bool) -> None:
    assert KWS.accepts(shape) is fits


def test_with_rows() -> None:
    assert KWS.with_rows(5) == (5, 49, 10, 1)
    assert TensorSpec("x", "int8", (2, 3)).with_rows(5) == (2, 3)


def test_described_for_a_person() -> None:
    assert KWS.describe() == "int8[rows,49,10,1]"
    assert TensorSpec("x", "float32", (2, -1)).describe() == "float32[2,*]"
    assert TensorSpec("x", "bool", ()).describe() == "bool[]"


@FUZZ
@given(st.integers(1, 1000), st.integers(0, 50), st.integers(0, 50))
def test_rows_follow_from_the_byte_count(rows: int, first: int, second: int) -> None:
    spec = signature(TensorSpec("a", "int16", (-1, first)), TensorSpec("b", "float64", (-1, second)))
    per_row = 2 * first + 8 * second
    if per_row == 0:
        with pytest.raises(RequestError):
            rows_in(spec, rows)
        return

    assert rows_in(spec, rows * per_row) == rows
    if per_row > 1:
        with pytest.raises(RequestError) as caught:
            rows_in(spec, rows * per_row + 1)
        assert caught.value.code == "BAD_TENSOR"


@pytest.mark.parametrize("size", [0, 489, 491])
def test_a_byte_count_that_is_not_a_whole_row_is_refused(size: int) -> None:
    with pytest.raises(RequestError) as caught:
        rows_in(signature(KWS), size)

    assert caught.value.message == f"expected input: int8[rows,49,10,1] (490 bytes a row), got {size} bytes"


def test_without_rows_the_byte_count_must_be_exact() -> None:
    spec = signature(TensorSpec("a", "int8", (2, 3)), KWS)

    assert not spec.has_rows
    assert rows_in(spec, 6 + 490) == 1
    with pytest.raises(RequestError):
        rows_in(spec, 2 * (6 + 490))


def test_a_signature_without_input_takes_nothing() -> None:
    assert rows_in(signature(), 0) == 1
    with pytest.raises(RequestError, match="no input"):
        rows_in(signature(), 1)


def test_the_size_of_free_shapes_is_not_guessed() -> None:
    spec = signature(TensorSpec("a", "int8", (-1, -1)), KWS)

    assert not spec.is_static
    assert "490 bytes a row" in size_mismatch(spec, 3).message


def test_a_forgotten_leading_dimension_gets_the_hint_that_mends_it() -> None:
    assert "x[None]" in shape_mismatch(KWS, (49, 10, 1)).hint
    assert "x[None]" not in shape_mismatch(KWS, (1, 49, 10)).hint
    assert "at least one row" in shape_mismatch(KWS, (0, 49, 10, 1)).hint


def test_a_spec_without_quantization_says_nothing_of_it() -> None:
    assert "quantization" not in TensorSpec("x", "float32", (1,)).as_dict()
    assert KWS.as_dict()["quantization"] == {"scale": 0.5, "zero_point": 83}


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "complex64"},
        {"dtype": None},
        {"name": 5},
        {"shape": "123"},
        {"shape": [-2]},
        {"shape": [math.inf]},
        {"shape": [[1]]},
        {"shape": None},
        {"quantization": [1]},
        {"quantization": {"scale": 1}},
        {"quantization": {"scale": 10**400, "zero_point": 0}},
        {"quantization": {"scale": 1, "zero_point": math.nan}},
    ],
)
def test_a_malformed_tensor_spec_breaks_the_protocol(change: dict[str, Any]) -> None:
    with pytest.raises(RemoteWireError) as caught:
        TensorSpec.from_dict(KWS.as_dict() | change)

    assert caught.value.code == "BAD_FRAME"


@pytest.mark.parametrize(
    "fields",
    [None, [], "text", {}, {"signature": 1, "inputs": [], "outputs": []}, {"signature": "s", "inputs": {}}],
)
def test_a_malformed_signature_spec_breaks_the_protocol(fields: Any) -> None:
    with pytest.raises(RemoteWireError):
        SignatureSpec.from_dict(fields)


def test_inputs_that_do_not_share_the_rows_need_shapes() -> None:
    rows, single = TensorSpec("x", "int8", (-1, 4)), TensorSpec("threshold", "int8", (1, 2))
    assert SignatureSpec("s", (rows,), ()).is_static
    assert SignatureSpec("s", (single,), ()).is_static
    assert not SignatureSpec("s", (rows, single), ()).is_static
