import pytest

from mmconvert.source.inspection import inspect, require_portable
from mmconvert.source.signature import UNKNOWN, Tensor
from mmwire.errors import ConvertError
from rig.saved_model_proto import SERVING, saved_model, signature


def test_signatures_types_and_shapes_are_read():
    found = inspect(SERVING)
    assert list(found.signatures) == ["serving_default"]
    assert found.signatures["serving_default"].inputs == (Tensor("x", "float32", (UNKNOWN, 4)),)
    assert found.signatures["serving_default"].outputs == (Tensor("y", "float32", (UNKNOWN, 2)),)
    assert (found.tags, found.producer) == (("serve",), "2.21.0")


def test_only_what_a_signature_reaches_counts_as_its_operations():
    found = inspect(SERVING)
    assert found.ops["serving_default"] == {"Call": 1, "MatMul": 1}
    require_portable(found, found.signatures["serving_default"])
    called = inspect(SERVING.replace(b"MatMul", b"PyFunc"))
    with pytest.raises(ConvertError, match="calls Python code"):
        require_portable(called, called.signatures["serving_default"])


def test_a_file_cut_anywhere_never_breaks_the_reader():
    refused = 0
    for cut in range(1, len(SERVING)):
        try:
            inspect(SERVING[:cut])
        except ConvertError as error:
            assert error.code == "SAVED_MODEL_INVALID"
            refused += 1
    assert refused > len(SERVING) * 0.9


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"not a protocol buffer", b"\xff" * 40])
def test_other_bytes_are_refused(content):
    with pytest.raises(ConvertError, match=r"saved_model\.pb"):
        inspect(content)


def test_the_graph_tagged_serve_is_read():
    training = saved_model(signature("train"), tags=("train",))
    assert list(inspect(training + SERVING).signatures) == ["serving_default"]
