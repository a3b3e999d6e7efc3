import numpy as np
import pytest

from mmconvert.calibration.dataset import load_dataset as load_of_several
from mmconvert.calibration.dataset import require_usable
from mmwire.errors import ConvertError
from rig.calibration_rows import ONE, TWO, load_dataset, rows_of, save, values


def refuses(*unwanted):
    """Return a model that refuses rows whose ``ids`` are one of these, as ``require_usable`` asks it."""

    def refusals(feeds):
        refused = [index for index, feed in enumerate(feeds) if int(feed["ids"].ravel()[0]) in unwanted]
        return refused, "no such word" if refused else ""

    return refusals


@pytest.mark.parametrize("row", range(4))
def test_a_row_that_the_model_refuses_is_named_whatever_its_task(tmp_path, row):
    path = tmp_path / "rows.npz"
    np.savez(path, x=values(80, 2, 3), ids=np.arange(80)[:, None])
    rows = rows_of(load_dataset(path, TWO))
    require_usable(rows, TWO, refuses(80))
    with pytest.raises(ConvertError) as caught:
        require_usable(rows, TWO, refuses(row))
    assert caught.value.code == "CALIBRATION_INVALID"
    assert caught.value.message == f"--calibration: the model itself refuses row {row}: no such word"
    assert "refuses 1 of the" in caught.value.hint


def test_rows_of_an_evaluation_are_named_as_such(tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, x=values(80, 2, 3), ids=np.arange(80)[:, None])
    (rows,) = load_of_several(path, path, [TWO]).signatures.values()
    with pytest.raises(ConvertError, match=r"--calibration: .* row 7:"):
        require_usable(rows, TWO, refuses(7))  # its first use is to calibrate
    (rows,) = load_of_several(None, path, [TWO]).signatures.values()
    with pytest.raises(ConvertError, match=r"--eval: .* row 7:"):
        require_usable(rows, TWO, refuses(7))


def test_only_places_in_a_table_are_tried_for_all_rows(tmp_path):
    asked = []

    def refusals(feeds):
        asked.append(len(feeds))
        return [], ""

    require_usable(rows_of(load_dataset(save(tmp_path, values(80, 2, 3)), ONE)), ONE, refusals)
    assert asked == [20]


@pytest.mark.parametrize(("rows", "max_drop", "told"), [(100, 0.01, True), (200, 0.01, False), (100, 0.05, False)])
def test_a_notice_tells_when_one_row_decides(tmp_path, rows, max_drop, told):
    np.savez(tmp_path / "eval.npz", x=values(rows, 2, 3), labels=np.arange(rows))
    dataset = load_of_several(None, tmp_path / "eval.npz", [ONE])
    assert any("one row of 50 is 2.0%" in notice for notice in dataset.tell_coarse(max_drop)) == told


def test_digest_is_of_the_values_not_of_the_file(tmp_path):
    np.savez(tmp_path / "rows.npz", x=values(9, 2, 3))
    from_npz = load_dataset(tmp_path / "rows.npz", ONE).digest
    assert load_dataset(save(tmp_path, values(9, 2, 3)), ONE).digest == from_npz
    assert load_dataset(save(tmp_path, values(9, 2, 3) + 1), ONE).digest != from_npz
