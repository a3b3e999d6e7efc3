"""Whatever lies in the model folder touches its own name and no other."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdaemon.folder.scan import scan
from mmdaemon.folder.snapshot import Snapshot
from mmdaemon.folder.whole import is_whole
from rig import tiny_tflite as tiny

GOOD = tiny.add_constant(1)
# Names as people and tools make them: of models, of other files, in the wrong letters, in no letters at all.
NAMES = st.one_of(
    st.sampled_from(
        ["x.tflite", "X.TFLITE", "x", "x.h5", "x.onnx", "x.toml", "x.labels.txt", "-x.tflite", "x y.tflite"]
    ),
    st.binary(min_size=1, max_size=40).filter(lambda name: b"/" not in name and b"\0" not in name).map(os.fsdecode),
    st.integers(1, 250).map(lambda length: "n" * length + ".tflite"),
).filter(lambda name: name not in (".", "..") and not name.startswith("good") and len(os.fsencode(name)) < 256)


def place_file(path: Path) -> None:
    path.write_bytes(GOOD)


def place_empty_file(path: Path) -> None:
    path.touch()


def place_folder(path: Path) -> None:
    path.mkdir()


def place_version(path: Path) -> None:
    (path / "3").mkdir(parents=True)
    (path / "3" / "model.tflite").write_bytes(GOOD)


def place_saved_model(path: Path) -> None:
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"a graph")
    files = {"saved_model.pb": "0" * 64, "v" * 300: "0" * 64}
    (path / "mmconvert.json").write_text(str({"format": 1, "made_by": "mmconvert", "files": files}).replace("'", '"'))


def place_fifo(path: Path) -> None:
    os.mkfifo(path)


def place_socket(path: Path) -> None:
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(os.fsencode(path))
    except OSError:  # its path has more than 107 bytes
        os.mkfifo(path)


def place_link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


KINDS = st.sampled_from(
    [
        *(place_file, place_empty_file, place_folder, place_version, place_saved_model, place_fifo, place_socket),
        *map(
            place_link, ["/", "nothing", "a" * 300, "a/" * 2000, ".", "..", "/dev/null", "good.tflite", "good.tflite/x"]
        ),
    ]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


def fresh(folder: Path) -> Path:
    models = folder / "models"
    shutil.rmtree(models, ignore_errors=True)
    models.mkdir()
    (models / "good.tflite").write_bytes(GOOD)
    return models


def require_good(snapshot: Snapshot) -> None:
    assert snapshot.available
    [source] = snapshot.sources["good"]
    assert is_whole(source)
    assert not [problem for problem in snapshot.problems if problem.name == "good"]
    for sources in snapshot.sources.values():
        for each in sources:
            is_whole(each)


@settings(max_examples=150, deadline=None)
@given(name=NAMES, kind=KINDS, mode=st.sampled_from([0o000, 0o200, 0o444, 0o644, 0o755]))
def test_any_entry_touches_only_its_own_name(folder: Path, name: str, kind: Callable[[Path], None], mode: int) -> None:
    models = fresh(folder)
    path = models / name
    kind(path)
    if not path.is_symlink():
        path.chmod(mode)
    try:
        require_good(scan(models))
    finally:
        if not path.is_symlink():
            path.chmod(0o755)


@pytest.mark.parametrize("kind", [place_file, place_version, place_saved_model, place_link("good.tflite")])
@pytest.mark.parametrize(
    "number", [errno.EIO, errno.EACCES, errno.ENAMETOOLONG, errno.ELOOP, errno.ESTALE, errno.EINVAL]
)
@pytest.mark.parametrize("call", ["stat", "lstat", "open", "scandir", "listdir", "readlink"])
def test_any_call_that_fails_for_an_entry_touches_only_its_own_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[Path], None], number: int, call: str
) -> None:
    models = fresh(folder)
    bad = models / ("x.tflite" if kind in (place_file,) else "x")
    kind(bad)
    real = getattr(os, call)

    def failing(path: Any, *arguments: Any, **more: Any) -> Any:
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(str(bad)):
            raise OSError(number, os.strerror(number), os.fspath(path))
        return real(path, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        snapshot = scan(models)
    require_good(snapshot)
