from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mmwire.errors import CapacityError, RequestError
from mmwire.frame import FrameType
from rig.fake_daemon import FakeDaemon, refuse

Ctl = Callable[..., tuple[int, str, str]]


def test_ls(ctl: Ctl, daemon: FakeDaemon) -> None:
    status, out, _ = ctl("ls")
    lines = out.splitlines()
    assert status == 0 and lines[0].split() == ["NAME", "STATE", "VERSION", "SHA256", "RUNTIME", "REASON"]
    assert lines[1].split() == ["double", "ready", "1", "abababababab", "fake", "-"]
    status, out, _ = ctl("--json", "ls")
    assert status == 0 and [model["name"] for model in json.loads(out)["models"]] == list(daemon.models)


def test_ls_of_a_quarantined_and_of_no_model(ctl: Ctl, daemon: FakeDaemon) -> None:
    reason = "probe: killed by SIGSEGV\n\x1b[31mred"
    model = {"name": "bad", "state": "quarantined", "version": None, "sha256": None, "runtime": None, "reason": reason}
    daemon.verbs["ls"] = lambda arguments: {"models": [model]}
    _, out, _ = ctl("ls")
    assert "bad   quarantined  -        -       -        probe: killed by SIGSEGV  [31mred" in out
    daemon.verbs["ls"] = lambda arguments: {"models": []}
    status, out, err = ctl("ls")
    assert (status, out) == (0, "") and "no models" in err
    status, out, err = ctl("ls", "--json")
    assert json.loads(out) == {"models": []} and err == ""


def test_show(ctl: Ctl, daemon: FakeDaemon) -> None:
    status, out, _ = ctl("show", "digits")
    assert status == 0 and "uint8[rows,8,8,1]" in out and "3 labels: zero; one; two" in out
    daemon.models["digits"].labels = ["zero", "one"]
    assert "2 labels for 3 classes: zero; one" in ctl("show", "digits")[1]
    status, out, _ = ctl("show", "echo8", "--json")
    document = json.loads(out)
    assert document["versions"][0]["state"] == "ready" and document["labels"] == []
    assert document["signatures"][0]["inputs"][0]["quantization"] == {"scale": 0.5, "zero_point": -3}


def test_show_says_default_and_gives_sizes_and_times_their_units(ctl: Ctl, daemon: FakeDaemon) -> None:
    options = {"threads": 0, "max_instances": 2, "max_queue": 0, "max_run_s": 2.5, "image_mean": 0.0}
    traits = {"bytes": 4070174, "batch": 1, "load_ms": 5.567, "run_us": 12.1, "memory_bytes": 28610560}
    daemon.verbs["show"] = lambda arguments: {"name": "m", "options": options, "traits": traits}
    assert ctl("show", "m")[1].splitlines() == [
        "name     m",
        "options  threads default, max_instances 2, max_queue default, max_run_s 2.5, image_mean 0.0",
        "traits   size 3.9 MiB, batch 1, load 5.57 ms, run 12.1 us, memory 27.3 MiB",
    ]
    assert json.loads(ctl("show", "m", "--json")[1]) == {"name": "m", "options": options, "traits": traits}


def test_show_ends_with_the_last_words_of_a_trial_that_died(ctl: Ctl, daemon: FakeDaemon) -> None:
    version = {"version": 2, "sha256": "a" * 64, "state": "quarantined", "reason": "killed by SIGABRT"}
    version["detail"] = "terminate called\n  what(): \x1b[1mbad tensor"
    daemon.verbs["show"] = lambda arguments: {"name": "m", "versions": [version]}
    assert ctl("show", "m")[1].splitlines()[-3:] == [
        "last words of the process that tried version 2:",
        "  terminate called",
        "    what():  [1mbad tensor",
    ]


def test_ps(ctl: Ctl, daemon: FakeDaemon) -> None:
    _, out, _ = ctl("ps")
    assert "RUN_US_MEAN" in out and "workers: cores 2" in out
    assert json.loads(ctl("--json", "ps")[1])["models"][0]["rows"] == 9
    daemon.verbs["ps"] = lambda arguments: {"models": [], "workers": {}}
    assert "no model is loaded" in ctl("ps")[2]


def test_status_shows_keys_of_a_newer_daemon_too(ctl: Ctl, daemon: FakeDaemon) -> None:
    daemon.verbs["status"] = lambda arguments: {"state": "ready", "new_key": "new", "models": {"ready": 8}}
    assert ctl("status")[1].splitlines() == ["state    ready", "new_key  new", "models   ready 8"]


def test_status(ctl: Ctl) -> None:
    _, out, _ = ctl("status")
    assert "state     ready" in out and "models    ready 8" in out and "uptime    3.5 s" in out
    assert json.loads(ctl("--json", "status")[1])["uptime_s"] == 3.5


@pytest.mark.parametrize(("verb", "state"), [("wait", "ready"), ("load", "ready"), ("unload", "unloaded")])
def test_verbs_that_end_with_a_model(ctl: Ctl, daemon: FakeDaemon, verb: str, state: str) -> None:
    assert ctl(verb, "double")[:2] == (0, f"double version 1: {state}\n")
    assert json.loads(ctl(verb, "double", "--json")[1])["name"] == "double"
    assert ctl(verb, "doubel")[0] == 1


def test_wait_sends_the_version_or_the_hash(ctl: Ctl, daemon: FakeDaemon) -> None:
    asked: list[dict[str, object]] = []

    def wait(arguments: dict[str, object]) -> dict[str, object]:
        asked.append(arguments)
        return daemon.models["double"].document()

    daemon.verbs["wait"] = wait
    ctl("wait", "double", "--version", "3", "--timeout", "7")
    ctl("wait", "double", "--sha256", "00FFee")
    assert asked == [{"model": "double", "version": 3}, {"model": "double", "sha256": "00FFee"}]
    waited = [frame.remaining_us for frame in daemon.frames if frame.type is FrameType.ADMIN]
    assert 6_500_000 < waited[0] <= 7_000_000


def test_wait_that_fails(ctl: Ctl, daemon: FakeDaemon) -> None:
    quarantined = RequestError("MODEL_QUARANTINED", "version 3 of 'kws' is quarantined: probe: killed by SIGSEGV")
    daemon.fault(FrameType.ADMIN, refuse(quarantined))
    status, _, err = ctl("wait", "kws")
    assert status == 1 and "SIGSEGV" in err
    daemon.fault(FrameType.ADMIN, refuse(CapacityError("DEADLINE_EXCEEDED", "not yet")))
    assert ctl("wait", "kws")[0] == 4
    assert ctl("wait", "kws", "--version", "1", "--sha256", "ff")[0] == 2
    assert ctl("wait", "kws", "--version", "0")[0] == 2


@pytest.mark.parametrize("digest", ["", "ab12", "sha256:00ffee", "00ffeg", "0" * 65])
def test_wait_refuses_a_malformed_hash(ctl: Ctl, daemon: FakeDaemon, digest: str) -> None:
    status, out, err = ctl("wait", "kws", "--sha256", digest)
    assert (status, out) == (
        2,
        "",
    ) and f"expected 6 to 64 hexadecimal digits, the first of the file's SHA-256, got {digest!r}" in " ".join(
        err.split()
    )
    assert not daemon.frames


def test_help_names_every_verb(ctl: Ctl) -> None:
    status, out, _ = ctl("--help")
    assert status == 0
    for verb in ("predict", "ls", "show", "ps", "status", "wait", "load", "unload"):
        assert f"\n  {verb} " in out
        assert ctl(verb, "--help")[0] == 0
