"""The contract of a runtime, held against full TensorFlow on real SavedModels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwire.errors import MmError
from rig import tensorflow_process
from rig.tensorflow_process import Rig

pytestmark = pytest.mark.tensorflow

ROWS = np.arange(28, dtype=np.float32).reshape(7, 4)


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


@pytest.fixture(scope="module")
def made(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the SavedModels."""
    folder = tmp_path_factory.mktemp("saved_models")
    rig.call(tensorflow_process.make, str(folder))
    return folder


def refusal(rig: Rig, path: Path) -> MmError:
    with pytest.raises(MmError) as caught:
        rig.open(path)
    assert "\n" not in caught.value.message and str(path) not in caught.value.message
    return caught.value


def test_every_signature_is_reachable_and_the_default_one_is_first(rig: Rig, made: Path) -> None:
    facts = rig.open(made / "plain")
    assert [one["signature"] for one in facts["signatures"]] == ["serving_default", "other", "zulu"]
    assert facts["signatures"][0]["inputs"] == [{"name": "x", "dtype": "float32", "shape": [-1, 4]}]
    assert np.array_equal(rig.run(made / "plain", ROWS[:1])[0], 2 * ROWS[:1])
    flag, total = rig.run(made / "plain", np.float32([[1, 2]]), name="other")
    assert (flag.tolist(), total.tolist()) == ([[True]], [[2, 3]]), "outputs are sorted by name"


