"""TensorFlow's adapter in a process of its own, called from tests; and the SavedModels that they run it on.

TensorFlow is imported in the child only: its threads and its memory have no business in the process of all tests.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from mmwire.errors import MmError, RequestError, error_from_dict

LIMIT_S = 100.0
THREADS = 1
_LOADED: dict[str, Any] = {}


class Rig:
    """One child process.

    Args:
        cpus: Logical CPU devices that its TensorFlow has.
    """

    def __init__(self, cpus: int = 1) -> None:
        context = multiprocessing.get_context("spawn")
        self._dispatcher = ProcessPoolExecutor(1, mp_context=context, initializer=_prepare, initargs=(cpus,))

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of an importable module in the child."""
        result, error = self._dispatcher.submit(_guarded, function, *arguments).result(LIMIT_S)
        if error is not None:
            raise error_from_dict(error)
        return result

    def open(self, path: Path, device: str = "auto") -> dict[str, Any]:
        """Load a folder as the executor's child does; return what that found out."""
        return self.call(_open, str(path), device)

    def run(
        self, path: Path, *inputs: Any, name: str = "serving_default", rows: int = 1, shapes: Any = None
    ) -> list[Any]:
        """Run a model that ``open`` loaded; return the outputs in spec order."""
        return self.call(_run, str(path), inputs, name, rows, shapes)[0]

    def close(self) -> None:
        self._dispatcher.shutdown()


def _prepare(cpus: int) -> None:
    from mmdaemon.runtime.tensorflow.runtime import TensorFlowRuntime

    TensorFlowRuntime()  # quietly
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    [cpu] = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * cpus)


def _guarded(function: Callable[..., Any], *arguments: Any) -> tuple[Any, dict[str, Any] | None]:
    try:
        return function(*arguments), None
    except MmError as error:
        return None, error.as_dict()


def _open(path: str, device: str) -> dict[str, Any]:
    from mmdaemon.runtime.hosted import open_saved_model
    from mmdaemon.runtime.interface import Traits

    _LOADED[path], facts = open_saved_model(path, THREADS, Traits(), device)
    return facts


def _run(path: str, inputs: Sequence[Any], name: str, rows: int, shapes: Any) -> tuple[list[Any], Any]:
    payload = memoryview(b"".join(np.asarray(value).tobytes() for value in inputs))
    answer = _LOADED[path].run(name, payload, rows, shapes, lambda: None)
    assert all(tensor.flags.c_contiguous for tensor in answer.tensors)
    return [np.array(tensor) for tensor in answer.tensors], answer.shapes


def answer_shapes(path: str, inputs: Sequence[Any], rows: int) -> Any:
    """Return the shapes that an answer carries besides its tensors."""
    return _run(path, inputs, "serving_default", rows, None)[1]


def calls_until_refused(path: str, rows: int, allowed: int) -> int:
    """Run rows of four values for a caller that leaves after some calls; return how often it was asked."""
    asked: list[int] = []

    def go_on() -> None:
        asked.append(1)
        if len(asked) > allowed:
            raise RequestError("CANCELLED", "enough")

    try:
        _LOADED[path].run("serving_default", bytes(16 * rows), rows, None, go_on)
    except RequestError:
        return len(asked)
    return -1


def set_batch(path: str, rows: int) -> None:
    """Let one call carry so many rows."""
    for function in _LOADED[path].functions.values():
        function.batch = rows


def traced(path: str) -> dict[str, Any]:
    """Return what was traced so far."""
    return {name: list(shapes) for name, shapes in _LOADED[path].traced.items()}


def written_count(path: str) -> int:
    """Return how many variables of the default signature are put back after a call."""
    import tensorflow as tf

    from mmdaemon.runtime.tensorflow.snapshot import written_variables

    loaded = tf.saved_model.load(path)
    return len(written_variables("serving_default", loaded.signatures["serving_default"].graph))


