from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from booted_box import Box

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    if not os.environ.get("MM_SYSTEMD"):
        pytest.skip("a long one: make test-systemd")
    if os.geteuid() != 0 or not Path("/lib/systemd/systemd").exists() or shutil.which("nsenter") is None:
        pytest.skip("booting a systemd of its own needs root, systemd and nsenter")
    if not os.environ.get("MM_DEB_IS_FRESH"):
        subprocess.run(["make", "-C", ROOT, "deb"], check=True, stdout=subprocess.DEVNULL)
    [package] = (ROOT / "dist").glob("mmdaemon_*.deb")
    made = Box(tmp_path_factory.mktemp("box"))
    try:
        made.run("dpkg", "--install", str(package))
        made.run("useradd", "--user-group", "--groups", "mmdaemon,mmdaemon-models", "alice")
        made.run("useradd", "--user-group", "eve")
        yield made
    finally:
        made.stop()
