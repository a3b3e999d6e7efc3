import numpy as np
import pytest

from mmconvert.calibration.dataset import load_dataset as load_of_several
from mmconvert.source.signature import UNKNOWN, Signature, Tensor
from mmwire.errors import ConvertError
from rig.calibration_rows import ONE, TWO, X, calibration_of, load_dataset, save, values


def test_several_signatures_each_need_their_rows(tmp_path):
    encode, decode = Signature("encode", (X,), ()), Signature("decode", (Tensor("z", "float32", (UNKNOWN, 2)),), ())
    np.savez(tmp_path / "rows.npz", **{"encode/x": values(8, 2, 3), "decode/z": values(6, 2)})
    dataset = load_of_several(tmp_path / "rows.npz", None, [encode, decode])
    assert {name: len(rows.calibration.feeds) for name, rows in dataset.signatures.items()} == {
        "encode": 8,
        "decode": 6,
    }
    np.savez(tmp_path / "rows.npz", x=values(8, 2, 3), z=values(6, 2))
    assert load_of_several(tmp_path / "rows.npz", None, [encode, decode]).digest == dataset.digest
    np.savez(tmp_path / "rows.npz", **{"encode/x": values(8, 2, 3)})
    with pytest.raises(ConvertError, match="no array for input 'decode/z'"):
        load_of_several(tmp_path / "rows.npz", None, [encode, decode])


def test_a_folder_of_files_is_all_of_their_rows(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    np.save(folder / "a.npy", values(3, 2, 3))
    np.save(folder / "b.npy", values(4, 2, 3) + 50)
    assert len(calibration_of(load_dataset(folder, ONE))) == 7


def test_npz_is_matched_by_input_name(tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, x=values(8, 2, 3), ids=np.zeros((8, 1), np.int64), other=values(1))
    dataset = load_dataset(path, TWO)  # constant integers are fine beside an input that varies
    assert calibration_of(dataset)[3]["ids"].dtype == np.int32
    np.savez(path, x=values(8, 2, 3), id=np.zeros((8, 1), np.int32))
    with pytest.raises(ConvertError, match="no array for input 'ids': expected x, ids, got id, x"):
        load_dataset(path, TWO)
    np.savez(path, x=values(8, 2, 3), ids=np.zeros((7, 1), np.int32))
    with pytest.raises(ConvertError, match="different numbers of rows: x 8, ids 7"):
        load_dataset(path, TWO)
    np.savez(path, anything=values(8, 2, 3))
    assert load_dataset(path, ONE).rows == 8


def test_one_array_cannot_feed_two_inputs(tmp_path):
    with pytest.raises(ConvertError, match="the signature has the inputs x, ids"):
        load_dataset(save(tmp_path, values(8, 2, 3)), TWO)


@pytest.mark.parametrize("header", ["", "a,b,c,d,e,f\n"])
def test_csv_holds_one_row_in_each_line(tmp_path, header):
    path = tmp_path / "rows.csv"
    path.write_text(header + "1,2,3,4,5,6\n7,8,9,10,11,12\n")
    dataset = load_dataset(path, ONE)
    assert calibration_of(dataset)[1]["x"].tolist() == [[[7, 8, 9], [10, 11, 12]]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3,4\n", "2 values in each line; one row of input 'x' is \\[2, 3\\]"),
        ("1,2,3\n4,5\n", "lines of 2 and of 3 values"),
        ("1,2,3,4,5,6\n1,2,x,4,5,6\n", "numbers only|could not convert"),
        ("", "there are no rows"),
    ],
)
def test_csv_that_is_not_a_table_is_refused(tmp_path, text, message):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(ConvertError, match=message):
        load_dataset(path, ONE)


@pytest.mark.parametrize("name", ["rows.npy", "rows.npz", "rows.json", "missing.npy"])
def test_unreadable_files_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x93NUMPY broken") if name != "missing.npy" else None
    with pytest.raises(ConvertError) as caught:
        load_dataset(tmp_path / name, ONE)
    assert caught.value.code == "CALIBRATION_INVALID"


def test_pickled_arrays_are_never_loaded(tmp_path):
    np.save(tmp_path / "rows.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ConvertError, match="cannot be read"):
        load_dataset(tmp_path / "rows.npy", ONE)
