"""What an application's tests can make the fake daemon do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmclient import Client, MmError
from mmclient.testing import FakeDaemon, FakeModel, SignatureSpec, TensorSpec, drop, ignore, refuse

X = np.ones((2, 3), np.float32)
SPEC = SignatureSpec("serving_default", (TensorSpec("x", "float32", (-1, 3)),), (TensorSpec("y", "float32", (-1, 3)),))


def test_the_socket_lives_as_long_as_the_block() -> None:
    with FakeDaemon([FakeModel("m", SPEC, lambda x: x + 1)]) as fake, Client(fake.path) as client:
        folder = Path(fake.path).parent
        assert client.predict("m", X)["y"].tolist() == (X + 1).tolist()
    assert not folder.exists()


def test_faults_meet_the_next_predictions_one_by_one() -> None:
    with FakeDaemon([FakeModel("m", SPEC, lambda x: x)]) as fake, Client(fake.path) as client:
        fake.fail_next(refuse(MmError("QUEUE_FULL", "full")), drop)
        with pytest.raises(MmError, match="full") as caught:
            client.predict("m", X)
        assert caught.value.code == "QUEUE_FULL" and caught.value.retryable
        assert client.predict("m", X)["y"].shape == X.shape, "sent again after the broken connection"
        assert len(fake.peers) == 2
        fake.fail_next(ignore)
        with pytest.raises(MmError) as caught:
            client.predict("m", X, timeout=0.05)
        assert caught.value.code == "TIMEOUT"


def test_a_fault_meets_no_other_call() -> None:
    with FakeDaemon([FakeModel("m", SPEC, lambda x: x)]) as fake, Client(fake.path) as client:
        fake.fail_next(refuse(MmError("QUEUE_FULL", "full")))
        assert [model["name"] for model in client.models()] == ["m"]
        with pytest.raises(MmError, match="full"):
            client.predict("m", X)


def test_a_restart_is_waited_for() -> None:
    with FakeDaemon([FakeModel("m", SPEC, lambda x: x)]) as fake, Client(fake.path) as client:
        client.predict("m", X)
        fake.stop()
        fake.start()
        assert client.predict("m", X)["y"].shape == X.shape


def test_an_exception_of_the_function_is_the_models_failure() -> None:
    with FakeDaemon([FakeModel("m", SPEC, lambda x: x.nothing)]) as fake, Client(fake.path) as client:
        with pytest.raises(MmError, match="AttributeError") as caught:
            client.predict("m", X)
        assert caught.value.code == "INFERENCE_FAILED"
        fake.models["m"].compute = lambda x: (x, x)
        with pytest.raises(MmError, match="expected 1 outputs, compute returned 2"):
            client.predict("m", X)
        fake.models["m"].compute = lambda x: x[:, :2]
        with pytest.raises(MmError, match=r"expected y as float32\[rows,3\], compute returned \[2, 2\]"):
            client.predict("m", X)
