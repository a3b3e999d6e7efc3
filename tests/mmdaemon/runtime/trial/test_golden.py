"""Goldens as ``mmconvert`` packs them, replayed by what the probe runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmconvert.pack.seal import seal
from mmdaemon.runtime.trial.examine import examine
from mmwire.errors import ModelError
from mmwire.golden import Golden, GoldenTensor, pack_goldens
from mmwire.tflite import outline, verify_content
from rig import tiny_tflite


def tensor(name: str, values: list[list[float]], dtype: str = "float32", tolerance: float = 0.0) -> GoldenTensor:
    array = np.array(values, dtype)
    return GoldenTensor(name, dtype, array.shape, array.tobytes(), tolerance)


RIGHT = Golden("serving_default", (tensor("x", [[1, 2, 3, 4]]),), (tensor("y", [[3, 4, 5, 6]], tolerance=0.01),))


def write(folder: Path, model: bytes, *goldens: Golden) -> str:
    path = folder / "model.tflite"
    path.write_bytes(seal(model, ["yes", "no"], {}, goldens=pack_goldens(goldens)))
    return str(path)


def says(folder: Path, model: bytes, *goldens: Golden) -> str:
    with pytest.raises(ModelError) as caught:
        examine(write(folder, model, *goldens), 1, lambda _: None)
    assert caught.value.code == "GOLDEN_MISMATCH" and caught.value.hint
    return caught.value.message


def test_a_model_that_answers_as_it_did_is_served(tmp_path: Path) -> None:
    facts = examine(write(tmp_path, tiny_tflite.add_constant(2.0), RIGHT, RIGHT), 1, lambda _: None)
    assert facts["labels"] == ["yes", "no"]


def test_a_model_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    assert "output 'y' at 0: expected 3 within 0.01, got 4" in says(tmp_path, tiny_tflite.add_constant(3.0), RIGHT)


@pytest.mark.parametrize(("error", "passes"), [(0.009, True), (0.011, False), (float("nan"), False)])
def test_the_tolerance_is_the_limit(tmp_path: Path, error: float, passes: bool) -> None:
    output = tensor("y", [[3, 4, 5, 6 + error]], tolerance=0.01)
    golden = replace(RIGHT, outputs=(output,))
    if passes:
        examine(write(tmp_path, tiny_tflite.add_constant(2.0), golden), 1, lambda _: None)
    else:
        assert "at 3" in says(tmp_path, tiny_tflite.add_constant(2.0), golden)


@pytest.mark.parametrize(
    "golden",
    [
        replace(RIGHT, signature="other"),
        replace(RIGHT, inputs=(tensor("z", [[1, 2, 3, 4]]),)),
        replace(RIGHT, outputs=(tensor("z", [[3, 4, 5, 6]]),)),
        replace(RIGHT, outputs=(tensor("y", [[3, 4, 5]]),)),
        replace(RIGHT, outputs=(tensor("y", [[3, 4, 5, 6]], "int32"),)),
    ],
)
def test_a_golden_of_another_model_is_refused(tmp_path: Path, golden: Golden) -> None:
    assert says(tmp_path, tiny_tflite.add_constant(2.0), golden)


def test_goldens_are_in_the_models_own_numbers(tmp_path: Path) -> None:
    scale, zero_point = 0.5, 10
    spec = examine(write(tmp_path, tiny_tflite.quantized(scale, zero_point)), 1, lambda _: None)["signatures"][0]
    [given], [gives] = spec["inputs"], spec["outputs"]
    wrong = Golden(
        "serving_default",
        (tensor(given["name"], [[0, 1, 2, 3]], given["dtype"]),),
        (tensor(gives["name"], [[100, -100, 100, -100]], gives["dtype"], tolerance=2.0),),
    )
    assert "expected 100 within 2" in says(tmp_path, tiny_tflite.quantized(scale, zero_point), wrong)


def test_a_model_with_state_answers_its_goldens_from_the_beginning(tmp_path: Path) -> None:
    spec = examine(write(tmp_path, tiny_tflite.counter()), 1, lambda _: None)["signatures"][0]
    [given], [gives] = spec["inputs"], spec["outputs"]
    shape = tuple(1 if size == -1 else size for size in given["shape"])
    ones = GoldenTensor(given["name"], given["dtype"], shape, np.ones(shape, given["dtype"]).tobytes())
    first = GoldenTensor(gives["name"], gives["dtype"], shape, np.ones(shape, gives["dtype"]).tobytes(), 1e-6)
    golden = Golden("serving_default", (ones,), (first,))
    examine(write(tmp_path, tiny_tflite.counter(), golden, golden), 1, lambda _: None)


def test_every_bit_that_flips_is_found_in_front_in_the_graph_and_in_the_tail(tmp_path: Path) -> None:
    whole = Path(write(tmp_path, tiny_tflite.add_constant(2.0), RIGHT)).read_bytes()
    assert verify_content(whole, outline(whole))
    damaged = bytearray(whole)
    for bit in range(8 * len(whole)):
        damaged[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(ModelError) as caught:
            assert verify_content(damaged, outline(damaged)), "it passes for a file that never had a digest"
            pytest.fail(f"bit {bit % 8} of byte {bit // 8} can change unseen")
        assert caught.value.code in ("DIGEST_MISMATCH", "MODEL_INVALID")
        damaged[bit // 8] ^= 1 << (bit % 8)
    assert damaged == whole
