import numpy as np
import pytest

from mmconvert.calibration.dataset import load_dataset as load_of_several
from mmconvert.source.signature import UNKNOWN, Signature, Tensor
from mmwire.errors import ConvertError
from rig.calibration_rows import ONE, X, load_dataset, save, values

NAN = values(6, 2, 3)
NAN[4, 1, 1] = np.nan
BAD = {
    "NaN, first in row 4": NAN,
    "infinite": np.where(np.isnan(NAN), np.inf, NAN),
    "infinite values": np.full((5, 2, 3), 1e300) * values(5, 2, 3),  # too large for float32
    "constant": np.zeros((6, 2, 3), np.float32),
    "there are no rows": np.zeros((0, 2, 3), np.float32),
}


@pytest.mark.parametrize(
    ("labels", "text"),
    [(np.arange(3), "10 rows and 3 right classes"), (np.full(10, 0.5), "the right classes are float64")],
)
def test_classes_that_do_not_fit_are_refused(tmp_path, labels, text):
    np.savez(tmp_path / "eval.npz", x=values(10, 2, 3), labels=labels)
    with pytest.raises(ConvertError, match=text):
        load_of_several(None, tmp_path / "eval.npz", [ONE])


@pytest.mark.parametrize(
    ("classes", "text"), [([0, 1, 3], "class 3 is not one of the output's 3"), ([-1, 0, 1], "-1 is")]
)
def test_a_class_that_the_output_lacks_is_refused(tmp_path, classes, text):
    signature = Signature("s", (X,), (Tensor("y", "float32", (UNKNOWN, 3)),))
    np.savez(tmp_path / "eval.npz", x=values(3, 2, 3), labels=classes)
    with pytest.raises(ConvertError, match=text):
        load_of_several(None, tmp_path / "eval.npz", [signature])


def test_a_notice_tells_of_copied_rows(tmp_path):
    dataset = load_dataset(save(tmp_path, np.repeat(values(5, 2, 3), 2, axis=0)), ONE)
    assert any("5 of 10 calibration rows are copies" in notice for notice in dataset.notices)


@pytest.mark.parametrize("text", BAD)
def test_useless_data_is_refused(tmp_path, text):
    with pytest.raises(ConvertError, match=text) as caught:
        load_dataset(save(tmp_path, BAD[text]), ONE)
    assert (caught.value.code, caught.value.exit_status) == ("CALIBRATION_INVALID", 1)
