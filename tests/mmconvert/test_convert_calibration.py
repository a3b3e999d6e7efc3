import numpy as np
import pytest
from PIL import Image

from mmconvert.calibration.dataset import load_dataset as load_of_several
from mmconvert.calibration.dataset import require_usable
from mmconvert.calibration.image import list_images
from mmconvert.calibration.row import cast_rows, shape_rows, spread
from mmconvert.calibration.split import MAX_CALIBRATION_ROWS, MAX_HELD_OUT_ROWS, MAX_SEARCH_ROWS
from mmconvert.source.signature import UNKNOWN, Signature, Tensor
from mmwire.errors import ConvertError

X = Tensor("x", "float32", (UNKNOWN, 2, 3))
ONE = Signature("serving_default", (X,), ())
TWO = Signature("serving_default", (X, Tensor("ids", "int32", (UNKNOWN, 1))), ())


def load_dataset(path, signature):
    return load_of_several(path, None, [signature])


def rows_of(dataset):
    (rows,) = dataset.signatures.values()
    return rows


def calibration_of(dataset):
    return rows_of(dataset).calibration.feeds


def values(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


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


def save(tmp_path, array):
    np.save(tmp_path / "rows.npy", array)
    return tmp_path / "rows.npy"


def test_many_rows_are_capped_and_those_that_verify_take_no_other_part(tmp_path):
    random = np.random.default_rng(1).normal(size=(3000, 2, 3))
    dataset = load_dataset(save(tmp_path, random), ONE)
    rows = rows_of(dataset)
    parts = [rows.calibration.feeds, rows.search.feeds, rows.held_out.feeds]
    assert [len(part) for part in parts] == [MAX_CALIBRATION_ROWS, MAX_SEARCH_ROWS, MAX_HELD_OUT_ROWS]
    seen = [feed["x"].tobytes() for part in parts for feed in part]
    assert len(set(seen)) == len(seen) and dataset.rows == 3000
    assert any("float64" in notice for notice in dataset.notices)
    assert any("512 calibrate, 256 choose among candidates, 512 only verify" in notice for notice in dataset.notices)


def test_evaluation_rows_choose_and_verify_and_bring_their_classes(tmp_path):
    random = np.random.default_rng(1).normal(size=(100, 2, 3)).astype(np.float32)
    np.savez(tmp_path / "eval.npz", x=random, labels=np.arange(100))
    dataset = load_of_several(save(tmp_path, values(40, 2, 3)), tmp_path / "eval.npz", [ONE])
    rows = rows_of(dataset)
    assert [len(part.feeds) for part in (rows.calibration, rows.search, rows.held_out)] == [40, 50, 50]
    assert rows.held_out.classes.tolist() == list(range(1, 100, 2)) and dataset.has_classes
    assert all(np.array_equal(feed["x"][0], random[2 * row]) for row, feed in enumerate(rows.search.feeds))
    alone = rows_of(load_of_several(None, tmp_path / "eval.npz", [ONE]))
    assert [feed["x"].tobytes() for feed in alone.calibration.feeds] == [
        feed["x"].tobytes() for feed in alone.search.feeds
    ]


@pytest.mark.parametrize(
    ("labels", "text"),
    [(np.arange(3), "10 rows and 3 right classes"), (np.full(10, 0.5), "the right classes are float64")],
)
def test_classes_that_do_not_fit_are_refused(tmp_path, labels, text):
    np.savez(tmp_path / "eval.npz", x=values(10, 2, 3), labels=labels)
    with pytest.raises(ConvertError, match=text):
        load_of_several(None, tmp_path / "eval.npz", [ONE])


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


def test_images_in_folders_of_their_classes_know_them(tmp_path):
    for index, name in enumerate(("cat", "ant", "cat")):
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 40 + 60 * index).save(tmp_path / "photos" / name / f"{index}.png")
    signature = Signature("s", (Tensor("x", "float32", (UNKNOWN, 4, 4, 1)),), ())
    by_name = rows_of(load_of_several(None, tmp_path / "photos", [signature]))
    assert by_name.search.classes.tolist() == [0, 1, 1]
    by_label = rows_of(load_of_several(None, tmp_path / "photos", [signature], ["cat", "dog", "ant"]))
    assert by_label.search.classes.tolist() == [2, 0, 0]


