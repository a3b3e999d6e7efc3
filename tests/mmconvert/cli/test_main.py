import errno
import importlib.metadata
import importlib.util
import json
import subprocess
import sys

import pytest

from mmconvert import pipeline, workshop
from mmconvert.cli.main import main
from mmconvert.source.protobuf import encode_bytes


def nest(content, *numbers):
    for number in reversed(numbers):
        content = encode_bytes(number, content)
    return content


# A graph (2) with a signature (5) of one input (1) "x" of one float (2: 1) of shape (3) [].
SIGNED = nest(
    nest(b"serving_default", 1) + nest(nest(nest(b"x", 1) + nest(b"\x10\x01" + nest(b"", 3), 2), 1), 2),
    2,
    5,
)


def test_help_and_import_load_neither_tensorflow_nor_numpy():
    code = (
        "import sys, mmconvert.cli.main as cli; status = cli.main(['--help']);"
        "print('loaded:', sorted({'numpy', 'tensorflow', 'ai_edge_litert'} & set(sys.modules)), status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("loaded: [] 0\n"), done.stdout + done.stderr
    for option in (
        "--quantize [auto|float32|float16|dynamic|int8|int16x8]",
        "--calibration",
        "--publish",
        "--labels",
        "--signature",
    ):
        assert option in done.stdout


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mmconvert {importlib.metadata.version('mmdaemon')}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a", "b"],
        ["a", "--unknown"],
        ["a", "--quantize", "float8"],
        ["a", "--time-limit", "0"],
        ["a", "--name", "../up"],
        ["a", "--quantize", "int8"],
    ],
)
def test_usage_is_status_two_and_one_clear_line(arguments, capsys):
    assert main(arguments) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.startswith("mmconvert: ") and len(rest) == 1 and rest[0].startswith("hint: ")


def test_failures_are_json_when_asked(capsys):
    assert main(["nowhere", "--json"]) == 1
    out, err = capsys.readouterr()
    error = json.loads(err)["error"]
    document = json.loads(out)
    assert list(document)[:4] == ["verdict", "reason", "evidence", "output"]
    assert (document["verdict"], document["output"], document["error"]) == ("REJECT", None, error)
    assert set(error) == {"code", "message", "hint", "retryable"}
    assert (error["code"], error["retryable"]) == ("SAVED_MODEL_INVALID", False)
    assert main(["--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["error"]["code"] == "USAGE"


def test_without_tensorflow_the_way_to_install_it_is_told(monkeypatch, capsys, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorflow" else find(name))
    assert main([str(tmp_path), "--json"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["code"] == "TENSORFLOW_MISSING" and error["hint"] == "pip install 'mmdaemon[convert]'"


def test_a_bug_is_status_seventy_without_a_traceback(monkeypatch, capsys, tmp_path):
    def broken(job, progress):
        raise KeyError("oops")

    monkeypatch.setattr(pipeline, "convert_model", broken)
    assert main([str(tmp_path)]) == 70
    err = capsys.readouterr().err
    assert "a bug in mmconvert: KeyError" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("entries", "hint"),
    [
        ([], "saved_model.pb and variables/"),
        (["2/saved_model.pb", "10/saved_model.pb"], "give one of them: {path}/10"),
        (["saved_model.pbtxt"], "text form"),
    ],
)
def test_a_folder_without_a_saved_model_gets_a_fitting_hint(tmp_path, capsys, entries, hint):
    folder = tmp_path / "model"
    folder.mkdir()
    for entry in entries:
        (folder / entry).parent.mkdir(exist_ok=True)
        (folder / entry).touch()
    assert main([str(folder)]) == 1
    assert hint.format(path=folder) in capsys.readouterr().err


def test_a_file_instead_of_a_folder_gets_a_fitting_hint(tmp_path, capsys):
    (tmp_path / "saved_model.pb").touch()
    assert main([str(tmp_path / "saved_model.pb")]) == 1
    assert "give the folder" in capsys.readouterr().err


def test_a_full_temporary_folder_is_refused_with_a_hint(monkeypatch, capsys, tmp_path):
    def full(**options):
        raise OSError(errno.ENOSPC, "No space left on device")

    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(SIGNED)
    monkeypatch.setattr(workshop.tempfile, "TemporaryDirectory", full)
    assert main([str(model), "-o", str(tmp_path / "out.tflite")]) == 1
    err = capsys.readouterr().err
    assert "cannot be used: No space left on device" in err and "TMPDIR" in err
