from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmdaemon.probe.limit import TrialLimits
from mmdaemon.probe.probe import Probe
from mmdaemon.store.blob import OpenBlob
from mmdaemon.store.trial import TrialResult

ROOT = Path(__file__).parents[3]
MODELS = Path(os.environ.get("MM_REAL_MODELS", ROOT.parent / "shared/models"))

pytestmark = [
    pytest.mark.real_models,
    pytest.mark.skipif(not MODELS.is_dir(), reason="set MM_REAL_MODELS to a folder with real models"),
]


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    probe = Probe(TrialLimits())
    yield probe
    probe.stop()


def check(probe: Probe, path: Path) -> TrialResult:
    with OpenBlob("a" * 64, os.open(path, os.O_RDONLY), path.stat().st_size) as blob:
        return probe.check(blob, 1)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.tflite")), ids=lambda path: path.stem)
def test_real_models_pass(probe: Probe, path: Path) -> None:
    result = check(probe, path)
    assert result.ok, result
    assert result.signatures
    assert result.memory_bytes > 0


def test_the_warm_helper_has_one_thread(probe: Probe) -> None:
    probe.start()
    assert "Threads:\t1\n" in Path(f"/proc/{probe.pid}/status").read_text()


def test_a_cut_model_is_refused_and_stays_refused(probe: Probe, tmp_path: Path) -> None:
    data = next(MODELS.glob("*int8.tflite")).read_bytes()
    (tmp_path / "cut.tflite").write_bytes(data[: len(data) // 2])
    result = check(probe, tmp_path / "cut.tflite")
    assert (result.ok, result.code, result.transient) == (False, "MODEL_INVALID", False)


def test_a_model_that_lacks_memory_is_not_a_bad_model(tmp_path: Path) -> None:
    model = max(MODELS.glob("*.tflite"), key=lambda path: path.stat().st_size)
    probe = Probe(TrialLimits(memory_bytes=2_500_000))
    try:
        result = check(probe, model)
    finally:
        probe.stop()
    assert not result.ok
    assert result.transient