def test_images_beside_folders_are_no_classes_and_it_is_said(tmp_path):
    for place in ("a/1.png", "b/2.png", "3.png"):
        (tmp_path / "photos" / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), int(place[-5])).save(tmp_path / "photos" / place)
    signature = Signature("s", (Tensor("x", "float32", (UNKNOWN, 4, 4, 1)),), ())
    dataset = load_of_several(None, tmp_path / "photos", [signature])
    assert rows_of(dataset).search.classes is None
    assert any("beside the folders" in notice for notice in dataset.notices)


def test_a_folder_that_cannot_be_read_is_no_class_less(tmp_path):
    with pytest.raises(ConvertError, match="gone cannot be read: No such file"):
        list_images(tmp_path / "gone")


@pytest.mark.parametrize(
    ("classes", "text"), [([0, 1, 3], "class 3 is not one of the output's 3"), ([-1, 0, 1], "-1 is")]
)
def test_a_class_that_the_output_has_not_is_refused(tmp_path, classes, text):
    signature = Signature("s", (X,), (Tensor("y", "float32", (UNKNOWN, 3)),))
    np.savez(tmp_path / "eval.npz", x=values(3, 2, 3), labels=classes)
    with pytest.raises(ConvertError, match=text):
        load_of_several(None, tmp_path / "eval.npz", [signature])


def refuses(*unwanted):
    """Return a model that refuses rows whose ``ids`` are one of these, as ``require_usable`` asks it."""

    def refusals(feeds):
        refused = [index for index, feed in enumerate(feeds) if int(feed["ids"].ravel()[0]) in unwanted]
        return refused, "no such word" if refused else ""

    return refusals


@pytest.mark.parametrize("row", range(4))
def test_a_row_that_the_model_refuses_is_named_whatever_it_is_for(tmp_path, row):
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


def test_copies_are_told(tmp_path):
    dataset = load_dataset(save(tmp_path, np.repeat(values(5, 2, 3), 2, axis=0)), ONE)
    assert any("5 of 10 calibration rows are copies" in notice for notice in dataset.notices)


def test_what_an_int8_input_would_clip_is_told(tmp_path):
    random = np.random.default_rng(1).normal(size=(200, 2, 3)).astype(np.float32)
    alike = load_of_several(save(tmp_path, random), None, [ONE])
    assert not any("clips" in notice for notice in alike.notices)
    np.save(tmp_path / "eval.npy", random * 10)
    louder = load_of_several(tmp_path / "rows.npy", tmp_path / "eval.npy", [ONE])
    (notice,) = [notice for notice in louder.notices if "clips" in notice]
    share = np.mean((random * 10 < random.min()) | (random * 10 > random.max()))
    assert f"input 'x': {share:.1%} of the values" in notice


@pytest.mark.parametrize(("rows", "max_drop", "told"), [(100, 0.01, True), (200, 0.01, False), (100, 0.05, False)])
def test_a_row_that_weighs_more_than_may_be_lost_is_told(tmp_path, rows, max_drop, told):
    np.savez(tmp_path / "eval.npz", x=values(rows, 2, 3), labels=np.arange(rows))
    dataset = load_of_several(None, tmp_path / "eval.npz", [ONE])
    assert any("one row of 50 is 2.0%" in notice for notice in dataset.tell_coarse(max_drop)) == told


def test_few_rows_do_both_and_it_is_said(tmp_path):
    dataset = load_dataset(save(tmp_path, values(10, 2, 3)), ONE)
    assert [len(part.feeds) for part in (rows_of(dataset).calibration, rows_of(dataset).held_out)] == [10, 10]
    assert any("same rows" in notice for notice in dataset.notices)
    assert any("only 10" in notice for notice in dataset.notices)


def test_digest_is_of_the_values_not_of_the_file(tmp_path):
    np.savez(tmp_path / "rows.npz", x=values(9, 2, 3))
    from_npz = load_dataset(tmp_path / "rows.npz", ONE).digest
    assert load_dataset(save(tmp_path, values(9, 2, 3)), ONE).digest == from_npz
    assert load_dataset(save(tmp_path, values(9, 2, 3) + 1), ONE).digest != from_npz