def test_a_model_exported_by_keras_answers(rig: Rig, made: Path) -> None:
    facts = rig.open(made / "keras")
    assert facts["signatures"][0]["signature"] == "serving_default"
    assert (facts["state"], facts["batch"] > 1) == ("none", True)
    x = np.random.default_rng(0).random((3, 6, 4), np.float32)
    [together] = rig.run(made / "keras", x, rows=3)
    by_row = [rig.run(made / "keras", x[k : k + 1])[0] for k in range(3)]
    assert np.allclose(together, np.concatenate(by_row), atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_rows_come_out_in_order_and_trace_nothing_anew(rig: Rig, made: Path, batch: int) -> None:
    rig.open(made / "plain")
    rig.call(tensorflow_process.set_batch, str(made / "plain"), batch)
    before = rig.call(tensorflow_process.traced, str(made / "plain"))
    for rows in range(1, 8):
        assert np.array_equal(rig.run(made / "plain", ROWS[:rows], rows=rows)[0], 2 * ROWS[:rows])
    assert rig.call(tensorflow_process.traced, str(made / "plain")) == before
    assert list(before) == ["serving_default", "other", "zulu"]
    assert before["serving_default"][0] == ((-1, 4),)  # XLA may have added a trace of single rows


def test_several_inputs_are_told_apart_by_name(rig: Rig, made: Path) -> None:
    facts = rig.open(made / "pair")
    assert [tensor["name"] for tensor in facts["signatures"][0]["inputs"]] == ["alpha", "zeta"]
    alpha, zeta = np.float32([[1, 2], [3, 4]]), np.float32([[5, 6], [7, 8]])
    assert np.array_equal(rig.run(made / "pair", alpha, zeta, rows=2)[0], zeta + 10 * alpha)


def test_a_fixed_row_takes_rows_too(rig: Rig, made: Path) -> None:
    facts = rig.open(made / "one_row")
    assert facts["signatures"][0]["inputs"][0]["shape"] == [-1, 4] and facts["batch"] == 1
    counts, values = rig.run(made / "one_row", ROWS[:3], rows=3)
    assert np.array_equal(values, 2 * ROWS[:3])
    assert np.array_equal(counts, ROWS[:3].sum(1))
    shapes = rig.call(tensorflow_process.answer_shapes, str(made / "one_row"), [ROWS[:3]], 3)
    assert shapes == ((3,), (3, 4)), "one that has no rows is told where several rows make it have some"


def test_a_signature_without_inputs_answers(rig: Rig, made: Path) -> None:
    rig.open(made / "nothing_in")
    assert rig.run(made / "nothing_in")[0].tolist() == [1, 2]


def test_state_is_put_back_for_every_row_and_only_what_is_written(rig: Rig, made: Path) -> None:
    facts = rig.open(made / "counter")
    assert (facts["state"], facts["batch"], facts["compiled"]) == ("variables", 1, [])
    assert rig.call(tensorflow_process.written_count, str(made / "counter")) == 2, "the weight is only read"
    x = np.float32([[1, 2, 3, 4], [5, 6, 7, 8]])
    for _ in range(3):
        rows, values = rig.run(made / "counter", x[:1])
        assert np.array_equal(values, 5 * x[:1])
        assert np.array_equal(rows, [[0] * 4, 2 * x[0], [0] * 4])
    assert np.array_equal(rig.run(made / "counter", x, rows=2)[1], 5 * x)


def test_state_is_put_back_after_a_call_that_failed(rig: Rig, made: Path) -> None:
    rig.open(made / "breaks")
    with pytest.raises(MmError, match="five is too much") as caught:
        rig.run(made / "breaks", np.full((1, 4), 9, np.float32))
    assert caught.value.code == "INFERENCE_FAILED"
    assert rig.run(made / "breaks", np.ones((1, 4), np.float32))[0].tolist() == [1, 1, 1, 1]


def test_a_random_generator_starts_over_for_every_row(rig: Rig, made: Path) -> None:
    assert rig.open(made / "generated")["state"] == "variables"
    zeros = np.zeros((2, 4), np.float32)
    [first, second] = rig.run(made / "generated", zeros, rows=2)[0]
    assert np.array_equal(first, second) and first.any()


def test_open_dimensions_come_with_the_request_and_trace_nothing_anew(rig: Rig, made: Path) -> None:
    path = made / "any_size"
    facts = rig.open(path)
    assert facts["signatures"][0]["inputs"][0]["shape"] == [-1, -1, -1, 3]
    for shape in ((2, 4, 6, 3), (1, 3, 5, 3), (2, 4, 6, 3)):
        half, mean = rig.run(path, np.ones(shape, np.float32), rows=shape[0], shapes=[shape])
        assert np.allclose(mean, np.ones((shape[0], 3)))
        assert half.shape == (shape[0], (shape[1] + 1) // 2, (shape[2] + 1) // 2, 3)
    assert rig.call(tensorflow_process.traced, str(path)) == {"serving_default": [((-1, -1, -1, 3),)]}


def test_a_shape_that_the_graph_cannot_take_is_refused_and_the_instance_lives(rig: Rig, made: Path) -> None:
    rig.open(made / "plain")
    with pytest.raises(MmError) as caught:
        rig.run(made / "plain", np.ones((2, 3), np.float32), shapes=[(2, 3)])
    assert caught.value.code == "INFERENCE_FAILED" and "\n" not in caught.value.message
    assert np.array_equal(rig.run(made / "plain", ROWS[:2], shapes=[(2, 4)])[0], 2 * ROWS[:2])


def test_between_calls_it_asks_whether_to_go_on(rig: Rig, made: Path) -> None:
    rig.open(made / "plain")
    rig.call(tensorflow_process.set_batch, str(made / "plain"), 2)
    assert rig.call(tensorflow_process.calls_until_refused, str(made / "plain"), 10, 2) == 3


def test_an_answer_does_not_share_memory_with_its_request(rig: Rig, made: Path) -> None:
    rig.open(made / "same")
    assert not rig.call(tensorflow_process.shares_memory, str(made / "same")), "the next request would overwrite it"


@pytest.mark.parametrize(("name", "is_batched"), [("svd", True), ("mixes", False)])
def test_rows_go_together_only_where_that_changes_nothing(rig: Rig, made: Path, name: str, is_batched: bool) -> None:
    assert (rig.open(made / name)["batch"] > 1) == is_batched


def test_an_operation_that_lite_cannot_do_is_served(rig: Rig, made: Path) -> None:
    rig.open(made / "svd")
    x = np.random.default_rng(0).random((3, 5, 3), np.float32)
    assert np.allclose(rig.run(made / "svd", x, rows=3)[0], np.linalg.svd(x, compute_uv=False), atol=1e-5)


@pytest.mark.parametrize("name", ["v1", "v1_ref"])
def test_a_model_of_tensorflow_1_is_served(rig: Rig, made: Path, name: str) -> None:
    assert rig.open(made / name)["state"] == "none"
    [y] = rig.run(made / name, ROWS, rows=7)
    assert np.array_equal(y, np.repeat(ROWS.sum(1, keepdims=True) + 1, 4, 1))


def test_a_table_that_is_only_looked_up_is_not_state(rig: Rig, made: Path) -> None:
    assert rig.open(made / "looks_up")["state"] == "none"
    assert rig.run(made / "looks_up", np.int64([2, 1, 7]), rows=3)[0].tolist() == [20, 10, -1]


AROUND = (
    "Graph execution error:\n\nDetected at node ones defined at (most recent call last):\n"
    "{}\n{}\n\t [[{{{{node ones}}}}]]\n{}"
)
STACK = '  File "model.py", line 3, in <module>\n    main()\n'
WHERE = "on /job:localhost/replica:0/task:0/device:CPU:0 by allocator mklcpu"


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (
            "ResourceExhaustedError",
            AROUND.format(
                "<stack traces unavailable>",
                f"OOM when allocating tensor with shape[8,9] and type float {WHERE}",
                "Hint: If you want to see a list of allocated tensors, add this to that.\n [Op:__inference_f_5]",
            ),
            "not enough memory to compute this request: OOM when allocating tensor with shape[8,9] and type float"
            " (send fewer rows or smaller inputs in a request)",
        ),
        (
            "InvalidArgumentError",
            AROUND.format(STACK, "indices[0] = 7 is not in [0, 2)", " [Op:__inference_g_68]"),
            "TensorFlow refused to compute: indices[0] = 7 is not in [0, 2)",
        ),
        ("InternalError", "", "TensorFlow refused to compute: InternalError"),
    ],
    ids=["memory", "with a stack", "without words"],
)
def test_an_error_of_tensorflow_becomes_one_line(rig: Rig, kind: str, text: str, says: str) -> None:
    assert rig.call(tensorflow_process.said_of, kind, text) == says


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("text", "signature 'serving_default': input 'words' is a string tensor"),
        ("brief", "output 'y' is a bfloat16 tensor"),
        ("ragged", "output 'y' is a RaggedTensor"),
        ("no_rank", "input 'x' has an unknown rank"),
        ("python", "calls Python code"),
        ("v1_ref_counter", "writes to a resource inside its graph (AssignAdd)"),
        ("memorizes", "writes to a resource that is not a variable"),
        ("bare", "no signature"),
    ],
)
def test_a_tensor_that_cannot_be_served_is_refused_by_name(rig: Rig, made: Path, name: str, says: str) -> None:
    error = refusal(rig, made / name)
    assert error.code == "MODEL_INVALID" and says in error.message and error.hint


