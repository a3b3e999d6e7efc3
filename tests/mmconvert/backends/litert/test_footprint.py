import json
import subprocess
import sys

import pytest

from rig.tiny_tflite import add_constant

MIB = 1 << 20
WIDE = MIB  # input and output of 4 MiB each
WEIGH = """
import json, sys
from pathlib import Path
from mmconvert.backends.litert.footprint import measure_memory
print(json.dumps(measure_memory({path: Path(path) for path in sys.argv[1:]})))
"""


@pytest.fixture
def weigh(tmp_path):
    """Weigh models in a fresh process, as the converter does; returns bytes by file name."""
    (tmp_path / "narrow.tflite").write_bytes(add_constant(1.0))
    (tmp_path / "wide.tflite").write_bytes(add_constant(1.0, width=WIDE))
    (tmp_path / "broken.tflite").write_bytes(b"no model")

    def weigh(*names):
        done = subprocess.run([sys.executable, "-c", WEIGH, *names], cwd=tmp_path, capture_output=True, check=True)
        return json.loads(done.stdout)

    return weigh


def test_memory_is_that_of_the_model_alone(weigh):
    found = weigh("narrow.tflite", "wide.tflite")
    assert 0 < found["narrow.tflite"] < MIB, "the kernels' code alone is 8 MiB"
    assert 8 * MIB < found["wide.tflite"] < 14 * MIB


def test_models_that_ran_before_do_not_count(weigh):
    alone, after = weigh("narrow.tflite"), weigh("wide.tflite", "narrow.tflite")
    assert abs(alone["narrow.tflite"] - after["narrow.tflite"]) <= 64 << 10
    assert abs(after["wide.tflite"] - weigh("wide.tflite")["wide.tflite"]) <= 0.05 * after["wide.tflite"]


def test_a_model_that_cannot_run_has_no_figure(weigh):
    assert weigh("narrow.tflite", "broken.tflite")["broken.tflite"] is None
