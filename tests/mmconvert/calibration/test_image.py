import numpy as np
import pytest
from PIL import Image

from mmconvert.calibration.dataset import load_dataset as load_of_several
from mmconvert.calibration.image import list_images
from mmconvert.source.signature import UNKNOWN, Signature, Tensor
from mmwire.errors import ConvertError
from rig.calibration_rows import ONE, calibration_of, load_dataset, rows_of


def image_folder(tmp_path, count=3):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(count):
        Image.new("RGB", (10, 20), (255, 0, index * 50)).save(folder / f"{index}.png")
    return folder


def read_one(folder, image, suffix="png", channels=1, **options):
    """Return what a model is fed for one image, as the only row of a folder of it and of a black one."""
    folder.mkdir()
    image.save(folder / f"image.{suffix}", **options)
    Image.new("L", image.size).save(folder / "zero.png")
    signature = Signature("s", (Tensor("x", "uint8", (UNKNOWN, image.height, image.width, channels)),), ())
    return calibration_of(load_dataset(folder, signature))[0]["x"][0]


def test_images_take_their_classes_from_their_folders(tmp_path):
    for index, name in enumerate(("cat", "ant", "cat")):
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 40 + 60 * index).save(tmp_path / "photos" / name / f"{index}.png")
    signature = Signature("s", (Tensor("x", "float32", (UNKNOWN, 4, 4, 1)),), ())
    by_name = rows_of(load_of_several(None, tmp_path / "photos", [signature]))
    assert by_name.search.classes.tolist() == [0, 1, 1]
    by_label = rows_of(load_of_several(None, tmp_path / "photos", [signature], ["cat", "dog", "ant"]))
    assert by_label.search.classes.tolist() == [2, 0, 0]


def test_images_beside_folders_have_no_classes_and_a_notice_says_so(tmp_path):
    for place in ("a/1.png", "b/2.png", "3.png"):
        (tmp_path / "photos" / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), int(place[-5])).save(tmp_path / "photos" / place)
    signature = Signature("s", (Tensor("x", "float32", (UNKNOWN, 4, 4, 1)),), ())
    dataset = load_of_several(None, tmp_path / "photos", [signature])
    assert rows_of(dataset).search.classes is None
    assert any("beside the folders" in notice for notice in dataset.notices)


def test_an_unreadable_folder_is_refused_and_not_skipped(tmp_path):
    with pytest.raises(ConvertError, match="gone cannot be read: No such file"):
        list_images(tmp_path / "gone")


@pytest.mark.parametrize(("dtype", "red"), [("float32", 1.0), ("uint8", 255), ("int8", 127)])
def test_images_are_resized_and_scaled_by_type(tmp_path, dtype, red):
    signature = Signature("s", (Tensor("x", dtype, (UNKNOWN, 4, 6, 3)),), ())
    feed = calibration_of(load_dataset(image_folder(tmp_path), signature))[0]["x"]
    assert feed.shape == (1, 4, 6, 3) and feed.dtype == dtype
    assert feed[0, 0, 0, 0] == red


def test_files_that_are_not_images_are_refused(tmp_path):
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


def test_grey_of_16_bits_is_scaled_by_its_depth(tmp_path):
    levels = np.array([[0, 257, 32896, 65535]], np.uint16)
    grey = read_one(tmp_path / "grey", Image.fromarray(levels))
    assert grey[0, :, 0].tolist() == [0, 1, 128, 255]
    colour = read_one(tmp_path / "colour", Image.fromarray(levels), channels=3)
    assert colour[0, :, 2].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("values", [np.full((2, 2), 70000, np.int32), np.full((2, 2), 0.5, np.float32)])
def test_values_of_32_bits_are_refused(tmp_path, values):
    with pytest.raises(ConvertError, match="expected 8 or 16 bits a channel") as caught:
        read_one(tmp_path / "deep", Image.fromarray(values), format="TIFF")
    assert caught.value.code == "CALIBRATION_INVALID" and "scale the image" in caught.value.hint


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
