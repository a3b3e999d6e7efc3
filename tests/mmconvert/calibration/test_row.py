import numpy as np
import pytest

from mmconvert.calibration.row import cast_rows, shape_rows, spread
from mmconvert.source.signature import UNKNOWN, Tensor
from mmwire.errors import ConvertError
from rig.calibration_rows import X, values


@pytest.mark.parametrize("shape", [(5, 2, 3), (5, 1, 2, 3)])
def test_rows_become_feeds_with_and_without_their_leading_one(shape):
    assert shape_rows(X, values(*shape)).shape == (5, 1, 2, 3)


def test_one_row_alone_is_one_feed():
    assert shape_rows(X, values(2, 3)).shape == (1, 1, 2, 3)


def test_an_input_without_rows_is_fed_whole():
    assert shape_rows(Tensor("x", "float32", (7, 3)), values(4, 7, 3)).shape == (4, 7, 3)


def test_open_dimensions_take_any_size():
    assert shape_rows(Tensor("x", "float32", (UNKNOWN, UNKNOWN, 3)), values(4, 9, 3)).shape == (4, 1, 9, 3)


@pytest.mark.parametrize("shape", [(5, 3, 2), (5, 6), (3,), (5, 2, 2, 3)])
def test_a_wrong_shape_names_both(shape):
    with pytest.raises(ConvertError) as caught:
        shape_rows(X, values(*shape))
    assert "[?, 2, 3]" in caught.value.message and str(list(shape)) in caught.value.message


def test_types_are_converted_with_a_notice_or_refused():
    cast, notice = cast_rows(X, np.arange(6, dtype=np.int64))
    assert cast.dtype == np.float32 and "int64" in notice
    assert cast_rows(X, values(6))[1] == ""
    for array in (np.array([0.5]), np.array([2**40])):
        with pytest.raises(ConvertError, match="wrong type: expected int32"):
            cast_rows(Tensor("ids", "int32", (UNKNOWN,)), array)
    with pytest.raises(ConvertError, match="wrong type"):
        cast_rows(X, np.array(["a"]))


def test_spread_covers_everything_evenly():
    assert spread(3, 5) == [0, 1, 2]
    assert spread(10, 5) == [0, 2, 4, 6, 8]
