"""What is left when the package is purged. The last file: nothing is installed after it."""

from __future__ import annotations

from booted_box import MODELS, Box


def test_purge_leaves_nothing_but_data(box: Box) -> None:
    box.run("dpkg", "--purge", "mmdaemon")
    traces = "/usr/lib/mmdaemon /usr/bin/mm* /usr/lib/systemd/system/mmdaemon* /etc/mmdaemon /var/lib/mmdaemon/store"
    left = box.run("sh", "-c", f"ls -d {traces} /etc/systemd/system/*/mmdaemon* 2>/dev/null", check=False)
    assert left.stdout == ""
    assert "one.tflite" in box.run("ls", MODELS).stdout
    assert box.property("LoadState") == "not-found"
