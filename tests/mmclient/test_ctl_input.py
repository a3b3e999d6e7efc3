from __future__ import annotations

import io
import json
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwire.frame import FrameType
from rig.fake_daemon import FakeDaemon

Ctl = Callable[..., tuple[int, str, str]]


def array_file(array: object) -> Callable[[Path], None]:
    return lambda path: np.save(path, np.asarray(array), allow_pickle=True)


def text(content: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(content)

    return write


def stereo(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16))


BAD = {
    "wrong dtype": ("double", "x.npy", array_file(np.ones((1, 4), bool)), "BAD_TENSOR", "got dtype bool"),
    "wrong shape": ("double", "x.npy", array_file(np.ones((1, 5), np.float32)), "BAD_TENSOR", "got shape [1,5]"),
    "no rows": ("double", "x.npy", array_file(np.ones((0, 4), np.float32)), "BAD_TENSOR", "got shape [0,4]"),
    "one array for two": ("two", "x.npy", array_file(np.ones((1, 2))), "BAD_TENSOR", "expected values for the inputs"),
    "one input of two": ("two", "x.json", text('{"a": [1, 2]}'), "BAD_TENSOR", "expected the inputs 'a', 'b', got 'a'"),
    "unknown input": ("two", "x.json", text('{"c": [1, 2]}'), "BAD_TENSOR", "got 'c'"),
    "unequal rows": ("two", "x.json", text('{"a": [[1, 2]], "b": [[1, 2], [1, 2]]}'), "BAD_TENSOR", "a: 1, b: 2"),
    "too many rows": ("fixed", "x.csv", text("1,2,3\n1,2,3\n"), "BAD_TENSOR", "got shape [2,3]"),
    "missing": ("double", "x.npy", lambda path: None, "BAD_INPUT", "No such file"),
    "missing json": ("double", "x.json", lambda path: None, "BAD_INPUT", "No such file"),
    "missing image": ("digits", "x.png", lambda path: None, "BAD_INPUT", "No such file"),
    "missing wav": ("double", "x.wav", lambda path: None, "BAD_INPUT", "No such file"),
    "folder": ("double", "x.json", Path.mkdir, "BAD_INPUT", "expected a folder of images"),
    "pickle": ("double", "x.npy", array_file([object()]), "BAD_INPUT", "pickle"),
    "no npy": ("double", "x.npy", text("hello"), "BAD_INPUT", "cannot be read as numpy arrays"),
    "empty npy": ("double", "x.npy", text(""), "BAD_INPUT", "cannot be read as numpy arrays"),
    "no npz": ("double", "x.npz", text("hello"), "BAD_INPUT", "cannot be read as numpy arrays"),
    "unknown kind": ("double", "x.xyz", text("1"), "BAD_INPUT", "json, csv, wav or image file, got .xyz"),
    "no suffix": ("double", "x", text("1"), "BAD_INPUT", "image file, got a name without a suffix"),
    "cut json": ("double", "x.json", text("[1, 2"), "BAD_INPUT", "expected JSON, got '[1, 2': "),
    "empty json": ("double", "x.json", text(" "), "BAD_INPUT", "expected JSON, got nothing"),
    "no array": ("double", "x.json", text("7"), "BAD_INPUT", "expected a list of numbers or an object of them, got 7"),
    "deep json": ("double", "x.json", text("[" * 100_000), "BAD_INPUT", "expected JSON, got '[[["),
    "ragged json": ("double", "x.json", text("[[1, 2, 3, 4], [1]]"), "BAD_TENSOR", "unequal length"),
    "text in json": ("double", "x.json", text('["a", "b", "c", "d"]'), "BAD_TENSOR", "got text"),
    "null in json": ("double", "x.json", text("[null, 1, 2, 3]"), "BAD_TENSOR", "got objects"),
    "text in csv": ("double", "x.csv", text("1,2,3,4\n1,2,three,4\n"), "BAD_INPUT", "row 2: expected numbers"),
    "ragged csv": ("double", "x.csv", text("1,2,3,4\n1,2\n"), "BAD_INPUT", "row 2 has 2 values"),
    "header only": ("double", "x.csv", text("a,b\n"), "BAD_INPUT", "expected a line of numbers for each row, got none"),
    "semicolons": ("double", "x.csv", text("1;2;3;4\n"), "BAD_INPUT", "commas between them, got semicolons: '1;2;3;4'"),
    "decimal commas": ("double", "x.csv", text("1,5;2\n"), "BAD_INPUT", "if no number has a decimal comma: tr ';' , <"),
    "semicolons below a header": ("double", "x.csv", text("a\n1;2\n"), "BAD_INPUT", "got semicolons"),
    "tabs": ("double", "x.csv", text("1\t2\t3\t4\n"), "BAD_INPUT", "commas between them, got tabs"),
    "narrow csv": ("double", "x.csv", text("1,2\n"), "BAD_TENSOR", "got shape [1,2]"),
    "no image": ("digits", "x.png", text("hello"), "BAD_INPUT", "cannot be read as an image"),
    "image for none": ("two", "x.png", text("hello"), "BAD_TENSOR", "-i NAME=FILE names the input"),
    "image for numbers": ("half", "x.png", text("hello"), "BAD_TENSOR", "takes no image"),
    "stereo": ("double", "x.wav", stereo, "BAD_INPUT", "16-bit with 2 channels"),
    "no wav": ("double", "x.wav", text("hello"), "BAD_INPUT", "is not a WAV file"),
    "infinite": ("echo8", "x.npy", array_file(np.full((1, 640), np.inf)), "BAD_TENSOR", "NaN or infinity"),
    "nan": ("echo8", "x.npy", array_file(np.full((1, 640), np.nan, np.float32)), "BAD_TENSOR", "NaN or infinity"),
    "nan in json": ("echo8", "x.json", text(json.dumps([float("nan")] * 640)), "BAD_TENSOR", "NaN or infinity"),
    "unknown model": ("nope", "x.npy", lambda path: None, "MODEL_NOT_FOUND", "no model named 'nope'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(ctl: Ctl, daemon: FakeDaemon, tmp_path: Path, case: str) -> None:
    model, name, write, code, told = BAD[case]
    write(tmp_path / name)
    status, out, err = ctl("--json", "predict", model, "-i", str(tmp_path / name))
    error = json.loads(err)["error"]
    assert (status, out, error["code"]) == (1, "", code)
    assert told in error["message"] + error["hint"]
    assert daemon.count(FrameType.INFER) == 0


def test_unknown_input_name(ctl: Ctl) -> None:
    status, _, err = ctl("predict", "two", "-i", "z=x.npy")
    assert status == 1 and "the model's inputs are 'a', 'b', got 'z'\nhint: -i a=FILE names an input" in err


@pytest.mark.parametrize("argument", ["", "x="])
def test_a_file_without_a_name(ctl: Ctl, argument: str) -> None:
    status, _, err = ctl("predict", "double", "-i", argument)
    assert status == 1 and "expected the name of a file, got nothing" in err


def test_files_may_follow_the_model(ctl: Ctl, tmp_path: Path) -> None:
    for index in range(3):
        np.save(tmp_path / f"{index}.npy", np.full((1, 4), index, np.float32))
    paths = [str(tmp_path / f"{index}.npy") for index in range(3)]
    code, out, _ = ctl("predict", "double", "-i", *paths, "--json")
    assert code == 0 and [row[0] for row in json.loads(out)["outputs"][0]["data"]] == [0, 2, 4]
    code, _, err = ctl("predict", "double")
    assert code == 2 and "no input: expected a file, as in mmctl predict double FILE" in err


def test_a_folder_stands_for_its_images_and_names_that_clash_get_their_folders(ctl: Ctl, tmp_path: Path) -> None:
    for folder, names in {"a": ["2.png", "1.png", "notes.txt"], "b": ["1.png"]}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            if name.endswith(".png"):
                Image.new("L", (8, 8), 9).save(tmp_path / folder / name)
            else:
                (tmp_path / folder / name).write_text("nothing to run")
    code, out, _ = ctl("predict", "digits", str(tmp_path / "a"), "--json")
    assert code == 0 and len(json.loads(out)["outputs"][0]["data"]) == 2
    out = ctl("predict", "digits", str(tmp_path / "a"))[1]
    assert out.index("1.png") < out.index("2.png") and str(tmp_path) not in out
    out = ctl("predict", "digits", str(tmp_path / "a"), str(tmp_path / "b"))[1]
    assert str(tmp_path / "a" / "1.png") in out and str(tmp_path / "b" / "1.png") in out


def test_labels_in_an_archive_are_ignored(ctl: Ctl, tmp_path: Path) -> None:
    np.savez(tmp_path / "eval.npz", x=np.ones((2, 4), np.float32), labels=np.array([0, 1]))
    code, out, _ = ctl("predict", "double", "-i", str(tmp_path / "eval.npz"), "--json")
    assert code == 0 and json.loads(out)["outputs"][0]["data"] == [[2] * 4] * 2


def test_a_file_name_may_hold_an_equals_sign(ctl: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "run=1.json"
    path.write_text("[1, 2, 3, 4]")
    assert ctl("predict", "double", "-i", str(path))[0] == 0


def test_pillow_is_absent(ctl: Ctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (8, 8), 9).save(tmp_path / "x.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    status, _, err = ctl("predict", "digits", "-i", str(tmp_path / "x.png"))
    assert status == 2 and "pip install 'mmdaemon[images]'" in err
    monkeypatch.setattr(sys, "prefix", "/usr/lib/mmdaemon")
    status, _, err = ctl("predict", "digits", "-i", str(tmp_path / "x.png"))
    assert status == 2 and "pip" not in err and "apt install --reinstall ./mmdaemon_*.deb" in err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            bytes(range(128, 256)) * 5,
            "mmctl: stdin: expected JSON, got 640 bytes that are not text\nhint: save raw values",
        ),
        (b"\x89PNG\r\n\x1a\n", "expected JSON, got a PNG image\nhint: give it as a file: mmctl predict MODEL FILE.png"),
        (b"\x93NUMPY\x01\x00", "expected JSON, got a numpy array\nhint: give it as a file"),
        (b"", "stdin: expected JSON, got nothing\nhint: for example [1, 2, 3]"),
        (b"1;2;3;4", "stdin: expected JSON, got '1;2;3;4': Extra data"),
    ],
)
def test_stdin_that_is_not_json(ctl: Ctl, monkeypatch: pytest.MonkeyPatch, given: bytes, says: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    status, out, err = ctl("predict", "double", "-i", "-")
    assert (status, out) == (1, "") and says in err


def test_a_model_named_by_its_file_and_arguments_in_the_wrong_order(ctl: Ctl, tmp_path: Path) -> None:
    image = tmp_path / "x.png"
    Image.new("L", (8, 8), 9).save(image)
    status, _, err = ctl("predict", "digits.tflite", str(image))
    assert status == 1 and "hint: a model's name has no suffix: mmctl predict digits\n" in err
    status, _, err = ctl("predict", str(image), "digits")
    assert status == 1 and f"hint: MODEL comes first, then the files: mmctl predict MODEL {image}\n" in err
