"""``mmctl predict --keep-going``: one bad row costs that row only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwire.errors import InferenceError
from mmwire.frame import Frame, FrameType
from rig.fake_daemon import FakeDaemon, Peer, refuse

Ctl = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine images, of which the third is cut short and the last is text."""
    made = tmp_path / "images"
    made.mkdir()
    for index in range(9):
        Image.new("L", (8, 8), index).save(made / f"{index}.png")
    (made / "2.png").write_bytes((made / "2.png").read_bytes()[:50])
    (made / "8.png").write_text("hello")
    return made


def test_one_bad_image_ends_a_batch_unless_asked(ctl: Ctl, folder: Path, tmp_path: Path) -> None:
    status, _, err = ctl("predict", "digits", str(folder), "-o", str(tmp_path / "o.npy"))
    assert status == 1 and "2.png cannot be read as an image" in err
    assert not (tmp_path / "o.npy").exists()


def test_the_rest_is_printed_and_each_failure_told(ctl: Ctl, folder: Path) -> None:
    status, out, err = ctl("predict", "digits", str(folder), "--keep-going")
    assert status == 1
    assert [line.split()[0] for line in out.splitlines()] == [f"{index}.png" for index in (0, 1, 3, 4, 5, 6, 7)]
    told = err.splitlines()
    assert len(told) == 3 and told[-1] == "mmctl: 2 of 9 rows failed"
    assert "2.png cannot be read as an image" in told[0] and "8.png cannot be read as an image" in told[1]


def test_without_a_failure_it_changes_nothing(ctl: Ctl, folder: Path) -> None:
    files = [str(folder / "0.png"), str(folder / "1.png")]
    assert ctl("predict", "digits", *files, "--keep-going") == ctl("predict", "digits", *files)


@pytest.mark.parametrize("name", ["o.npy", "o.npz", "o.csv"])
def test_the_rest_is_written(ctl: Ctl, folder: Path, tmp_path: Path, name: str) -> None:
    status, out, _ = ctl("predict", "digits", str(folder), "--keep-going", "-o", str(tmp_path / name))
    assert (status, out) == (1, f"7 rows written to {tmp_path / name}\n")
    if name == "o.csv":
        rows = np.loadtxt(tmp_path / name, delimiter=",", skiprows=1)
    elif name == "o.npz":
        with np.load(tmp_path / name) as loaded:
            rows = loaded["y"]
    else:
        rows = np.load(tmp_path / name)
    assert rows.argmax(1).tolist() == [index % 3 for index in (0, 1, 3, 4, 5, 6, 7)]


def test_a_line_of_jsonl_has_the_error(ctl: Ctl, folder: Path, tmp_path: Path) -> None:
    assert ctl("predict", "digits", str(folder), "--keep-going", "-o", str(tmp_path / "o.jsonl"))[0] == 1
    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [(line["row"], line["source"]) for line in lines] == [(index, f"{index}.png") for index in range(9)]
    assert [line["row"] for line in lines if "error" in line] == [2, 8]
    assert lines[2]["error"]["code"] == "BAD_INPUT" and "outputs" not in lines[2]


def test_json_has_the_error_in_the_place_of_the_row(ctl: Ctl, folder: Path) -> None:
    status, out, err = ctl("--json", "predict", "digits", str(folder), "--keep-going")
    (output,) = json.loads(out)["outputs"]
    assert status == 1 and output["shape"] == [9, 3]
    assert [index for index, row in enumerate(output["data"]) if isinstance(row, dict)] == [2, 8]
    assert output["data"][2]["error"]["code"] == "BAD_INPUT"
    assert [len(row) for row in output["data"] if isinstance(row, list)] == [3] * 7
    assert {entry["row"] for entry in output["top"]} == {0, 1, 3, 4, 5, 6, 7}
    assert [json.loads(line)["error"]["code"] for line in err.splitlines()] == ["BAD_INPUT"] * 2


def test_nothing_but_failures(ctl: Ctl, tmp_path: Path) -> None:
    missing = [str(tmp_path / "a.png"), str(tmp_path / "b.npy")]
    for name in ("o.npy", "o.jsonl"):
        status, out, err = ctl("predict", "digits", *missing, "--keep-going", "-o", str(tmp_path / name))
        assert (status, out) == (1, "") and err.endswith("mmctl: 2 of 2 rows failed\n")
        assert not (tmp_path / name).exists()
    (output,) = json.loads(ctl("--json", "predict", "digits", *missing, "--keep-going")[1])["outputs"]
    assert output["shape"] == [2] and all("error" in row for row in output["data"])
    assert ctl("predict", "digits", missing[0], "--keep-going")[0] == 1


def test_a_refused_row_fails_alone(ctl: Ctl, daemon: FakeDaemon, tmp_path: Path) -> None:
    def on_infer(peer: Peer, frame: Frame) -> bool:
        daemon.fault(FrameType.INFER, on_infer)
        if 7.0 in np.frombuffer(frame.payload, np.float32):
            return refuse(InferenceError("INFERENCE_FAILED", "the runtime refused"))(peer, frame)
        return False

    daemon.fault(FrameType.INFER, on_infer)
    rows = np.arange(400, dtype=np.float32).repeat(4).reshape(400, 4)
    rows[200] = 7.0
    np.save(tmp_path / "x.npy", rows)
    status, out, err = ctl("predict", "double", str(tmp_path / "x.npy"), "--keep-going", "-o", str(tmp_path / "o.npy"))
    assert (status, out) == (1, f"398 rows written to {tmp_path / 'o.npy'}\n")
    assert (
        err == "mmctl: row 7: the runtime refused\nmmctl: row 200: the runtime refused\nmmctl: 2 of 400 rows failed\n"
    )
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), np.delete(rows, [7, 200], 0) * 2)


def test_a_failure_that_every_row_shares_ends_the_run(ctl: Ctl, daemon: FakeDaemon, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((9, 4), np.float32))
    daemon.fault(FrameType.INFER, *[lambda peer, frame: True] * 100)
    given = ["predict", "double", str(tmp_path / "x.npy"), "--keep-going", "--timeout", "0.1"]
    status, out, err = ctl(*given)
    assert (status, out) == (4, "") and "no answer within the timeout" in err
    assert ctl("predict", "nope", str(tmp_path / "x.npy"), "--keep-going")[0] == 1
