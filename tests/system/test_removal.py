"""Removal leaves data and nothing else. These tests run last: nothing is installed after them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rig.booted_box import MODELS, Box

ROOT = Path(__file__).parents[2]


def test_purge_leaves_nothing_but_data(box: Box) -> None:
    box.run("dpkg", "--purge", "mmdaemon")
    traces = "/usr/lib/mmdaemon /usr/bin/mm* /usr/lib/systemd/system/mmdaemon* /etc/mmdaemon /var/lib/mmdaemon/store"
    left = box.run("sh", "-c", f"ls -d {traces} /etc/systemd/system/*/mmdaemon* 2>/dev/null", check=False)
    assert left.stdout == ""
    assert "one.tflite" in box.run("ls", MODELS).stdout
    assert box.property("LoadState") == "not-found"


def test_make_uninstall_takes_what_make_install_brought(package: Path, tmp_path: Path) -> None:
    place = (f"DESTDIR={tmp_path}", "prefix=/opt/mm", "sysconfdir=/opt/mm/etc")
    subprocess.run(["make", "-C", ROOT, "install", *place], check=True, stdout=subprocess.DEVNULL, timeout=180)
    unit = (tmp_path / "opt/mm/lib/systemd/system/mmdaemon.service").read_text()
    assert "ExecStart=/opt/mm/lib/mmdaemon/bin/mmdaemon --config /opt/mm/etc/mmdaemon/config.toml" in unit
    assert (tmp_path / "opt/mm/bin/mmctl").readlink() == Path("/opt/mm/lib/mmdaemon/bin/mmctl")
    converter = tmp_path / "opt/mm/lib/mmdaemon/convert/bin/mmconvert"
    converter.parent.mkdir(parents=True)
    converter.touch()
    assert (tmp_path / "opt/mm/share/man/man1/mmctl.1").exists()
    subprocess.run(["make", "-C", ROOT, "uninstall", *place], check=True, stdout=subprocess.DEVNULL, timeout=60)
    left = {path for path in tmp_path.rglob("*") if not path.is_dir()}
    assert left == {tmp_path / "opt/mm/etc/mmdaemon/config.toml", converter}, "what their owner made stays"
