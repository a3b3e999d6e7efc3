from __future__ import annotations

from pathlib import Path

import pytest

from mmdaemon.executor.host import has_gpu


@pytest.mark.parametrize(
    ("files", "environment", "expected"),
    [
        ([], {}, False),
        (["nvidiactl", "nvidia-uvm", "dri"], {}, False),
        (["nvidia0"], {}, True),
        (["kfd"], {}, True),
        (["nvidia0"], {"CUDA_VISIBLE_DEVICES": ""}, False),
        (["nvidia0"], {"CUDA_VISIBLE_DEVICES": "-1"}, False),
        (["nvidia0"], {"CUDA_VISIBLE_DEVICES": "0"}, True),
    ],
)
def test_a_gpu_is_seen_by_its_device_file(
    tmp_path: Path, files: list[str], environment: dict[str, str], expected: bool
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert has_gpu(environment, tmp_path) is expected
