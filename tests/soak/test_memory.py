"""A model that takes more memory than its process may have, in the middle of a request."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mmwire.errors import MmError
from rig import saved_models
from rig import tiny_tflite as tiny
from rig.daemon_process import QUICK, DaemonProcess
from rig.waiting import LIMIT_S

ROW = np.ones((1, 4), np.float32)


@pytest.mark.skipif(not os.environ.get("MM_SOAK"), reason="a long one: make test-soak")
def test_a_request_that_takes_too_much_memory_fails_alone(tmp_path: Path) -> None:
    made = saved_models.make(tmp_path)
    limits = {"MMDAEMON_MODELS_TENSORFLOW": "always", "MMDAEMON_EXECUTOR_MEMORY_MB": "2500"}
    daemon = DaemonProcess(tmp_path / "daemon", environment={**QUICK, **limits}).start()
    try:
        (made / "hog").rename(daemon.models / "hog")
        daemon.deploy("other", tiny.add_constant(1))
        with daemon.client(timeout=LIMIT_S) as client:
            client.wait("hog", timeout=LIMIT_S)
            with pytest.raises(MmError) as caught:
                client.predict("hog", np.float32([[1e9]]))
            assert "not enough memory" in caught.value.message
            assert np.array_equal(client.predict("other", ROW)["y"], 2 * ROW)
            assert client.predict("hog", np.float32([[1]]))["y"].shape == (1, 1)
    finally:
        daemon.kill()
