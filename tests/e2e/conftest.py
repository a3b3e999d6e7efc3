from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.daemon_process import QUICK, DaemonProcess


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    """A running daemon; its log must hold no traceback in the end, whatever the test did to it."""
    made = DaemonProcess(tmp_path, environment=QUICK).start()
    try:
        yield made
        assert "Traceback" not in made.text(), made.text()
        assert "bug while" not in made.text(), made.text()
    finally:
        made.kill()
