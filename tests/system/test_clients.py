"""Clients of the library while the service stops, starts, dies and is upgraded: they wait, none fails."""

from __future__ import annotations

import json
from pathlib import Path

from rig import tiny_tflite as tiny
from rig.booted_box import MODELS, Box
from rig.waiting import wait_for
from rig.waiting_clients import clients_that_only_wait


def test_clients_only_wait_over_restarts(box: Box, model: None) -> None:
    with clients_that_only_wait(box) as clients:
        for _ in range(20):
            clients.go_on()
            box.run("systemctl", "restart", "mmdaemon")


def test_a_daemon_that_dies_again_and_again_is_started_again_and_clients_only_wait(box: Box, model: None) -> None:
    """More often than systemd's own limit of starts, 5 in 10 seconds, would let it."""
    with clients_that_only_wait(box) as clients:
        for signal in ("KILL", "SEGV") * 4:
            clients.go_on()
            before = box.property("MainPID")
            box.run("systemctl", "kill", "--kill-whom=main", f"--signal={signal}", "mmdaemon")
            wait_for("another one runs", lambda before=before: box.property("MainPID") not in ("0", before))


def test_clients_only_wait_over_an_upgrade(box: Box, model: None, newer_package: Path) -> None:
    with clients_that_only_wait(box) as clients:
        clients.go_on()
        before = box.property("MainPID")
        box.put(Path("/tmp/newer.deb"), newer_package.read_bytes())
        box.run("dpkg", "--install", "/tmp/newer.deb")
        assert box.property("MainPID") not in ("0", before)
    assert box.run("dpkg-query", "--show", "--showformat=${Version}", "mmdaemon").stdout.endswith("+upgrade")


def test_a_stop_answers_what_was_accepted(box: Box) -> None:
    box.deploy("slow.tflite", tiny.countdown())
    box.wait("slow")
    ask = "echo '[3000000]' | mmctl --json predict slow -i -"
    with box.start("sh", "-c", ask, user="alice") as request:
        wait_for("it computes", lambda: '"busy": 1' in box.run("mmctl", "--json", "ps", user="alice").stdout)
        box.run("systemctl", "stop", "mmdaemon.service")
        stdout, stderr = request.communicate()
    assert request.returncode == 0, stderr
    assert json.loads(stdout)["outputs"][0]["data"] == [100]
    assert box.property("Result") == "success"
    box.run("rm", f"{MODELS}/slow.tflite")
    assert box.predict("one") == [2, 3, 4, 5], "the socket starts the service again"
