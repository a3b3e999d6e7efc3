import os
import stat

import pytest

from mmconvert.durable import write_whole
from mmwire.errors import ConvertError
from mmwire.manifest import is_ignored


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o644), (0o077, 0o600)])
def test_another_user_can_read_it_unless_the_umask_forbids(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "a.tflite", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.tflite").stat().st_mode) == mode


def test_the_name_holds_old_or_new_and_the_bytes_are_on_disk_before_it_does(tmp_path, monkeypatch):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"old")
    seen = []
    real_fsync = os.fsync

    def watch(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        others = [entry.name for entry in tmp_path.iterdir() if entry != path]
        seen.append((kind, path.read_bytes(), others))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    write_whole(path, b"new")
    (file, hidden), folder = (seen[0][:2], seen[0][2]), seen[1]
    assert file == ("file", b"old") and folder == ("folder", b"new", [])
    assert len(hidden) == 1 and is_ignored(hidden[0])


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, error):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"old")

    def fail(descriptor):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((ConvertError, KeyboardInterrupt)) as caught:
        write_whole(path, b"new")
    if isinstance(error, OSError):
        assert caught.value.code == "PUBLISH_FAILED" and "No space left" in caught.value.message
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tflite"]
    assert path.read_bytes() == b"old"