def placed_on(path: str) -> list[str]:
    """Return where the output and the variables of the default signature are."""
    import tensorflow as tf

    function = _LOADED[path].functions["serving_default"]
    with tf.device(function._device):
        [output] = function._graph(tf.ones((1, 4)))
    return [output.device, *(variable.device for variable in function._graph.graph.variables)]


def shares_memory(path: str) -> bool:
    """Return whether an answer is the memory of its request."""
    payload = np.arange(4, dtype=np.float32)
    answer = _LOADED[path].run("serving_default", memoryview(payload).cast("B"), 1, None, lambda: None)
    return any(np.shares_memory(payload, tensor) for tensor in answer.tensors)


def compile_row(path: str, is_faster: bool, limit_s: float) -> tuple[bool, list[Any], list[Any]]:
    """Choose a compiler, the stopwatch's verdict given; return the choice, what is traced then, and a row's answer."""
    from mmdaemon.runtime.tensorflow import compilation

    function = _LOADED[path].functions["serving_default"]
    kept = compilation._is_faster, compilation._LEAST_S
    compilation._is_faster, compilation._LEAST_S = lambda function, row: is_faster, 0.0
    try:
        chosen = compilation.choose_compiler(function, limit_s)
    finally:
        compilation._is_faster, compilation._LEAST_S = kept
    return chosen, list(function.traced), _run(path, [np.ones((1, 4), np.float32)], "serving_default", 1, None)[0]


def said_of(kind: str, text: str) -> str:
    """Return what is said of a call for which TensorFlow raises such an error."""
    import tensorflow as tf

    from mmdaemon.runtime.tensorflow.failure import inference_error

    return str(inference_error(getattr(tf.errors, kind)(None, None, text)))


