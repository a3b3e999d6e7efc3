"""The trainer's side of the demo: two small CNNs on scikit-learn's handwritten digits, as SavedModels.

Usage: ``python train.py FOLDER``. Writes ``digits_v1/`` and ``digits_v2/`` (SavedModels), ``calibration.npz``,
``held_out.npz`` (images as uint8 pixels, answers) and ``tensorflow.json`` (accuracy and time of a call, each).
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HELD_OUT = 500
CALIBRATION = 200
RANK = 3


def network(width: int) -> keras.Model:
    """Return an untrained CNN for 8 x 8 pixels in [0, 1]."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="pixels"),
            layers.Conv2D(width, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(2 * width, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D() if width < 16 else layers.Flatten(),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )


class LowRank(tf.Module):
    """Rebuilds each image from its strongest singular vectors, which TFLite cannot: it has no operation for an SVD."""

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8), tf.float32, name="pixels")])
    def keep(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return each image rebuilt from ``RANK`` of its 8 singular vectors."""
        values, left, right = tf.linalg.svd(pixels)
        return {"image": tf.matmul(left[..., :RANK] * values[:, None, :RANK], right[..., :RANK], adjoint_b=True)}


def measure(folder: Path, images: Any, answers: Any) -> dict[str, float]:
    """Return accuracy on the held-out digits and the microseconds of one call in this process."""
    loaded = tf.saved_model.load(str(folder))  # the signature lives only as long as this does
    call = loaded.signatures["serving_default"]
    [name] = call.structured_input_signature[1]
    guesses = next(iter(call(**{name: tf.constant(images)}).values())).numpy().argmax(axis=1)
    row = tf.constant(images[:1])
    taken: list[float] = []
    for _ in range(300):
        before = time.perf_counter()
        call(**{name: row})
        taken.append(time.perf_counter() - before)
    return {"accuracy": float(np.mean(guesses == answers)), "us": statistics.median(taken) * 1e6}


def main() -> None:
    """Train, save, measure."""
    folder = Path(sys.argv[1])
    keras.utils.set_random_seed(7)
    digits = load_digits()
    pixels = np.round(digits.images * 255 / 16).astype(np.uint8)
    train, held_out, train_answers, answers = train_test_split(
        pixels, digits.target, test_size=HELD_OUT, random_state=7, stratify=digits.target
    )
    scaled = {"train": train[..., None] / np.float32(255), "held_out": held_out[..., None] / np.float32(255)}
    np.savez(folder / "calibration.npz", scaled["train"][:CALIBRATION])
    np.savez(folder / "held_out.npz", images=held_out, answers=answers)
    (folder / "labels.txt").write_text("".join(f"{digit}\n" for digit in range(10)))
    results: dict[str, dict[str, float]] = {}
    for name, width, epochs in (("digits_v1", 8, 12), ("digits_v2", 16, 12)):
        model = network(width)
        model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
        model.fit(scaled["train"], train_answers, batch_size=32, epochs=epochs, verbose=0)
        model.export(str(folder / name), verbose=False)
        results[name] = measure(folder / name, scaled["held_out"], answers)
    tf.saved_model.save(LowRank(), str(folder / "low_rank"))
    (folder / "tensorflow.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
