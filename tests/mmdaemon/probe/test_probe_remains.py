from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from mmdaemon.probe.limit import TrialLimits
from mmdaemon.probe.remains import DETAIL_BYTES, REPORT_BYTES, Remains, not_tried, starved
from mmwire.errors import ModelError

LIMITS = TrialLimits(1.5, 7, 3 << 20)
FACTS = {"signatures": [{"signature": "s", "inputs": [], "outputs": []}], "batch": 1, "state": "none"}


def remains_of(*lines: str, noise: bytes = b"") -> Remains:
    remains = Remains(LIMITS)
    for line in lines:
        remains.on_report(line.encode() + b"\n")
    remains.on_noise(noise)
    return remains


def test_a_report_in_pieces() -> None:
    remains = Remains(LIMITS)
    for byte in f"phase load\nphase run\n{json.dumps({'ok': FACTS})}\n".encode():
        remains.on_report(bytes([byte]))
    result = remains.result(0)
    assert (result.ok, result.phase) == (True, "run")


def test_an_unfinished_line_is_not_read() -> None:
    remains = Remains(LIMITS)
    remains.on_report(json.dumps({"ok": FACTS}).encode())
    assert remains.result(0).code == "MODEL_CRASHED"


def test_a_death_counts_more_than_a_report() -> None:
    remains = remains_of(json.dumps({"ok": FACTS}))
    assert remains.result(int(signal.SIGSEGV)).code == "MODEL_CRASHED"
    remains.timed_out = True
    assert remains.result(int(signal.SIGKILL)).code == "MODEL_TOO_SLOW"


@pytest.mark.parametrize(
    ("number", "noise", "code", "says"),
    [
        (signal.SIGXCPU, b"", "MODEL_TOO_SLOW", "more than 7 s of processor time"),
        (signal.SIGKILL, b"", "MODEL_TOO_LARGE", "3 MiB of probe.memory_mb"),
        (signal.SIGABRT, b"std::bad_alloc", "MODEL_TOO_LARGE", "3 MiB of probe.memory_mb"),
        (signal.SIGABRT, b"Check failed", "MODEL_CRASHED", "killed by SIGABRT"),
        (signal.SIGSEGV, b"std::bad_alloc", "MODEL_CRASHED", "killed by SIGSEGV"),
        (signal.SIGTERM, b"", "INTERNAL", "SIGTERM"),
    ],
)
def test_a_signal_tells_how_the_trial_ended(number: signal.Signals, noise: bytes, code: str, says: str) -> None:
    result = remains_of("phase load", noise=noise).result(int(number))
    assert (result.ok, result.code, result.phase) == (False, code, "load")
    assert says in result.message
    assert result.transient == (code != "MODEL_CRASHED")
    assert isinstance(result.error(), ModelError) == (code != "INTERNAL")


@pytest.mark.parametrize(
    "said",
    [
        "7",
        "[]",
        "{}",
        "not JSON",
        '{"ok": null}',
        '{"ok": {"batch": 1}}',
        '{"error": {}}',
        '{"error": {"code": "NO_SUCH", "message": "", "hint": "", "retryable": false}}',
        '{"error": {"code": "MODEL_INVALID"}}',
        "[" * 100_000,
    ],
)
def test_any_report_of_a_trial_becomes_a_result(said: str) -> None:
    result = remains_of(said).result(0)
    assert (result.ok, result.code) == (False, "MODEL_CRASHED")


def test_a_trial_cannot_pass_off_its_error_as_good() -> None:
    facts: dict[str, Any] = FACTS | {"ok": False, "phase": "fine", "detail": "all well"}
    result = remains_of("phase run", json.dumps({"ok": facts}), noise=b"noise").result(0)
    assert (result.ok, result.phase, result.detail) == (True, "run", "noise")


def test_report_and_noise_are_bounded() -> None:
    remains = Remains(LIMITS)
    for _ in range(3):
        remains.on_report(b"x" * REPORT_BYTES)
        remains.on_noise(b"y" * DETAIL_BYTES)
    assert (len(remains.report), len(remains.noise)) == (REPORT_BYTES, DETAIL_BYTES)


def test_results_that_no_trial_reported() -> None:
    assert not_tried("no process").transient
    refused = remains_of(
        "phase load", json.dumps({"error": ModelError("MODEL_INVALID", "vague").as_dict()}), noise=b"n"
    ).result(0)
    assert (refused.code, refused.transient) == ("MODEL_INVALID", False)
    large = starved(refused, LIMITS)
    assert (large.code, large.transient, large.phase, large.detail) == ("MODEL_TOO_LARGE", True, "load", "n")