def test_a_damaged_folder_is_refused_with_its_reason(rig: Rig, made: Path, tmp_path: Path) -> None:
    def damaged(name: str) -> Path:
        shutil.copytree(made / "plain", tmp_path / name)
        return tmp_path / name

    (damaged("headless") / "saved_model.pb").unlink()
    (damaged("random") / "saved_model.pb").write_bytes(os.urandom(5000))
    (damaged("empty") / "saved_model.pb").write_bytes(b"")
    [data] = (damaged("cut") / "variables").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:20])
    (damaged("lost") / "variables/variables.index").unlink()
    whole = made.joinpath("plain/saved_model.pb").read_bytes()
    (damaged("half") / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    reasons = {name: refusal(rig, tmp_path / name) for name in ("headless", "random", "empty", "cut", "lost", "half")}
    assert {error.code for error in reasons.values()} == {"MODEL_INVALID"}
    assert "no saved_model.pb" in reasons["headless"].message
    assert all("TensorFlow cannot load the model: " in reasons[name].message for name in reasons if name != "headless")


def test_xla_is_kept_where_it_gains_for_single_rows_only(rig: Rig, made: Path) -> None:
    rig.open(made / "plain")
    chosen, traced, [answer] = rig.call(tensorflow_process.compile_row, str(made / "plain"), True, 60.0)
    assert (chosen, traced) == (True, [((-1, 4),), ((1, 4),)])
    assert answer.tolist() == [[2, 2, 2, 2]]
    assert np.array_equal(rig.run(made / "plain", ROWS, rows=7)[0], 2 * ROWS)
    assert np.array_equal(rig.run(made / "plain", ROWS[:1], shapes=[(1, 4)])[0], 2 * ROWS[:1])
    assert len(rig.call(tensorflow_process.traced, str(made / "plain"))["serving_default"]) == 2


@pytest.mark.parametrize(
    ("name", "is_faster", "limit_s"),
    [
        pytest.param("plain", False, 60.0, id="gains nothing"),
        pytest.param("plain", True, 0.0, id="not in time"),
        pytest.param("uncompilable", True, 60.0, id="XLA cannot"),
        pytest.param("noisy", True, 60.0, id="answers otherwise"),
        pytest.param("counter", True, 60.0, id="keeps state"),
    ],
)
def test_xla_is_left_where_it_does_not(rig: Rig, made: Path, name: str, is_faster: bool, limit_s: float) -> None:
    rig.open(made / name)
    chosen, traced, answers = rig.call(tensorflow_process.compile_row, str(made / name), is_faster, limit_s)
    assert (chosen, traced) == (False, [((-1, 4),)]) and answers


def test_it_runs_on_the_device_that_was_chosen(made: Path) -> None:
    rig = Rig(cpus=2)
    try:
        assert rig.open(made / "plain", "cpu:1")["device"] == "CPU:1"
        places = rig.call(tensorflow_process.placed_on, str(made / "plain"))
        assert len(places) == 2 and all(place.endswith("CPU:1") for place in places), places
        assert np.array_equal(rig.run(made / "plain", ROWS[:1])[0], 2 * ROWS[:1])
        with pytest.raises(MmError, match="TensorFlow sees CPU:0, CPU:1") as caught:
            rig.open(made / "plain", "gpu")
        assert caught.value.code == "CONFIG_INVALID"
        assert rig.open(made / "counter", "cpu:1")["device"] == "CPU:1"
        x = np.ones((1, 4), np.float32)
        assert [rig.run(made / "counter", x)[1].tolist() for _ in range(2)] == [[[5] * 4]] * 2
    finally:
        rig.close()


def test_importing_the_module_imports_nothing_and_loading_says_nothing(made: Path) -> None:
    code = (
        "import sys\n"
        "from mmdaemon.runtime.tensorflow.runtime import TensorFlowRuntime\n"
        "from mmdaemon.runtime.interface import Traits\n"
        "assert 'tensorflow' not in sys.modules and 'numpy' not in sys.modules\n"
        "runtime = TensorFlowRuntime()\n"
        "instance = runtime.load(sys.argv[1], 1, Traits())\n"
        "print(runtime.name, runtime.version, *instance.signatures)\n"
    )
    done: Any = subprocess.run(
        [sys.executable, "-c", code, made / "plain"], capture_output=True, text=True, timeout=100, env=dict(os.environ)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] == "tensorflow" and done.stdout.split()[2:] == ["serving_default", "other", "zulu"]
