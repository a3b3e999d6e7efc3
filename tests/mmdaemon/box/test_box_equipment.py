from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mmdaemon.box.equipment import has_gpu, tensorflow_version


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


@pytest.mark.parametrize("package", ["tensorflow", "tensorflow_cpu"])
def test_the_version_is_read_off_the_package_that_is_installed(monkeypatch, tmp_path, package):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow/__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    assert tensorflow_version() == ""
    (tmp_path / "tensorflow_estimator-2.15.0.dist-info").mkdir()
    (tmp_path / f"{package}-2.21.0.dist-info").mkdir()
    assert tensorflow_version() == "2.21.0"
