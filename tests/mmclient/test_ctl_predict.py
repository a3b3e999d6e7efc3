from __future__ import annotations

import io
import json
import struct
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmwire.frame import FrameType
from rig.fake_daemon import FakeDaemon, FakeModel, one

Ctl = Callable[..., tuple[int, str, str]]


def predicted(ctl: Ctl, *arguments: str) -> dict[str, Any]:
    status, out, err = ctl("--json", "predict", *arguments)
    assert status == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def data(ctl: Ctl, *arguments: str) -> Any:
    return predicted(ctl, *arguments)["outputs"][0]["data"]


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_the_document(ctl: Ctl, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 640), np.int8))
    document = predicted(ctl, "echo8", "-i", str(tmp_path / "x.npy"))
    (output,) = document["outputs"]
    assert list(document) == ["model", "version", "outputs", "timing_us"]
    assert (document["model"], document["version"]) == ("echo8", 1)
    assert (output["name"], output["dtype"], output["shape"]) == ("y", "float32", [2, 640])
    assert output["data"] == [[2.0] * 640] * 2 and "top" not in output
    assert list(document["timing_us"]) == ["queue", "run", "total"] and document["timing_us"]["run"] == 100
    (output,) = predicted(ctl, "echo8", "-i", str(tmp_path / "x.npy"), "--raw")["outputs"]
    assert (output["dtype"], output["data"]) == ("int8", [[1] * 640] * 2)


