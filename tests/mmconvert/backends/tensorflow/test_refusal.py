import pytest

from mmconvert.backends.tensorflow.refusal import explain, first_reason, full_tf_ground
from mmwire.errors import ConvertError

SELECT = """Could not translate MLIR to FlatBuffer.
Some ops are not supported by the native TFLite runtime, you can enable TF kernels fallback using TF Select.
TF Select ops: MatrixInverse, Foo, Foo
Details:
"""


@pytest.mark.parametrize(
    ("code", "leads"),
    [("OP_UNSUPPORTED", True), ("CONVERTER_CRASHED", True), ("PARITY_FAILED", True), ("CONVERTER_LIMIT", False)],
)
def test_some_failures_leave_the_model_to_full_tensorflow(code, leads):
    assert (full_tf_ground(ConvertError(code, "why")) is not None) == leads


@pytest.mark.parametrize(
    ("step", "text", "code", "part"),
    [
        ("convert", SELECT, "OP_UNSUPPORTED", "the operations MatrixInverse, Foo have no TFLite form"),
        ("convert", "x.py:1:1: error: 'tf.Svd' op is neither a custom op nor a flex op", "OP_UNSUPPORTED", "Svd"),
        ("load", "Op type not registered 'Zap' in binary running on x", "OP_UNSUPPORTED", "Zap"),
        ("quantize", "Quantization to 8-bit not yet supported for op: 'ERF'", "OP_UNSUPPORTED", "ERF"),
        ("load", "Read less bytes than requested", "SAVED_MODEL_INVALID", "variables are missing, cut short"),
        (
            "load",
            "{{function_node x}} Checksum does not match: a vs. b [Op:RestoreV2]",
            "SAVED_MODEL_INVALID",
            "Checksum",
        ),
        ("load", "'_UserObject' object has no attribute 'x'", "SAVED_MODEL_INVALID", "cannot load"),
        ("answer", "indices[0] = 5 is not in [0, 3)", "SAVED_MODEL_INVALID", "TensorFlow itself cannot run"),
        ("convert", "Model size is bigger than 2gb", "CONVERTER_FAILED", "2 GB"),
        ("quantize", "\n\nsomething else\nmore", "CONVERTER_FAILED", "refused the model: something else"),
        ("convert", "OOM: Resource exhausted", "CONVERTER_LIMIT", "memory"),
    ],
)
def test_the_texts_of_tensorflow_become_one_line(step, text, code, part):
    error = explain(step, ValueError(text))
    assert error.code == code and part in error.message
    assert "\n" not in error.message and "function_node" not in error.message


def test_long_texts_are_cut():
    assert len(first_reason("x" * 10_000)) < 300
    assert first_reason("\n \n") == "TensorFlow gives no reason"


def test_the_lines_before_the_reason_are_left_out():
    text = """Graph execution error:

Detected at node embedding/GatherV2 defined at (most recent call last):
<stack traces unavailable>
indices[0,0] = 851 is not in [0, 100)
\t [[{{node embedding/GatherV2}}]] [Op:__inference_signature_wrapper_259]"""
    assert first_reason(text) == "indices[0,0] = 851 is not in [0, 100)"
