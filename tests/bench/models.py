"""The models that are measured: real ones where ``MM_REAL_MODELS`` has them, made ones elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REAL = Path(os.environ.get("MM_REAL_MODELS", Path(__file__).parents[3] / "shared" / "models"))
# What stands in for each class: the real file, else float32 dense layers of (units, how many).
CLASSES = {
    "4 us": ("ad01_int8.tflite", (160, 2)),
    "50 us": ("kws_ref_model.tflite", (640, 1)),
    "1 ms and more": ("tf2_mobilenet_v2_1.0_224_ptq.tflite", (2048, 2)),
}
_MAKE = """
import sys, tensorflow as tf
units, layers, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
weights = [tf.Variable(tf.random.normal((units, units), stddev=0.01)) for _ in range(layers)]
@tf.function(input_signature=[tf.TensorSpec((1, units), tf.float32, name="x")])
def call(x):
    for weight in weights:
        x = tf.nn.relu(x @ weight)
    return x
converter = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()])
open(path, "wb").write(converter.convert())
"""

_MAKE_CONVOLUTIONS = """
import sys, tensorflow as tf
layers, path = int(sys.argv[1]), sys.argv[2]
kernels = [tf.Variable(tf.random.normal((3, 3, 64 if number else 4, 64), stddev=0.05)) for number in range(layers)]
@tf.function(input_signature=[tf.TensorSpec((1, 32, 32, 4), tf.float32, name="x")])
def call(x):
    for kernel in kernels:
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
    return tf.reduce_mean(x, (1, 2))
converter = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()])
open(path, "wb").write(converter.convert())
"""


def make(path: Path, units: int, layers: int) -> Path:
    """Write a float32 model of some dense layers of ``units`` units: 4 * units * units bytes each."""
    subprocess.run([sys.executable, "-c", _MAKE, str(units), str(layers), str(path)], check=True, capture_output=True)
    return path


def make_convolutions(path: Path, layers: int) -> Path:
    """Write a float32 model of convolutions with 64 filters over 32 x 32 pixels: much work on few bytes."""
    subprocess.run([sys.executable, "-c", _MAKE_CONVOLUTIONS, str(layers), str(path)], check=True, capture_output=True)
    return path


def measured_models(folder: Path) -> dict[str, Path]:
    """Return one file for each class of cost."""
    found: dict[str, Path] = {}
    for cost, (real, dense) in CLASSES.items():
        path = REAL / real
        found[cost] = path if path.is_file() else make(folder / f"dense_{dense[0]}.tflite", *dense)
    return found


def many_models(folder: Path, count: int) -> list[Path]:
    """Write ``count`` different files like the measured ones into ``folder`` and return them."""
    sources = [path.read_bytes() for path in measured_models(folder).values()]
    for path in folder.iterdir():
        path.unlink()
    made = [folder / f"model{number}.tflite" for number in range(count)]
    for number, path in enumerate(made):
        # Bytes behind the FlatBuffer change the hash and nothing else.
        path.write_bytes(sources[number % len(sources)] + bytes(number + 1))
    return made