def test_every_form_of_file(ctl: Ctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = [1.0, 2.0, 3.0, 4.0]
    np.save(tmp_path / "row.npy", np.array(row, np.float32))
    np.save(tmp_path / "rows.npy", np.array([row, row]))
    np.savez(tmp_path / "any.npz", whatever=np.array([row], np.float32))
    (tmp_path / "x.json").write_text(json.dumps(row))
    (tmp_path / "x.csv").write_text("a,b,c,d\n1,2,3,4\n1,2,3,4\n")
    twice = [2.0, 4.0, 6.0, 8.0]
    for name, rows in {"row.npy": 1, "rows.npy": 2, "any.npz": 1, "x.json": 1, "x.csv": 2}.items():
        assert data(ctl, "double", "-i", str(tmp_path / name)) == [twice] * rows, name
        assert data(ctl, "double", "-i", f"x={tmp_path / name}") == [twice] * rows, name
    for text in ("[1, 2, 3, 4]", '{"input": [1, 2, 3, 4]}', '{"x": [[1, 2, 3, 4]]}', '{"input": {"x": [1, 2, 3, 4]}}'):
        stdin(monkeypatch, text)
        assert data(ctl, "double", "-i", "-") == [twice]
    files = [argument for name in ("row.npy", "rows.npy") for argument in ("-i", str(tmp_path / name))]
    assert data(ctl, "double", *files) == [twice] * 3


def test_several_inputs(ctl: Ctl, tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", a=np.ones((3, 2)), b=np.ones((3, 2)))
    (tmp_path / "both.json").write_text('{"a": [1, 1], "b": [1, 1]}')
    np.save(tmp_path / "a.npy", np.ones((1, 2), np.float32))
    document = predicted(ctl, "two", "-i", str(tmp_path / "both.npz"))
    assert [output["data"] for output in document["outputs"]] == [[[2, 2]] * 3, [1, 1, 1]]
    assert data(ctl, "two", "-i", str(tmp_path / "both.json")) == [[2, 2]]
    assert data(ctl, "two", "-i", f"a={tmp_path / 'a.npy'}", "-i", f"b={tmp_path / 'a.npy'}") == [[2, 2]]


def test_not_a_number_becomes_null(ctl: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, "[NaN, Infinity, -Infinity, 1]")
    assert data(ctl, "double", "-i", "-") == [[None, None, None, 2]]


def test_text_numbers_are_real_values(ctl: Ctl, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon.models["q"] = FakeModel("q", one("int8", [2], "int8", [2], scale=0.5, zero_point=1), lambda x: x)
    stdin(monkeypatch, "[1, 2]")
    assert data(ctl, "q", "-i", "-", "--raw") == [[3, 5]]
    stdin(monkeypatch, "[7, 8]")
    assert data(ctl, "ints", "-i", "-") == [[7, 8]]


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[str, int], str]:
    def make(name: str, value: int) -> str:
        Image.new("RGB", (20, 16), (value, value, value)).save(tmp_path / name)
        return str(tmp_path / name)

    return make


@pytest.mark.parametrize(
    ("dtype", "tail", "expected"),
    [
        ("uint8", [8, 8, 1], 200),
        ("uint8", [8, 8, 3], 200),
        ("int8", [8, 8, 3], 72),
        ("float32", [8, 8, 3], 2.0),
        ("float32", [8, 8, 4], None),
        ("float32", [64], 2.0),
        ("uint8", [192], 200),
        ("uint8", [8, 8], 200),
        ("uint8", [-1, -1, 3], 200),
    ],
)
def test_images(
    ctl: Ctl, daemon: FakeDaemon, picture: Callable[..., str], dtype: str, tail: list[int], expected: Any
) -> None:
    scale = {"scale": 0.5, "zero_point": 3} if dtype != "float32" else {}
    spec = one(dtype, tail, dtype, tail, **scale)
    daemon.models["image"] = FakeModel("image", spec, lambda x: x, image=(100.0, 50.0))
    asked = ["--as-image"] if len(tail) == 1 else []
    (output,) = predicted(ctl, "image", "-i", picture("grey.png", 200), "--raw", *asked)["outputs"]
    assert output["shape"] == [1, *(tail if tail[0] > 0 else [16, 20, 3])]
    if expected is not None:
        assert set(np.ravel(output["data"])) == {expected}


@pytest.mark.parametrize("tail", [[49, 10, 1], [640], [64], [40, 49], [1, 128, 3], [4, 4, 1], [-1, 40, 1]])
def test_an_image_is_refused_where_the_input_does_not_look_like_one(
    ctl: Ctl, daemon: FakeDaemon, picture: Callable[..., str], tail: list[int]
) -> None:
    daemon.models["sound"] = FakeModel("sound", one("int8", tail, "int8", tail), lambda x: x)
    given = ["predict", "sound", "-i", picture("cat.png", 200)]
    status, out, err = ctl(*given)
    assert (status, out) == (1, "") and "input 'x': int8[rows," in err
    if tail == [640]:
        assert "takes no image" in ctl(*given, "--as-image")[2]
        return
    assert "--as-image" in err
    assert ctl(*given, "--as-image")[0] == 0
    daemon.models["sound"].image = (127.5, 127.5)
    assert ctl(*given)[0] == 0, "NAME.toml says that it takes images"


DEEP = (np.arange(64, dtype=np.uint16).reshape(8, 8) * 1040).clip(0, 65535)


@pytest.mark.parametrize("name", ["grey.png", "grey.tif", "grey.pgm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_grey_is_scaled_by_its_depth(
    ctl: Ctl, daemon: FakeDaemon, tmp_path: Path, name: str, channels: int
) -> None:
    spec = one("uint8", [8, 8, channels], "uint8", [8, 8, channels])
    daemon.models["image"] = FakeModel("image", spec, lambda x: x)
    Image.fromarray(DEEP).save(tmp_path / name)
    (row,) = data(ctl, "image", "-i", str(tmp_path / name))
    np.testing.assert_array_equal(row, np.rint(DEEP / 257)[..., None].repeat(channels, 2))


def test_12_bit_grey_is_scaled_by_its_depth(ctl: Ctl, daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.models["image"] = FakeModel("image", one("uint8", [8, 8, 1], "uint8", [8, 8, 1]), lambda x: x)
    # Source: TIFF 6.0. Width, height, bits, compression, black is zero, offset, rows and bytes of the only strip.
    entries = {256: 8, 257: 8, 258: 12, 259: 1, 262: 1, 273: 8, 278: 8, 279: 96}
    pixels = bytes.fromhex("fff7ff") * 32  # in turn 4095 and 2047
    tags = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in entries.items())
    header = struct.pack("<2sHI", b"II", 42, 8 + len(pixels))
    (tmp_path / "x.tif").write_bytes(header + pixels + struct.pack("<H", len(entries)) + tags + bytes(4))
    (row,) = data(ctl, "image", "-i", str(tmp_path / "x.tif"))
    assert set(np.ravel(row)) == {255, 127}


@pytest.mark.parametrize(("dtype", "told"), [("int32", "32-bit integers"), ("float32", "floats")])
def test_an_image_without_a_known_white_is_refused(ctl: Ctl, tmp_path: Path, dtype: str, told: str) -> None:
    Image.fromarray(DEEP.astype(dtype)).save(tmp_path / "x.tif")
    status, out, err = ctl("predict", "digits", "-i", str(tmp_path / "x.tif"))
    assert (status, out) == (1, "") and f"expected 8 or 16 bits a channel, got {told}" in err


def test_classes_of_several_images(ctl: Ctl, picture: Callable[..., str]) -> None:
    files = ["-i", picture("a.bmp", 1), "-i", picture("b.jpg", 5)]
    status, out, _ = ctl("predict", "digits", *files)
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [
        ["a.bmp", "1", "one", "80.0", "%"],
        ["b.jpg", "2", "two", "80.0", "%"],
    ]
    status, out, _ = ctl("predict", "digits", *files[:2], "--top", "2")
    assert [line.split()[-4:] for line in out.splitlines()][1] == ["0", "zero", "10.0", "%"]
    (output,) = predicted(ctl, "digits", *files[:2], "--top", "1")["outputs"]
    assert output["top"] == [{"index": 1, "label": "one", "score": pytest.approx(0.8)}]
    (output,) = predicted(ctl, "digits", *files, "--top", "1")["outputs"]
    assert [(entry["row"], entry["label"]) for entry in output["top"]] == [(0, "one"), (1, "two")]
    assert "top" not in predicted(ctl, "digits", *files, "--top", "0")["outputs"][0]


def test_classes_without_labels(ctl: Ctl, daemon: FakeDaemon, picture: Callable[..., str]) -> None:
    daemon.models["digits"].labels = ["zero"]
    (output,) = predicted(ctl, "digits", "-i", picture("a.png", 2))["outputs"]
    assert [entry["label"] for entry in output["top"]] == [None, "zero", None]
    assert ctl("predict", "digits", "-i", picture("a.png", 2))[0] == 0


def test_wav(ctl: Ctl, daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.models["sound"] = FakeModel("sound", one("float32", [4], "float32", [4]), lambda x: x)
    path = str(tmp_path / "x.wav")
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.array([0, 16384, -32768, 8192], "<i2").tobytes())
    assert data(ctl, "sound", "-i", path) == [[0, 0.5, -1, 0.25]]


@pytest.mark.parametrize("name", ["o.npy", "o.npz", "o.csv", "o.jsonl"])
def test_output_files(ctl: Ctl, tmp_path: Path, name: str) -> None:
    rows = np.arange(400, dtype=np.float32).reshape(100, 4)
    np.save(tmp_path / "x.npy", rows)
    target = tmp_path / name
    status, out, _ = ctl("predict", "double", "-i", str(tmp_path / "x.npy"), "-o", str(target))
    assert status == 0 and out == f"100 rows written to {target}\n"
    if name == "o.npy":
        got = np.load(target)
    elif name == "o.npz":
        got = np.load(target)["y"]
    elif name == "o.csv":
        assert target.read_text().startswith("y_0,y_1,y_2,y_3\n")
        got = np.loadtxt(target, delimiter=",", skiprows=1)
    else:
        got = np.concatenate([json.loads(line)["outputs"]["y"] for line in target.read_text().splitlines()])
    np.testing.assert_array_equal(got, rows * 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["mm.sock", "x.npy", name])


def test_output_appears_whole_or_not_at_all(ctl: Ctl, daemon: FakeDaemon, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((100, 4), np.float32))
    (tmp_path / "o.csv").write_text("before")
    daemon.fault(FrameType.INFER, *[lambda peer, frame: False] * 3, *[lambda peer, frame: True] * 1000)
    status, _, _ = ctl(
        "predict", "double", "-i", str(tmp_path / "x.npy"), "-o", str(tmp_path / "o.csv"), "--timeout", "0.1"
    )
    assert status == 4
    assert (tmp_path / "o.csv").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mm.sock", "o.csv", "x.npy"]


def test_an_output_file_that_cannot_be_written_is_refused(ctl: Ctl, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.ones((3, 2)), b=np.ones((3, 2)))
    given = ["predict", "two", "-i", str(tmp_path / "x.npz"), "-o"]
    assert ctl(*given, str(tmp_path / "o.txt"))[0] == 2
    status, _, err = ctl(*given, str(tmp_path / "o.npy"))
    assert status == 1 and "holds one array" in err
    status, _, err = ctl(*given, str(tmp_path / "none" / "o.npz"))
    assert status == 1 and "cannot be written" in err


def test_tensors_are_summarised(ctl: Ctl, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 640), np.int8))
    _, out, _ = ctl("predict", "echo8", "-i", str(tmp_path / "x.npy"))
    assert out.startswith("y float32[1,640]\n") and "..." in out and len(out) < 300
    np.save(tmp_path / "x.npy", np.zeros((3, 640), np.int8))
    assert len(ctl("predict", "echo8", "-i", str(tmp_path / "x.npy"))[1].splitlines()) == 3
