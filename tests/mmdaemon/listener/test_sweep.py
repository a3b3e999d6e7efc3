from __future__ import annotations

from pathlib import Path

import pytest

from mmwire import message
from rig.listener import rig

ROW = b"1234"


def test_a_client_that_stalls_in_a_frame_is_dropped(tmp_path: Path) -> None:
    with rig(tmp_path, stall_s=0.1) as made:
        idle = made.client()
        handle = idle.open()
        staller = made.client()
        staller.sock.sendall(message.infer_head(1, 1, 4, 0)[:20])
        with pytest.raises((EOFError, ConnectionResetError)):
            staller.read()
        idle.infer(handle, ROW)
        assert bytes(idle.read().payload) == ROW


def test_a_client_that_never_greets_is_dropped(tmp_path: Path) -> None:
    with rig(tmp_path, stall_s=0.1) as made:
        silent = made.client(greet=False)
        with pytest.raises((EOFError, ConnectionResetError)):
            silent.read()
