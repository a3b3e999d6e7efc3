"""What every runtime of the TFLite family must do, held against the installed one on real files.

That is LiteRT here; `make test-runtimes` runs the same in an environment that has tflite-runtime instead.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmconvert.pack.seal import seal
from mmdaemon.runtime.interface import Traits
from mmdaemon.runtime.tflite.selection import select_runtime
from mmdaemon.runtime.tflite.subgraph import Subgraph
from mmdaemon.runtime.trial.batching import BATCH
from mmdaemon.runtime.trial.examine import examine
from mmwire.associated import METADATA_ENTRY
from mmwire.errors import MmError, RequestError
from mmwire.tflite import ModelState
from rig import tiny_tflite as tiny
from rig.tflite_metadata import AXIS_LABELS, append_files, metadata

RUNTIME, WHY = select_runtime()


def load(folder: Path, data: bytes, **traits: Any) -> Any:
    path = folder / "m.tflite"
    path.write_bytes(data)
    return RUNTIME.load(str(path), 1, Traits(**traits))


def run(instance: Any, *inputs: Any, name: str = "serving_default", rows: int = 1, shapes: Any = None) -> list[Any]:
    payload = b"".join(np.asarray(value).tobytes() for value in inputs)
    answer = instance.run(name, payload, rows, shapes, lambda: None)
    return [np.array(tensor) for tensor in answer.tensors]


def test_the_runtime_is_the_one_of_this_environment() -> None:
    assert RUNTIME.name == os.environ.get("MM_RUNTIME", "ai-edge-litert")
    assert RUNTIME.version[0].isdigit()
    assert bool(RUNTIME.caution) == (RUNTIME.name != "ai-edge-litert"), "nobody lands on a slower one unknowingly"
    assert WHY


def test_runs_one_row(tmp_path: Path) -> None:
    [y] = run(load(tmp_path, tiny.add_constant(3)), np.float32([[1, 2, 3, 4]]))
    assert y.tolist() == [[4, 5, 6, 7]]


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("rows", [2, 4, 7, 9])
def test_rows_come_out_in_order_batched_or_not(tmp_path: Path, rows: int, batch: int) -> None:
    x = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4)
    [y] = run(load(tmp_path, tiny.add_constant(3), batch=batch), x, rows=rows)
    assert np.array_equal(y, x + 3)


def test_a_model_with_a_fixed_batch_takes_rows_too(tmp_path: Path) -> None:
    instance = load(tmp_path, tiny.add_constant(3, dynamic_rows=False))
    assert instance.signatures["serving_default"].inputs[0].shape == (-1, 4)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(run(instance, x, rows=3)[0], x + 3)


@pytest.mark.parametrize("batch", [1, 2])
def test_several_inputs_are_told_apart_by_name(tmp_path: Path, batch: int) -> None:
    instance = load(tmp_path, tiny.add_two(), batch=batch)
    values = {"zeta": np.float32([[1, 2], [3, 4], [5, 6]]), "alpha": np.float32([[7, 8], [9, 10], [11, 12]])}
    ordered = [values[spec.name] for spec in instance.signatures["serving_default"].inputs]
    [total] = run(instance, *ordered, rows=3)
    assert np.array_equal(total, values["zeta"] + 10 * values["alpha"])


def test_every_signature_is_reachable_and_the_default_one_is_first(tmp_path: Path) -> None:
    instance = load(tmp_path, tiny.two_signatures())
    assert list(instance.signatures) == ["serving_default", "plus"]
    assert instance.signatures["plus"].inputs[0].name == "a"
    assert run(instance, np.float32([[1, 2]]), name="plus")[0].tolist() == [[2, 3]]


def test_quantization_is_in_the_spec(tmp_path: Path) -> None:
    spec = load(tmp_path, tiny.quantized(0.5, 10)).signatures["serving_default"].inputs[0]
    assert (spec.dtype, spec.scale, spec.zero_point) == ("int8", 0.5, 10)


def test_resources_are_reset_before_every_row(tmp_path: Path) -> None:
    instance = load(tmp_path, tiny.counter(), state=ModelState.RESOURCES)
    for _ in range(3):
        assert run(instance, np.float32([[1, 2]]))[0].tolist() == [[1, 2]]
    assert run(instance, np.float32([[1, 2], [3, 4]]), rows=2)[0].tolist() == [[1, 2], [3, 4]]


def test_resources_are_reset_after_a_run_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = load(tmp_path, tiny.counter(), state=ModelState.RESOURCES)
    compute = Subgraph.compute

    def fails_at_the_end(graph: Subgraph, values: Any) -> Any:
        compute(graph, values)
        raise RuntimeError("a later operator refuses")

    with monkeypatch.context() as patched:
        patched.setattr(Subgraph, "compute", fails_at_the_end)
        with pytest.raises(MmError):
            run(instance, np.float32([[1, 2]]))
    assert run(instance, np.float32([[1, 2]]))[0].tolist() == [[1, 2]]


def test_a_model_with_resources_takes_the_same_explicit_shapes_again(tmp_path: Path) -> None:
    instance = load(tmp_path, tiny.counter(), state=ModelState.RESOURCES)
    for _ in range(3):
        assert run(instance, np.ones((2, 2), np.float32), shapes=[(2, 2)])[0].tolist() == [[1, 1], [1, 1]]


def test_without_the_trait_resources_would_remember(tmp_path: Path) -> None:
    instance = load(tmp_path, tiny.counter())
    answers = [run(instance, np.float32([[1, 2]]))[0].tolist() for _ in range(2)]
    assert answers == [[[1, 2]], [[2, 4]]]


def test_explicit_shapes_run_whole_and_change_from_request_to_request(tmp_path: Path) -> None:
    instance = load(tmp_path, tiny.add_constant(1))
    for rows in (3, 1, 5, 5):
        x = np.ones((rows, 4), np.float32)
        answer = instance.run("serving_default", x.tobytes(), rows, [(rows, 4)], lambda: None)
        assert answer.shapes == ((rows, 4),)
        assert np.array_equal(np.array(answer.tensors[0]), x + 1)


def test_a_shape_that_the_graph_cannot_take_is_refused_and_the_instance_lives(tmp_path: Path) -> None:
    instance = load(tmp_path, tiny.add_constant(1))
    with pytest.raises(MmError) as caught:
        run(instance, np.ones((2, 3), np.float32), shapes=[(2, 3)])
    assert caught.value.code == "INFERENCE_FAILED"
    assert run(instance, np.ones((2, 4), np.float32), rows=2, shapes=[(2, 4)])[0].tolist() == [[2] * 4] * 2


def test_a_row_that_is_refused_again_and_again_costs_no_more_and_says_no_more(tmp_path: Path) -> None:
    """LiteRT gives with each failure the text of all before it, and keeps it."""
    instance = load(tmp_path, tiny.lookup(), batch=4)
    said: set[str] = set()
    for _ in range(300):
        for rows in (1, 4):
            with pytest.raises(MmError) as caught:
                run(instance, np.full(rows, 9, np.int32), rows=rows)
            said.add(caught.value.message)
        kept = [graph.complaints.size for graph in (*instance._graphs.values(), *instance._batched.values())]
        assert max(kept) < 20_000
    [text] = said
    assert text.startswith("the runtime refused to compute: ") and len(text) < 200
    assert run(instance, np.int32([2, 1, 0, 1, 2]), rows=5)[0].tolist() == [
        [20, 21],
        [10, 11],
        [0, 1],
        [10, 11],
        [20, 21],
    ]


def test_between_rows_it_asks_whether_to_go_on(tmp_path: Path) -> None:
    instance = load(tmp_path, tiny.add_constant(1))
    asked: list[int] = []

    def go_on() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise RequestError("CANCELLED", "enough")

    with pytest.raises(MmError, match="enough"):
        instance.run("serving_default", bytes(16 * 10), 10, None, go_on)
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tiny.custom_op(), "MissingOp"),
        (tiny.of_dtype("string"), "'words' is a string tensor"),
        (tiny.of_dtype("complex64"), "'words' is a complex64 tensor"),
        (tiny.add_constant(1)[:300], "refuses"),
        (b"", "refuses"),
    ],
    ids=["custom-op", "string", "complex", "truncated", "empty"],
)
def test_a_tensor_that_cannot_be_served_is_refused_by_name(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(MmError, match=says) as caught:
        load(tmp_path, data)
    assert caught.value.code == "MODEL_INVALID"
    assert "\n" not in caught.value.message


def test_examine_tells_what_serving_needs(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny.add_constant(1))
    phases: list[str] = []
    facts = examine(str(path), 1, phases.append)
    assert facts["batch"] in (1, BATCH) and facts["state"] == "none"
    assert facts["signatures"][0]["inputs"][0] == {"name": "x", "dtype": "float32", "shape": [-1, 4]}
    assert facts["load_ms"] > 0 and facts["run_us"] > 0
    assert phases == ["import", "read", "load", "run", "batch"]


def test_examine_never_batches_what_keeps_state(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny.counter())
    facts = examine(str(path), 1, lambda _: None)
    assert (facts["batch"], facts["state"]) == (1, "resources")


def test_examine_reads_the_labels_of_a_file_that_is_what_its_digest_says(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    sealed = seal(tiny.add_constant(1), ["yes", "no"], {})
    path.write_bytes(sealed)
    assert examine(str(path), 1, lambda _: None)["labels"] == ["yes", "no"]
    path.write_bytes(sealed.replace(b"yes", b"yea"))
    with pytest.raises(MmError) as caught:
        examine(str(path), 1, lambda _: None)
    assert caught.value.code == "DIGEST_MISMATCH"


def test_examine_reads_the_labels_of_tflite_metadata_where_mmconvert_sealed_none(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    entry = {METADATA_ENTRY: metadata([[("words.txt", AXIS_LABELS)]])}
    for sealed, expected in (("", ["cat", "dog"]), ("yes\nno", ["yes", "no"])):
        path.write_bytes(
            append_files(tiny.add_constant(1, metadata=entry, labels=sealed), {"words.txt": b"cat\r\ndog\r\n"})
        )
        assert examine(str(path), 1, lambda _: None)["labels"] == expected


def test_examine_refuses_an_empty_file_and_labels_without_end(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"")
    with pytest.raises(MmError, match="empty"):
        examine(str(path), 1, lambda _: None)
    path.write_bytes(tiny.add_constant(1, labels="x\n" * 300_000))
    with pytest.raises(MmError, match="labels have 600000 bytes, expected at most 524288"):
        examine(str(path), 1, lambda _: None)
