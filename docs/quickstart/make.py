"""Make the files of the README's first minutes: two small models of handwritten digits, and digits to ask them about.

Usage, in the checkout: ``.venv/bin/python -m docs.quickstart.make``. It trains both models with numpy alone, on the
handwritten digits that scikit-learn ships, and writes them as ``.tflite`` files of a few KB, without TensorFlow.

``digits_v1.tflite`` is one dense layer, ``digits_v2.tflite`` has a hidden layer of 64 units. The pictures
are digits that neither model has seen. The first model reads ``nine.png`` wrongly, the second reads it.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from tests.rig.tiny_tflite import Builder

HERE = Path(__file__).resolve().parent
HELD_OUT = 500
SIDE = 8  # pixels
PICTURE_SIDE = 160
PICTURED = (2, 3, 7, 9)
HARD = 9  # the first model reads this one wrongly
SEED = 7
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

Array = NDArray[np.float32]
Layer = tuple[Array, Array]  # weights [outputs, inputs] and bias [outputs]


def train(pixels: Array, digits: NDArray[np.int64], widths: tuple[int, ...]) -> list[Layer]:
    """Return dense layers that tell digits apart: ReLU between them, softmax behind, trained with Adam.

    Shape: pixels [images, 64] in [0, 1]; digits [images].
    """
    random = np.random.default_rng(SEED)
    sizes = (pixels.shape[1], *widths, len(NAMES))
    weights = [random.normal(0, np.sqrt(2 / before), (after, before)) for before, after in itertools.pairwise(sizes)]
    parameters = [*weights, *(np.zeros(after) for after in sizes[1:])]
    moments = [(np.zeros_like(one), np.zeros_like(one)) for one in parameters]
    step, layers = 0, len(weights)
    for _ in range(60):
        for batch in np.array_split(random.permutation(len(pixels)), len(pixels) // 32):
            values = [pixels[batch].astype(np.float64)]
            for number in range(layers):
                sums = values[-1] @ parameters[number].T + parameters[layers + number]
                values.append(np.maximum(sums, 0) if number < layers - 1 else sums)
            shares = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
            error = shares / shares.sum(axis=1, keepdims=True)
            error[np.arange(len(batch)), digits[batch]] -= 1
            error /= len(batch)
            slopes: list[NDArray[np.float64]] = [np.empty(0)] * len(parameters)
            for number in reversed(range(layers)):
                slopes[number], slopes[layers + number] = error.T @ values[number], error.sum(axis=0)
                error = (error @ parameters[number]) * (values[number] > 0)
            step += 1
            for parameter, slope, (mean, square) in zip(parameters, slopes, moments, strict=True):
                mean += 0.1 * (slope - mean)
                square += 0.001 * (slope**2 - square)
                parameter -= 3e-3 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    found = [parameter.astype(np.float32) for parameter in parameters]
    return list(zip(found[:layers], found[layers:], strict=True))


def predict(layers: list[Layer], pixels: Array) -> Array:
    """Return each image's share of every digit, as the model will."""
    values = pixels
    for number, (weights, bias) in enumerate(layers):
        values = values @ weights.T + bias
        values = np.maximum(values, 0) if number < len(layers) - 1 else values
    shares = np.exp(values - values.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def build(layers: list[Layer]) -> bytes:
    """Return the layers as a ``.tflite``: float32 pixels [rows, 8, 8, 1] in, ten shares out, the labels inside."""
    made = Builder()
    kinds = schema.ActivationFunctionType
    pixels = before = made.tensor("pixels", "float32", [1, SIDE, SIDE, 1], dynamic_rows=True)
    for number, (weights, bias) in enumerate(layers):
        is_last = number == len(layers) - 1
        constants = [
            made.tensor(f"{name}_{number}", "float32", value.shape, value)
            for name, value in (("weights", weights), ("bias", bias))
        ]
        after = made.tensor(f"layer_{number}", "float32", [1, len(bias)], dynamic_rows=True)
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = kinds.NONE if is_last else kinds.RELU
        kind = schema.BuiltinOptions.FullyConnectedOptions
        made.op(schema.BuiltinOperator.FULLY_CONNECTED, [before, *constants], [after], options, kind)
        before = after
    shares = made.tensor("digit", "float32", [1, len(NAMES)], dynamic_rows=True)
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    made.op(schema.BuiltinOperator.SOFTMAX, [before], [shares], softmax, schema.BuiltinOptions.SoftmaxOptions)
    made.metadata("MM_LABELS", "".join(f"{name}\n" for name in NAMES).encode())
    made.signature("serving_default", {"pixels": pixels}, {"digit": shares})
    return made.build([pixels], [shares])


def main() -> None:
    """Train both models, write them, and write the digits to ask about."""
    digits = load_digits()
    pixels = (np.round(digits.images.reshape(-1, SIDE * SIDE) * 255 / 16) / 255).astype(np.float32)
    order = np.random.default_rng(SEED).permutation(len(pixels))
    kept, held_out = order[HELD_OUT:], order[:HELD_OUT]
    answers: list[Array] = []
    for name, widths in (("digits_v1", ()), ("digits_v2", (64,))):
        layers = train(pixels[kept], digits.target[kept], widths)
        answers.append(predict(layers, pixels[held_out]))
        right = float(np.mean(answers[-1].argmax(axis=1) == digits.target[held_out]))
        path = HERE / f"{name}.tflite"
        path.write_bytes(build(layers))
        print(f"{path.name}: {path.stat().st_size:,} bytes, right on {right:.1%} of the {HELD_OUT} digits held out")
    sure = np.minimum(*(shares.max(axis=1) for shares in answers))
    first, second = (shares.argmax(axis=1) == digits.target[held_out] for shares in answers)
    for digit in PICTURED:
        wanted = second & (digits.target[held_out] == digit) & (~first if digit == HARD else first)
        draw(pixels[held_out[np.argmax(wanted * sure)]], HERE / f"{NAMES[digit]}.png")


def draw(pixels: Array, path: Path) -> None:
    """Write one digit large enough for a person to read."""
    small = Image.fromarray((pixels.reshape(SIDE, SIDE) * 255).astype(np.uint8))
    small.resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BICUBIC).save(path, optimize=True)


if __name__ == "__main__":
    main()
