"""Which device is chosen, and what is said when it is not there."""

from __future__ import annotations

import pytest

from mmdaemon.runtime.tensorflow.device import choose
from mmwire.errors import ConfigError

CPU, BOTH = ["CPU:0"], ["CPU:0", "GPU:0", "GPU:1"]


@pytest.mark.parametrize(
    ("wanted", "visible", "chosen"),
    [
        ("auto", CPU, "CPU:0"),
        ("auto", BOTH, "GPU:0"),
        ("cpu", BOTH, "CPU:0"),
        ("gpu", BOTH, "GPU:0"),
        ("gpu:1", BOTH, "GPU:1"),
        ("cpu:1", ["CPU:0", "CPU:1"], "CPU:1"),
    ],
)
def test_a_device_that_is_there_is_chosen(wanted: str, visible: list[str], chosen: str) -> None:
    assert choose(wanted, visible) == chosen


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("gpu", "there is no device 'gpu': TensorFlow sees CPU:0"),
        ("cpu:1", "there is no device 'cpu:1': TensorFlow sees CPU:0"),
        ("tpu", "expected auto, cpu, gpu or gpu:N, got 'tpu'"),
        ("gpu:", "expected auto, cpu, gpu or gpu:N, got 'gpu:'"),
        ("gpu:-1", "expected auto, cpu, gpu or gpu:N, got 'gpu:-1'"),
    ],
)
def test_a_device_that_is_not_there_is_refused(wanted: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(wanted, CPU)
    assert caught.value.code == "CONFIG_INVALID" and says in caught.value.message
