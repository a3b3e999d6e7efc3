from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import tiny_tflite as tiny
from rig.booted_box import Box
from rig.debian_package import of_old_release, with_version

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def package() -> Path:
    """The Debian package of this tree."""
    if not os.environ.get("MM_SYSTEMD"):
        pytest.skip("a long one: make test-systemd")
    if os.geteuid() != 0 or not Path("/lib/systemd/systemd").exists() or shutil.which("nsenter") is None:
        pytest.skip("booting a systemd of its own needs root, systemd and nsenter")
    if not os.environ.get("MM_DEB_IS_FRESH"):
        subprocess.run(["make", "-C", ROOT, "deb"], check=True, stdout=subprocess.DEVNULL)
    return max((ROOT / "dist").glob("mmdaemon_*.deb"), key=lambda made: made.stat().st_mtime)


@pytest.fixture(scope="session")
def box(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    made = Box(tmp_path_factory.mktemp("box"))
    try:
        place = Path("/tmp/mmdaemon.deb")  # the box has a /tmp of its own: a checkout below /tmp is not seen there
        made.put(place, package.read_bytes())
        made.run("dpkg", "--install", str(place))
        made.run("useradd", "--user-group", "--groups", "mmdaemon,mmdaemon-models", "alice")
        made.run("useradd", "--user-group", "eve")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def newer_package(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same package under a higher version."""
    [name] = re.findall(r"^mmdaemon_(.+)_[^_]+$", package.stem)
    return with_version(package, tmp_path_factory.mktemp("newer") / "newer.deb", f"{name}+upgrade")


@pytest.fixture(scope="session")
def old_package(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the old release."""
    return of_old_release(package, tmp_path_factory.mktemp("older") / "older.deb")


@pytest.fixture
def model(box: Box) -> None:
    box.deploy("one.tflite", tiny.add_constant(1))
    box.wait("one")