def make(folder: str) -> None:
    """Make the SavedModels, each in a folder of its name; in the child."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    layers = keras.layers
    network = keras.Sequential(
        [keras.Input((6, 4), name="x"), layers.LSTM(8), layers.BatchNormalization(), layers.Dropout(0.5)]
    )
    network.export(f"{folder}/keras", verbose=False)

    def spec(*shape: int | None, dtype: Any = tf.float32, name: str = "x") -> Any:
        return tf.TensorSpec(shape, dtype, name=name)

    class Models(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(tf.eye(4) * 2)
            self.total = tf.Variable(tf.zeros((4,)))
            self.rows = tf.Variable(tf.zeros((3, 4)))
            self.fixed = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(tf.constant([1, 2], tf.int64), tf.constant([10.0, 20.0])), -1.0
            )
            self.memo = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, -1.0)
            self.generator = tf.random.Generator.from_seed(3)

        @tf.function(input_signature=[spec(None, 4)])
        def plain(self, x: Any) -> Any:
            return {"y": x @ self.weight}

        @tf.function(input_signature=[spec(None, 2, name="b")])
        def other(self, b: Any) -> Any:
            return {"z": b + 1, "a": b[:, :1] > 0}

        @tf.function(input_signature=[spec(None, 4)])
        def same(self, x: Any) -> Any:
            return {"y": tf.identity(x)}

        @tf.function(input_signature=[spec(None, 2, name="zeta"), spec(None, 2, name="alpha")])
        def pair(self, zeta: Any, alpha: Any) -> Any:
            return {"y": zeta + 10 * alpha}

        @tf.function(input_signature=[spec(1, 4)])
        def one_row(self, x: Any) -> Any:
            return {"y": x @ self.weight, "count": tf.reduce_sum(x)}

        @tf.function(input_signature=[spec(None, 4)])
        def counter(self, x: Any) -> Any:
            if tf.reduce_sum(x) > 0:  # the writing is two functions deep, in a branch and in a loop
                for _ in tf.range(2):
                    self.total.assign_add(x[0])
            self.rows.scatter_nd_update([[1]], [self.total])
            return {"y": self.total[None] @ self.weight + x, "rows": self.rows.value()}

        @tf.function(input_signature=[spec(None, 4)])
        def breaks(self, x: Any) -> Any:
            total = self.total.assign_add(x[0])
            with tf.control_dependencies([total]):
                checked = tf.debugging.assert_less(x, 5.0, "five is too much")
            with tf.control_dependencies([checked]):
                return {"y": total + 0.0}

        @tf.function(input_signature=[spec(None, 4)])
        def generated(self, x: Any) -> Any:
            return {"y": x + self.generator.normal([4])}

        @tf.function(input_signature=[spec(None, 4)])
        def noisy(self, x: Any) -> Any:
            return {"y": x + tf.random.normal([4])}

        @tf.function(input_signature=[spec(None, 4)])
        def mixes(self, x: Any) -> Any:
            return {"y": x - tf.reduce_mean(x, 0, keepdims=True)}

        @tf.function(input_signature=[spec(None, 4)])
        def uncompilable(self, x: Any) -> Any:
            return {"y": x + tf.strings.to_number(tf.strings.as_string(x))}

        @tf.function(input_signature=[spec(None, None, None, 3)])
        def any_size(self, x: Any) -> Any:
            return {"y": tf.reduce_mean(x, [1, 2]), "half": x[:, ::2, ::2]}

        @tf.function(input_signature=[spec(None, 5, 3)])
        def svd(self, x: Any) -> Any:
            return {"s": tf.linalg.svd(x, compute_uv=False)}

        @tf.function(input_signature=[spec(None, dtype=tf.int64)])
        def looks_up(self, x: Any) -> Any:
            return {"y": self.fixed.lookup(x)}

        @tf.function(input_signature=[])
        def nothing_in(self) -> Any:
            return {"y": tf.constant([1.0, 2.0])}

        # What is refused:
        @tf.function(input_signature=[spec(None, dtype=tf.int64)])
        def memorizes(self, x: Any) -> Any:
            self.memo.insert(x, tf.cast(x, tf.float32))
            return {"y": tf.cast(self.memo.size(), tf.float32) + tf.zeros_like(x, tf.float32)}

        @tf.function(input_signature=[spec(None, dtype=tf.string, name="words")])
        def text(self, words: Any) -> Any:
            return {"n": tf.strings.length(words)}

        @tf.function(input_signature=[spec(None, 4)])
        def brief(self, x: Any) -> Any:
            return {"y": tf.cast(x, tf.bfloat16)}

        @tf.function(input_signature=[spec(None, 4)])
        def ragged(self, x: Any) -> Any:
            return {"y": tf.RaggedTensor.from_tensor(x)}

        @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="x")])
        def no_rank(self, x: Any) -> Any:
            return {"y": x * 2}

        @tf.function(input_signature=[spec(None, 4)])
        def python(self, x: Any) -> Any:
            doubled = tf.py_function(lambda value: value * 2, [x], tf.float32)
            return {"y": tf.ensure_shape(doubled, [None, 4])}

    models = Models()
    names = [name for name, value in vars(Models).items() if hasattr(value, "get_concrete_function")]
    for name in set(names) - {"plain", "other"}:
        tf.saved_model.save(models, f"{folder}/{name}", signatures={"serving_default": getattr(models, name)})
    signatures = {"zulu": models.other, "other": models.other, "serving_default": models.plain}
    tf.saved_model.save(models, f"{folder}/plain", signatures=signatures)
    tf.saved_model.save(tf.Module(), f"{folder}/bare")
    for name, is_resource, is_written in (
        ("v1", True, False),
        ("v1_ref", False, False),
        ("v1_ref_counter", False, True),
    ):
        _make_v1(f"{folder}/{name}", is_resource, is_written)


def _make_v1(folder: str, is_resource: bool, is_written: bool) -> None:
    """Make what TensorFlow 1 wrote: ``y = x @ w + n``."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        w = v1.get_variable("w", [4, 4], initializer=tf.ones_initializer(), use_resource=is_resource)
        n = v1.get_variable("n", [], initializer=tf.ones_initializer(), use_resource=is_resource)
        with tf.control_dependencies([n.assign_add(1.0)] if is_written else []):
            y = x @ w + tf.identity(n)
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(folder)
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def(inputs={"x": info(x)}, outputs={"y": info(y)})
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
