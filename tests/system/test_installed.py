"""The service as the package installs it: small, confined, used by those with its groups and by nobody else."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

from PIL import Image

from rig import tiny_tflite as tiny
from rig.booted_box import MODELS, Box
from rig.waiting import wait_for

INSTALLED_MB = 175
EXPOSURE = 0.5


def test_the_units_are_clean(box: Box) -> None:
    units = ("mmdaemon.service", "mmdaemon.socket", "mmdaemon-convert@x.service")
    done = box.run("systemd-analyze", "verify", "--man=no", *units)
    assert "mmdaemon" not in done.stderr, done.stderr


def test_it_starts_to_ready_and_says_so(box: Box) -> None:
    assert box.property("ActiveState") == "active"
    assert re.match(r"no model|\d+ ready", box.property("StatusText"))


def test_its_exposure_is_small(box: Box) -> None:
    done = box.run("systemd-analyze", "security", "--no-pager", "mmdaemon.service")
    found = re.search(r"Overall exposure level for mmdaemon.service: ([\d.]+)", done.stdout)
    assert found is not None and float(found[1]) <= EXPOSURE, done.stdout
    print(f"exposure: {found[1]}")


def test_it_is_small_on_disk(box: Box) -> None:
    assert int(box.run("du", "-sm", "/usr/lib/mmdaemon").stdout.split()[0]) <= INSTALLED_MB


def test_a_copy_by_a_group_member_is_the_deployment(box: Box) -> None:
    box.deploy("one.tflite", tiny.add_constant(1), mode="640")
    box.wait("one")
    assert box.predict("one") == [2, 3, 4, 5]
    ready = json.loads(box.run("mmctl", "--json", "status", user="alice").stdout)["models"]["ready"]
    wait_for("the status line counts it", lambda: f"{ready} ready" in box.property("StatusText"))


def test_images_are_read(box: Box) -> None:
    box.deploy("grey.tflite", tiny.brighten(1))
    box.wait("grey")
    for suffix in ("png", "jpeg", "webp"):
        image = io.BytesIO()
        Image.new("RGB", (8, 8), "white").save(image, suffix)
        box.put(Path(f"/tmp/white.{suffix}"), image.getvalue())
        done = box.run("mmctl", "--json", "predict", "grey", "-i", f"/tmp/white.{suffix}", user="alice")
        assert json.loads(done.stdout)["outputs"][0]["data"] == [[[[2]] * 8] * 8]
    box.run("rm", f"{MODELS}/grey.tflite")


def test_others_may_neither_ask_nor_deploy(box: Box) -> None:
    refused = box.run("mmctl", "ls", user="eve", check=False)
    assert refused.returncode == 3 and "ermission" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert box.run("cp", "/etc/hostname", f"{MODELS}/x.tflite", user="eve", check=False).returncode == 1


def test_a_file_that_the_daemon_may_not_read_gets_a_hint(box: Box) -> None:
    box.deploy("closed.tflite", tiny.add_constant(1), mode="600")
    refused = box.run("mmctl", "wait", "closed", "--timeout", "60", user="alice", check=False)
    assert "chmod" in refused.stderr and "mmdaemon" in refused.stderr
    box.run("rm", f"{MODELS}/closed.tflite")


def test_the_journal_finds_what_concerns_a_model(box: Box) -> None:
    box.deploy("heard.tflite", tiny.add_constant(1))
    box.wait("heard")
    box.deploy("broken.tflite", tiny.add_constant(1)[:-200])
    assert box.run("mmctl", "wait", "broken", "--timeout", "60", user="alice", check=False).returncode == 1
    heard = box.entries("-u", "mmdaemon", "MODEL=heard")
    assert heard and {(entry["MODEL"], entry["PRIORITY"]) for entry in heard} == {("heard", "6")}
    assert any(entry.get("VERSION") == "1" for entry in heard)
    [broken] = box.entries("-u", "mmdaemon", "-p", "warning", "MODEL=broken")
    assert broken["ERROR_CODE"] == "MODEL_INVALID" and "quarantined" in broken["MESSAGE"]
    assert box.entries("-u", "mmdaemon", "ERROR_CODE=MODEL_INVALID", "MODEL=heard") == []
    box.run("rm", f"{MODELS}/heard.tflite", f"{MODELS}/broken.tflite")


def test_a_reload_reads_the_configuration_again_and_keeps_the_old_one_if_it_is_bad(box: Box) -> None:
    before = box.property("MainPID")
    box.run("sed", "-i", 's/^log_level = .*/log_level = "debug"/', "/etc/mmdaemon/config.toml")
    box.run("systemctl", "reload", "mmdaemon")
    wait_for("it was read", lambda: "service.log_level" in box.journal())
    box.run("sed", "-i", 's/^log_level = .*/log_level = "loud"/', "/etc/mmdaemon/config.toml")
    box.run("systemctl", "reload", "mmdaemon")
    wait_for("it was refused", lambda: "refused, the old one kept" in box.journal())
    box.run("sed", "-i", 's/^log_level = .*/log_level = "info"/', "/etc/mmdaemon/config.toml")
    box.run("systemctl", "reload", "mmdaemon")
    assert box.property("MainPID") == before


def test_a_bad_configuration_is_one_line_and_does_not_loop(box: Box) -> None:
    box.run("sed", "-i", "s/^drain_s/drain_z/", "/etc/mmdaemon/config.toml")
    try:
        box.run("systemctl", "restart", "mmdaemon.service", check=False)
        wait_for("it gave up", lambda: box.property("ActiveState") == "failed")
        assert "did you mean" in box.journal() or "nearest" in box.journal()
    finally:
        box.run("sed", "-i", "s/^drain_z/drain_s/", "/etc/mmdaemon/config.toml")
    box.run("systemctl", "restart", "mmdaemon.socket", "mmdaemon.service")


def test_a_second_daemon_beside_the_first_has_everything_of_its_own(box: Box) -> None:
    box.run("sh", "/usr/share/doc/mmdaemon/examples/second-daemon.sh", "second")
    box.put(Path("/tmp/other.tflite"), tiny.add_constant(5))
    box.run("cp", "/tmp/other.tflite", "/var/lib/mmdaemon/second/models/", user="alice")
    second = ("mmctl", "--socket", "/run/mmdaemon-second.sock")
    box.run(*second, "wait", "other", "--timeout", "60", user="alice")
    assert "other" not in box.run("mmctl", "ls", user="alice").stdout
    pids = {box.property("MainPID"), box.property("MainPID", "mmdaemon-second.service")}
    assert len(pids - {"0", ""}) == 2
    box.run("systemctl", "disable", "--now", "mmdaemon-second.socket", "mmdaemon-second.service")
    box.run(
        "sh", "-c", "rm -r /etc/systemd/system/mmdaemon-second.* /var/lib/mmdaemon/second /etc/mmdaemon/second.toml"
    )
    box.run("systemctl", "daemon-reload")
