"""The child process with TensorFlow: loads the SavedModel, converts it, and computes what the original answers.

Run as ``python -m mmconvert.backends.tensorflow.child``. Only this module and ``keras_file`` import TensorFlow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmconvert.backends.litert.census import take_census
from mmconvert.backends.process.serve import serve
from mmconvert.backends.tensorflow.keras_file import export
from mmconvert.backends.tensorflow.refusal import explain, first_reason

SINGLE_BATCH_REPAIR = "took one row at a time for its lists of tensors (TensorListReserve), as recurrent layers need"
_LIST_ERROR = "TensorListReserve"
_ASSIGN = "Assign"


class LoadedModel:
    """The steps; the model stays loaded between them."""

    def __init__(self) -> None:
        self._model: Any = None
        self._functions: dict[str, Any] = {}
        self._resaved: dict[bool, str] = {}
        self._is_single_batch = False
        self._initial: list[tuple[Any, Any]] | None = None

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Load signatures; reply with how much their variables hold and whether running changes them."""
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)  # the same sums in the same order every time
        self._initial, self._resaved, self._is_single_batch = None, {}, False
        self._model = tf.saved_model.load(request["folder"], tags=request["tags"])
        self._functions = {name: self._model.signatures[name] for name in request["signatures"]}
        variables = {variable.ref(): variable for f in self._functions.values() for variable in f.variables}
        if any(_changes_variables(function) for function in self._functions.values()):
            self._initial = [(variable, variable.numpy()) for variable in variables.values()]
        return {
            "variable_elements": sum(int(v.shape.num_elements() or 0) for v in variables.values()),
            "keeps_state": self._initial is not None,
        }

    def convert(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write the float model; reply with the repairs that it took and whether the graph computes shapes.

        ``one_row`` fixes the number of rows to one.
        """
        is_one_row = bool(request["one_row"])
        content = self._run_converter(is_one_row)
        Path(request["output"]).write_bytes(content)
        return {
            "repairs": [SINGLE_BATCH_REPAIR] if self._is_single_batch else [],
            "computes_shapes": "SHAPE" in take_census(content)["ops"],
        }

    def quantize(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write an int8 model; its ranges are measured on the calibration feeds, one file for each signature."""
        import tensorflow as tf

        from mmconvert.feed import Feed, load_feeds

        feeds = {name: load_feeds(Path(path)) for name, path in request["calibration"].items()}

        def representative_dataset() -> Iterator[Feed | tuple[str, Feed]]:
            for name, rows in feeds.items():
                yield from rows if len(feeds) == 1 else ((name, row) for row in rows)

        def ask_for_int8(converter: Any) -> None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = representative_dataset
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8

        Path(request["output"]).write_bytes(self._run_converter(is_one_row=False, configure=ask_for_int8))
        return {}

    def _run_converter(self, is_one_row: bool, configure: Callable[[Any], None] = lambda converter: None) -> bytes:
        """Return the converted model; lists of tensors are repaired when the converter asks for it."""
        while True:
            converter = self._converter(is_one_row)
            configure(converter)
            try:
                return bytes(converter.convert())
            except Exception as error:
                if self._is_single_batch or _LIST_ERROR not in str(error):
                    raise
                self._is_single_batch = True

    def _converter(self, is_one_row: bool) -> Any:
        """Return a converter of the loaded functions.

        ``from_saved_model`` on the input itself loses the weights of models that Keras 3 wrote with
        ``tf.saved_model.save``, and gives NaN. The loaded functions have captured the weights, so they are saved anew
        together. ``from_concrete_functions`` does the same, but calls every signature ``serving_default``.
        """
        import tensorflow as tf

        if is_one_row not in self._resaved:
            folder = tempfile.mkdtemp()
            functions = {name: _for_one_row(f) if is_one_row else f for name, f in self._functions.items()}
            tf.saved_model.save(self._model, folder, signatures=functions)
            self._resaved[is_one_row] = folder
        converter = tf.lite.TFLiteConverter.from_saved_model(
            self._resaved[is_one_row], signature_keys=list(self._functions)
        )
        if self._is_single_batch:
            converter._experimental_default_to_single_batch_in_tensor_list_ops = True
        return converter

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write what TensorFlow answers to each feed; each starts from the saved state unless told otherwise.

        Reply with the indexes of the feeds that TensorFlow refuses, which have no answer in the file, and the reason
        for the last of them. When it refuses all of them, the step fails with that reason.
        """
        import tensorflow as tf

        from mmconvert.feed import load_feeds, save_feeds

        outputs, refused = [], []
        refusal: Exception | None = None
        for index, feed in enumerate(load_feeds(Path(request["feeds"]))):
            if index == 0 or request["resets"]:
                for variable, value in self._initial or ():
                    variable.assign(value)
            function = self._functions[request["signature"]]
            try:
                answer = function(**{name: tf.constant(array) for name, array in feed.items()})
            except (tf.errors.OpError, ValueError) as error:
                refusal = error
                refused.append(index)
                continue
            outputs.append({name: tensor.numpy() for name, tensor in answer.items()})
        if refusal is not None and not outputs:
            raise refusal
        save_feeds(Path(request["output"]), outputs)
        return {"refused": refused, "reason": first_reason(str(refusal)) if refusal is not None else ""}


def _changes_variables(function: Any) -> bool:
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for item in graph.library.function for node in item.node_def)]
    return any(node.op.startswith(_ASSIGN) for node in nodes)


def _for_one_row(function: Any) -> Any:
    """Return the function traced again for inputs of exactly one row."""
    import tensorflow as tf

    specs = {
        name: tf.TensorSpec(
            [1, *spec.shape[1:]] if spec.shape.rank and spec.shape[0] is None else spec.shape, spec.dtype
        )
        for name, spec in function.structured_input_signature[1].items()
    }

    def call(**feed: Any) -> Any:
        return function(**feed)

    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in specs.items()}
    return tf.function(call).get_concrete_function(**named)


def main() -> None:
    """Do steps until the parent closes the pipe."""
    model = LoadedModel()
    serve(
        {
            "export": export,
            "load": model.load,
            "convert": model.convert,
            "quantize": model.quantize,
            "answer": model.answer,
        },
        explain,
    )


if __name__ == "__main__":
    main()
