"""Debian packages made from one that `make deb` built: under another version, or with an earlier release in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from rig.release import OLD_WHEEL

OLD_PACKAGING = OLD_WHEEL.with_name("packaging.tar.gz")
OLD_VERSION = "0.1.0~e8b103c"
_OURS = ("mmwire", "mmdaemon", "mmclient", "mmconvert")


def with_version(package: Path, made: Path, version: str) -> Path:
    """Make the same package under another version."""
    return _remade(package, made, version, lambda _: None)


def of_old_release(package: Path, made: Path) -> Path:
    """Make the old release's package: its wheel, units, scripts and configuration, with the dependencies of today."""
    return _remade(package, made, OLD_VERSION, _put_old_release)


def _remade(package: Path, made: Path, version: str, change: Callable[[Path], None]) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.MULTILINE))
        change(tree)
        command = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, made]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return made


def _put_old_release(tree: Path) -> None:
    [packages] = (tree / "usr/lib/mmdaemon/lib").glob("python3*/site-packages")
    for gone in (*_OURS, *(path.name for path in packages.glob("mmdaemon-*.dist-info"))):
        shutil.rmtree(packages / gone)
    with zipfile.ZipFile(OLD_WHEEL) as wheel:
        wheel.extractall(packages)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(OLD_PACKAGING) as archive:
        archive.extractall(folder, filter="data")
        old = Path(folder)
        for unit in (old / "systemd").glob("mmdaemon*.*"):
            shutil.copy(unit, tree / "usr/lib/systemd/system")
        for kind in ("sysusers.d", "tmpfiles.d"):
            shutil.copy(old / f"systemd/{kind}/mmdaemon.conf", tree / f"usr/lib/{kind}")
        for script in ("postinst", "prerm", "postrm"):
            (tree / f"DEBIAN/{script}").write_bytes((old / f"systemd/deb/{script}").read_bytes())
        configuration = (old / "config.toml").read_text()
        installed = re.sub(r"^# (models|store|socket) = ", r"\1 = ", configuration, flags=re.MULTILINE)
        (tree / "etc/mmdaemon/config.toml").write_text(installed)
