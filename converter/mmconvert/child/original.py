"""The child process with TensorFlow: load the SavedModel, convert it, compute what the original answers.

Run as ``python -m mmconvert.child.original``; TensorFlow is imported here and nowhere else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmconvert.child.refusal import explain
from mmconvert.child.serve import serve

SINGLE_BATCH_REPAIR = "took one row at a time for its lists of tensors (TensorListReserve), as recurrent layers need"
_LIST_ERROR = "TensorListReserve"
_ASSIGN = "Assign"


class Original:
    """The steps; the loaded model stays between them."""

    def __init__(self) -> None:
        self._model: Any = None
        self._function: Any = None
        self._name = ""
        self._resaved: str | None = None
        self._is_single_batch = False
        self._initial: list[tuple[Any, Any]] | None = None

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Load a signature; answers with the library versions and what its variables hold."""
        import keras  # type: ignore[import-untyped]
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)  # the same sums in the same order every time
        self._initial, self._resaved, self._is_single_batch = None, None, False
        self._model = tf.saved_model.load(request["folder"], tags=request["tags"])
        self._name = request["signature"]
        self._function = self._model.signatures[self._name]
        variables = self._function.variables
        if self._changes_variables():
            self._initial = [(variable, variable.numpy()) for variable in variables]
        return {
            "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
            "variable_elements": sum(int(variable.shape.num_elements() or 0) for variable in variables),
            "keeps_state": self._initial is not None,
        }

    def _changes_variables(self) -> bool:
        graph = self._function.graph.as_graph_def()
        nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
        return any(node.op.startswith(_ASSIGN) for node in nodes)

    def convert_float(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write the float model; answers with the repairs that it took."""
        converter = self._converter()
        try:
            content = converter.convert()
        except Exception as error:
            if _LIST_ERROR not in str(error):
                raise
            self._is_single_batch = True
            content = self._converter().convert()
        Path(request["output"]).write_bytes(content)
        return {"repairs": [SINGLE_BATCH_REPAIR] if self._is_single_batch else []}

    def quantize(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write the quantized model: ``dynamic``, or ``int8`` with the calibration feeds of the request."""
        import tensorflow as tf

        converter = self._converter()
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if request["mode"] == "int8":
            from mmconvert.feed import Feed, load_feeds

            feeds = load_feeds(Path(request["calibration"]))

            def representative_dataset() -> Iterator[Feed]:
                yield from feeds

            converter.representative_dataset = representative_dataset
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        Path(request["output"]).write_bytes(converter.convert())
        return {}

    def _converter(self) -> Any:
        """Return a converter of the loaded function.

        ``from_saved_model`` on the input itself loses the weights of what Keras 3 wrote with ``tf.saved_model.save``,
        and gives NaN. The loaded function has captured them; saved anew with it they are found. It is what
        ``from_concrete_functions`` does, which however calls every signature ``serving_default``.
        """
        import tensorflow as tf

        if self._resaved is None:
            folder = tempfile.mkdtemp()
            tf.saved_model.save(self._model, folder, signatures={self._name: self._function})
            self._resaved = folder
        converter = tf.lite.TFLiteConverter.from_saved_model(self._resaved, signature_keys=[self._name])
        if self._is_single_batch:
            converter._experimental_default_to_single_batch_in_tensor_list_ops = True
        return converter

    def reference(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write what TensorFlow answers to each feed, every one from the state that was saved.

        Answers with the feeds that it refuses, by index; they have no answer in the file. It may not refuse all.
        """
        import tensorflow as tf

        from mmconvert.feed import load_feeds, save_feeds

        outputs, refused = [], []
        refusal: Exception | None = None
        for index, feed in enumerate(load_feeds(Path(request["feeds"]))):
            for variable, value in self._initial or ():
                variable.assign(value)
            try:
                answer = self._function(**{name: tf.constant(array) for name, array in feed.items()})
            except tf.errors.OpError as error:
                refusal = error
                refused.append(index)
                continue
            outputs.append({name: tensor.numpy() for name, tensor in answer.items()})
        if refusal is not None and not outputs:
            raise refusal
        save_feeds(Path(request["output"]), outputs)
        return {"refused": refused}


def main() -> None:
    """Serve the steps until the parent closes the pipe."""
    original = Original()
    serve(
        {
            "load": original.load,
            "float": original.convert_float,
            "quantize": original.quantize,
            "reference": original.reference,
        },
        explain,
    )


if __name__ == "__main__":
    main()
