"""The service as a box has it: installed, under a real systemd, used by users with and without its groups."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path

import pytest

import tiny_tflite as tiny
from booted_box import Box
from daemon_process import wait_for

MODELS = "/var/lib/mmdaemon/models"
INSTALLED_MB = 160
EXPOSURE = 0.5
ROW = '{"x": [[1, 2, 3, 4]]}'


def drop(box: Box, name: str, data: bytes, mode: str = "644") -> None:
    """Put a file into the model folder as alice does: a plain copy, with her umask."""
    source = Path(f"/tmp/{name}")
    box.put(source, data)
    box.run("install", "-m", mode, str(source), f"{MODELS}/{name}", user="alice")


def wait(box: Box, name: str) -> None:
    box.run("mmctl", "wait", name, "--timeout", "60", user="alice")


def predict(box: Box, name: str, user: str = "alice") -> list[float]:
    done = box.run("sh", "-c", f"echo '{ROW}' | mmctl --json predict {name} -i -", user=user)
    return list(json.loads(done.stdout)["outputs"][0]["data"][0])


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


def test_it_is_small_on_disk(box: Box) -> None:
    assert int(box.run("du", "-sm", "/usr/lib/mmdaemon").stdout.split()[0]) <= INSTALLED_MB


def test_a_copy_by_a_group_member_is_the_deployment(box: Box) -> None:
    drop(box, "one.tflite", tiny.add_constant(1), mode="640")
    wait(box, "one")
    assert predict(box, "one") == [2, 3, 4, 5]
    wait_for("the status line counts it", lambda: "1 ready" in box.property("StatusText"))


def test_others_may_neither_ask_nor_deploy(box: Box) -> None:
    refused = box.run("mmctl", "ls", user="eve", check=False)
    assert refused.returncode == 3 and "ermission" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert box.run("cp", "/etc/hostname", f"{MODELS}/x.tflite", user="eve", check=False).returncode == 1


def test_a_file_that_the_daemon_may_not_read_gets_a_hint(box: Box) -> None:
    drop(box, "closed.tflite", tiny.add_constant(1), mode="600")
    refused = box.run("mmctl", "wait", "closed", "--timeout", "60", user="alice", check=False)
    assert "chmod" in refused.stderr and "mmdaemon" in refused.stderr
    box.run("rm", f"{MODELS}/closed.tflite")


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


class Clients:
    """Four clients of the library that ask without a pause, as alice."""

    CODE = (
        "import sys, numpy as np\nfrom mmclient import Client\nx = np.ones((1, 4), np.float32)\n"
        "with Client('/run/mmdaemon.sock') as mm:\n"
        "    while True:\n"
        "        out = mm.predict('one', x)['y']\n"
        "        assert out.tolist() == [[2, 2, 2, 2]], out\n"
        "        print(1, flush=True)\n"
    )

    def __init__(self, box: Box) -> None:
        self._processes = [box.start("/usr/lib/mmdaemon/bin/python", "-c", self.CODE, user="alice") for _ in range(4)]
        self.answers = [0] * 4
        self._threads = [threading.Thread(target=self._count, args=(number,)) for number in range(4)]
        for thread in self._threads:
            thread.start()

    def _count(self, number: int) -> None:
        output = self._processes[number].stdout
        assert output is not None
        for _ in output:
            self.answers[number] += 1

    def go_on(self) -> None:
        """Wait until every one of them got ten more answers."""
        before = list(self.answers)
        wait_for("all are answered", lambda: all(b + 10 <= now for b, now in zip(before, self.answers, strict=True)))

    def end(self) -> list[str]:
        """Stop them; return what each said of a failure."""
        alive = [process.poll() is None for process in self._processes]
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            thread.join()
        said = [process.communicate()[1].strip().splitlines()[-1:] for process in self._processes]
        return [str(lines) for fine, lines in zip(alive, said, strict=True) if not fine]


@pytest.fixture
def model(box: Box) -> None:
    drop(box, "one.tflite", tiny.add_constant(1))
    wait(box, "one")


@pytest.mark.parametrize(("how", "times"), [("restart", 20), ("kill", 5)])
def test_clients_only_wait(box: Box, model: None, how: str, times: int) -> None:
    clients = Clients(box)
    try:
        for _ in range(times):
            clients.go_on()
            before = box.property("MainPID")
            if how == "restart":
                box.run("systemctl", "restart", "mmdaemon")
            else:
                box.run("systemctl", "kill", "--signal=KILL", "mmdaemon")
                wait_for("another one runs", lambda before=before: box.property("MainPID") not in ("0", before))
        clients.go_on()
    finally:
        failures = clients.end()
    assert failures == []


def test_a_hung_worker_is_named_and_the_service_restarted(box: Box) -> None:
    drop(box, "slow.tflite", tiny.countdown())
    box.put(Path("/tmp/slow.toml"), b"max_run_s = 1\n")
    box.run("install", "/tmp/slow.toml", f"{MODELS}/slow.toml", user="alice")
    wait(box, "slow")
    before = box.property("MainPID")
    began = time.monotonic()
    box.run("sh", "-c", "echo '[1e9]' | mmctl predict slow -i -", user="alice", check=False)
    wait_for("systemd restarted it", lambda: box.property("MainPID") not in ("0", before))
    wait(box, "one")
    took_s = time.monotonic() - began
    print(f"from the request that hangs (limit 1 s) to serving again: {took_s:.1f} s")
    assert "slow" in box.journal()
    box.run("sh", "-c", f"rm {MODELS}/slow.*")


def test_a_bad_configuration_is_one_line_and_does_not_loop(box: Box) -> None:
    box.run("sed", "-i", "s/^drain_s/drain_z/", "/etc/mmdaemon/config.toml")
    try:
        box.run("systemctl", "restart", "mmdaemon.service", check=False)
        wait_for("it gave up", lambda: box.property("ActiveState") == "failed")
        assert "did you mean" in box.journal() or "nearest" in box.journal()
    finally:
        box.run("sed", "-i", "s/^drain_z/drain_s/", "/etc/mmdaemon/config.toml")
    box.run("systemctl", "restart", "mmdaemon.socket", "mmdaemon.service")


def test_purge_leaves_nothing_but_data(box: Box) -> None:
    box.run("dpkg", "--purge", "mmdaemon")
    traces = "/usr/lib/mmdaemon /usr/bin/mm* /usr/lib/systemd/system/mmdaemon* /etc/mmdaemon /var/lib/mmdaemon/store"
    left = box.run("sh", "-c", f"ls -d {traces} /etc/systemd/system/*/mmdaemon* 2>/dev/null", check=False)
    assert left.stdout == ""
    assert "one.tflite" in box.run("ls", MODELS).stdout
    assert box.property("LoadState") == "not-found"
