from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmdaemon.store.lock import StoreLock
from mmwire.errors import ConfigError


def test_one_at_a_time_and_again_after_release(tmp_path: Path) -> None:
    first, second = StoreLock(tmp_path / "lock"), StoreLock(tmp_path / "lock")
    first.acquire()
    first.acquire()
    with pytest.raises(ConfigError) as caught:
        second.acquire()
    assert caught.value.code == "ALREADY_RUNNING"
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_the_error_names_the_other_process_and_its_death_frees_the_lock(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mmdaemon.store.lock import StoreLock\n"
        "lock = StoreLock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match=rf"process {holder.pid} \("):
            StoreLock(tmp_path / "lock").acquire()
        holder.kill()
        holder.wait()
    lock = StoreLock(tmp_path / "lock")
    lock.acquire()
    lock.release()


def test_a_lock_that_cannot_be_taken_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot lock") as caught:
        StoreLock(tmp_path / "missing/lock").acquire()
    assert caught.value.code == "CONFIG_INVALID"
