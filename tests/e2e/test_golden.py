"""What ``mmconvert`` sealed into a file is what a real daemon holds it to, before it goes live."""

from __future__ import annotations

import numpy as np

from mmconvert.pack.seal import seal
from mmwire.golden import Golden, GoldenTensor, pack_goldens
from rig import tiny_tflite as tiny
from rig.daemon_process import DaemonProcess
from rig.waiting import LIMIT_S, wait_for

ROW = np.ones((1, 4), np.float32)


def packed(adds: float, expects: float) -> bytes:
    """Return a sealed file that adds one number, with a golden that expects another."""
    inputs = (GoldenTensor("x", "float32", ROW.shape, ROW.tobytes()),)
    outputs = (GoldenTensor("y", "float32", ROW.shape, (ROW + np.float32(expects)).tobytes(), 1e-3),)
    golden = Golden("serving_default", inputs, outputs)
    return seal(tiny.add_constant(adds), [], {}, goldens=pack_goldens([golden]))


def reason(daemon: DaemonProcess, version: int) -> str:
    def found() -> str:
        rows = {row["version"]: row for row in daemon.show("m")["versions"]}
        row = rows.get(version, {})
        return str(row.get("reason", "")) if row.get("state") == "quarantined" else ""

    return str(wait_for(f"version {version} is quarantined", found))


def test_a_wrong_golden_and_a_flipped_bit_never_go_live(daemon: DaemonProcess) -> None:
    daemon.drop("m/1/model.tflite", packed(1, expects=1))
    with daemon.client() as client:
        client.wait("m", timeout=LIMIT_S)
    daemon.drop("m/2/model.tflite", packed(2, expects=3))
    assert "expected 4 within 0.001, got 3" in reason(daemon, 2)
    damaged = bytearray(packed(2, expects=2))
    damaged[len(damaged) // 2] ^= 1
    daemon.drop("m/3/model.tflite", bytes(damaged))
    assert "digest" in reason(daemon, 3)
    with daemon.client() as client:
        assert client.predict("m", ROW)["y"][0, 0] == 2.0, "version 1 serves on"
