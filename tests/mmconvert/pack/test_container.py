import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from mmconvert.backends.litert.census import take_census
from mmconvert.pack.container import add_metadata
from mmwire.errors import ConvertError
from mmwire.tflite import outline


def answer(content):
    runner = Interpreter(model_content=content).get_signature_runner("serving_default")
    return runner(x=np.array([[1, 2, 3, 4]], np.float32))["y"]


def weights_outside(content):
    """Return the same model with its weights behind the FlatBuffer, as litert-quantizer writes larger ones."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    outside = [buffer for buffer in model.buffers if buffer.data is not None and len(buffer.data)]
    kept = [bytes(buffer.data) for buffer in outside]
    for buffer in outside:
        buffer.data, buffer.offset, buffer.size = None, 2, 2  # numbers that take their room in the file
    end = len(flatbuffer_utils.convert_object_to_bytearray(model))
    tail = bytes(-end % 64)
    for buffer, data in zip(outside, kept, strict=True):
        buffer.offset, buffer.size = end + len(tail), len(data)
        tail += data + bytes(-len(data) % 64)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)) + tail


def test_the_old_file_stays_as_it_was_and_whole(tiny_tflite):
    packed = add_metadata(tiny_tflite, {"A": b"first", "B": b"", "C": bytes(range(256))})
    assert packed.endswith(tiny_tflite)
    assert (len(packed) - len(tiny_tflite)) % 64 == 0  # alignment of the weights
    found = outline(packed)
    assert found.entry(packed, "A") == b"first"
    assert found.entry(packed, "B") == b""
    assert found.entry(packed, "C") == bytes(range(256))
    assert found.entry(packed, "SOMEBODY_ELSES") == b"kept as it is"


def test_the_runtime_and_other_readers_take_the_packed_file(tiny_tflite):
    packed = add_metadata(tiny_tflite, {"A": b"x" * 1001})
    assert answer(packed).tolist() == answer(tiny_tflite).tolist() == [[1, 3, 5, 7]]
    read = flatbuffer_utils.read_model_from_bytearray(bytearray(packed))
    assert [entry.name for entry in read.metadata] == [b"SOMEBODY_ELSES", b"A"]
    assert read.signatureDefs[0].signatureKey == b"serving_default" and read.version == 3
    assert bytes(read.buffers[read.metadata[1].buffer].data) == b"x" * 1001


def test_weights_behind_the_flatbuffer_are_found_again(tiny_tflite):
    outside = weights_outside(tiny_tflite)
    assert answer(outside).tolist() == [[1, 3, 5, 7]]
    packed = add_metadata(add_metadata(outside, {"A": b"x" * 1001}), {"B": b"y"})
    assert answer(packed).tolist() == [[1, 3, 5, 7]]
    assert take_census(packed)["weights"] == take_census(tiny_tflite)["weights"] != {}


def test_added_data_is_aligned(tiny_tflite):
    model = schema.Model.GetRootAs(add_metadata(tiny_tflite, {"A": b"12345", "B": b"1"}), 0)
    for index in (3, 4):
        table = model.Buffers(index)._tab
        assert table.Vector(table.Offset(4)) % 16 == 0


def test_packing_again_replaces_entries_and_keeps_the_graph(tiny_tflite):
    once = add_metadata(tiny_tflite, {"A": b"old", "B": b"b"})
    twice = add_metadata(once, {"A": b"new"})
    found = outline(twice)
    assert (found.entry(twice, "A"), found.entry(twice, "B")) == (b"new", b"b")
    assert answer(twice).tolist() == [[1, 3, 5, 7]]


@pytest.mark.parametrize(
    "damage", [lambda content: b"", lambda content: b"no model at all", lambda content: content[:-9]]
)
def test_anything_but_a_whole_tflite_is_refused(tiny_tflite, damage):
    with pytest.raises(ConvertError, match="the converter wrote no usable file"):
        add_metadata(damage(tiny_tflite), {"A": b""})