NAN = values(6, 2, 3)
NAN[4, 1, 1] = np.nan
BAD = {
    "NaN, first in row 4": NAN,
    "infinite": np.where(np.isnan(NAN), np.inf, NAN),
    "infinite values": np.full((5, 2, 3), 1e300) * values(5, 2, 3),  # too large for float32
    "constant": np.zeros((6, 2, 3), np.float32),
    "there are no rows": np.zeros((0, 2, 3), np.float32),
}


@pytest.mark.parametrize("text", BAD)
def test_data_that_says_nothing_is_refused(tmp_path, text):
    with pytest.raises(ConvertError, match=text) as caught:
        load_dataset(save(tmp_path, BAD[text]), ONE)
    assert (caught.value.code, caught.value.exit_status) == ("CALIBRATION_INVALID", 1)


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
def test_csv_is_a_row_a_line(tmp_path, header):
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
def test_csv_that_is_no_table_of_rows(tmp_path, text, message):
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


def image_folder(tmp_path, count=3):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(count):
        Image.new("RGB", (10, 20), (255, 0, index * 50)).save(folder / f"{index}.png")
    return folder


@pytest.mark.parametrize(("dtype", "red"), [("float32", 1.0), ("uint8", 255), ("int8", 127)])
def test_images_are_resized_and_scaled_by_type(tmp_path, dtype, red):
    signature = Signature("s", (Tensor("x", dtype, (UNKNOWN, 4, 6, 3)),), ())
    feed = calibration_of(load_dataset(image_folder(tmp_path), signature))[0]["x"]
    assert feed.shape == (1, 4, 6, 3) and feed.dtype == dtype
    assert feed[0, 0, 0, 0] == red


def test_images_need_an_image_input_and_be_images(tmp_path):
    folder = image_folder(tmp_path)
    with pytest.raises(ConvertError, match="cannot feed input 'x' float32"):
        load_dataset(folder, ONE)
    (folder / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(ConvertError, match=r"broken\.png cannot be read as an image"):
        load_dataset(folder, Signature("s", (Tensor("x", "float32", (1, 4, 6, 1)),), ()))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ConvertError, match="holds no image"):
        load_dataset(empty, ONE)


def read_one(folder, image, suffix="png", channels=1, **options):
    """Return what a model is fed for one image, as the only row of a folder of it and of a black one."""
    folder.mkdir()
    image.save(folder / f"image.{suffix}", **options)
    Image.new("L", image.size).save(folder / "zero.png")
    signature = Signature("s", (Tensor("x", "uint8", (UNKNOWN, image.height, image.width, channels)),), ())
    return calibration_of(load_dataset(folder, signature))[0]["x"][0]


def test_grey_of_16_bits_is_scaled_by_its_depth(tmp_path):
    levels = np.array([[0, 257, 32896, 65535]], np.uint16)
    grey = read_one(tmp_path / "grey", Image.fromarray(levels))
    assert grey[0, :, 0].tolist() == [0, 1, 128, 255]
    colour = read_one(tmp_path / "colour", Image.fromarray(levels), channels=3)
    assert colour[0, :, 2].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("values", [np.full((2, 2), 70000, np.int32), np.full((2, 2), 0.5, np.float32)])
def test_values_of_32_bits_are_refused(tmp_path, values):
    with pytest.raises(ConvertError, match="has 32 bits for each channel: expected 8 or 16") as caught:
        read_one(tmp_path / "deep", Image.fromarray(values), format="TIFF")
    assert caught.value.code == "CALIBRATION_INVALID" and ".npz" in caught.value.hint


def test_a_palette_gives_its_colours(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    assert read_one(tmp_path / "palette", image, channels=3)[0].tolist() == [[10, 20, 30], [200, 100, 50]]


def test_alpha_is_left_out_unless_the_input_has_four_channels(tmp_path):
    image = Image.new("RGBA", (1, 1), (10, 20, 30, 0))
    assert read_one(tmp_path / "three", image, channels=3)[0].tolist() == [[10, 20, 30]]
    assert read_one(tmp_path / "four", image, channels=4)[0].tolist() == [[10, 20, 30, 0]]


def test_a_photograph_is_turned_as_its_camera_was(tmp_path):
    image = Image.new("RGB", (8, 16))
    image.paste((255, 255, 255), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    rows = read_one(tmp_path / "turned", image, "jpg", channels=3, exif=exif)
    assert rows[0].mean() < 10 and rows[-1].mean() > 245
