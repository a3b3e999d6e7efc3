import pytest

from mmconvert.source.inspection import inspect, require_portable
from mmconvert.source.protobuf import MalformedError, encode_bytes, read_fields
from mmconvert.source.repair import repair, strip_slots
from mmconvert.source.signature import UNKNOWN, Signature, Tensor, choose_signatures, require_convertible
from mmwire.errors import ConvertError, RequestError


def varint(number, value):
    """A small field of type varint."""
    return bytes([number << 3, value])


def tensor_info(dtype, *sizes):
    minus_one = b"\x08" + b"\xff" * 9 + b"\x01"
    dims = b"".join(encode_bytes(2, minus_one if size < 0 else varint(1, size)) for size in sizes)
    return varint(2, dtype) + encode_bytes(3, dims)


def entry(number, key, value):
    return encode_bytes(number, encode_bytes(1, key.encode()) + encode_bytes(2, value))


def saved_model(*signatures, object_graph=b"", tags=("serve",)):
    info = b"".join(encode_bytes(4, tag.encode()) for tag in tags) + encode_bytes(5, b"2.21.0")
    called = (
        encode_bytes(1, b"f") + encode_bytes(2, b"Call") + entry(5, "f", encode_bytes(10, encode_bytes(1, b"body")))
    )
    nodes = encode_bytes(1, called) + encode_bytes(1, encode_bytes(1, b"a") + encode_bytes(2, b"Unused"))
    nodes += encode_bytes(2, library("body", "MatMul") + library("other", "EagerPyFunc"))
    graph = encode_bytes(1, info) + encode_bytes(2, nodes) + b"".join(signatures)
    return varint(1, 1) + encode_bytes(2, graph + encode_bytes(7, object_graph))


def library(name, op):
    return encode_bytes(
        1, encode_bytes(1, encode_bytes(1, name.encode())) + encode_bytes(3, encode_bytes(2, op.encode()))
    )


def signature(name, dtype=1, sizes=(-1, 4)):
    inputs, outputs = (
        entry(1, "x", tensor_info(dtype, *sizes)),
        entry(2, "y", encode_bytes(1, b"f:0") + tensor_info(1, -1, 2)),
    )
    return entry(5, name, inputs + outputs)


SERVING = saved_model(signature("serving_default"), signature("__saved_model_init_op"))


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


def test_a_file_cut_anywhere_is_refused_or_read_but_never_breaks():
    refused = 0
    for cut in range(1, len(SERVING)):
        try:
            inspect(SERVING[:cut])
        except ConvertError as error:
            assert error.code == "SAVED_MODEL_INVALID"
            refused += 1
    assert refused > len(SERVING) * 0.9


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"not a protocol buffer", b"\xff" * 40])
def test_other_bytes_are_no_saved_model(content):
    with pytest.raises(ConvertError, match=r"saved_model\.pb"):
        inspect(content)


def test_numbers_longer_than_ten_bytes_are_malformed():
    with pytest.raises(MalformedError):
        list(read_fields(memoryview(b"\x08" + b"\x80" * 11 + b"\x01")))


def test_the_graph_tagged_serve_is_the_one():
    training = saved_model(signature("train"), tags=("train",))
    assert list(inspect(training + SERVING).signatures) == ["serving_default"]


SLOT = encode_bytes(3, varint(1, 1) + encode_bytes(2, b"m"))
NODE = encode_bytes(1, encode_bytes(1, b"child") + SLOT + SLOT + encode_bytes(4, b"kept"))


def test_slots_are_stripped_and_nothing_else():
    with_slots = saved_model(signature("serving_default"), object_graph=NODE * 3)
    assert inspect(with_slots).slot_variables == 6
    clean = encode_bytes(1, encode_bytes(1, b"child") + encode_bytes(4, b"kept"))
    assert strip_slots(with_slots) == saved_model(signature("serving_default"), object_graph=clean * 3)


def test_repair_works_on_a_copy(tmp_path):
    folder, workspace = tmp_path / "model", tmp_path / "work"
    (folder / "variables").mkdir(parents=True)
    workspace.mkdir()
    model = saved_model(signature("serving_default"), object_graph=NODE)
    (folder / "saved_model.pb").write_bytes(model)
    (folder / "variables" / "variables.index").write_bytes(b"index")
    copy, repairs = repair(folder, model, inspect(model), workspace)
    assert copy.is_relative_to(workspace) and "2 optimizer slots" in repairs[0]
    assert inspect((copy / "saved_model.pb").read_bytes()).slot_variables == 0
    assert (copy / "variables" / "variables.index").read_bytes() == b"index"
    assert (folder / "saved_model.pb").read_bytes() == model


def test_nothing_to_repair_copies_nothing(tmp_path):
    assert repair(tmp_path, SERVING, inspect(SERVING), tmp_path) == (tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def names(found):
    return [signature.name for signature in found]


def test_all_signatures_are_converted_or_the_one_asked_for():
    two = inspect(saved_model(signature("encode"), signature("decode"))).signatures
    assert names(choose_signatures(two, "encode")) == ["encode"]
    assert names(choose_signatures(two, None)) == ["decode", "encode"]
    with pytest.raises(RequestError, match="no signature 'other'"):
        choose_signatures(two, "other")
    with pytest.raises(ConvertError, match="has no signature"):
        choose_signatures({}, None)


def test_what_keras_exports_twice_is_converted_once():
    double = inspect(saved_model(signature("serve"), signature("serving_default"))).signatures
    assert names(choose_signatures(double, None)) == ["serving_default"]
    other = inspect(saved_model(signature("serve", sizes=(-1, 5)), signature("serving_default"))).signatures
    assert names(choose_signatures(other, None)) == ["serving_default", "serve"]


def test_a_signature_without_inputs_is_left_out():
    reset = Signature("reset", (), (Tensor("ok", "bool", ()),))
    step = inspect(saved_model(signature("step"))).signatures
    assert names(choose_signatures({"reset": reset, **step}, None)) == ["step"]
    with pytest.raises(ConvertError, match="no signature takes an input: reset"):
        choose_signatures({"reset": reset}, None)


@pytest.mark.parametrize(("dtype", "text"), [(7, "string"), (8, "complex64"), (14, "bfloat16"), (99, "type 99")])
def test_types_that_no_tflite_input_has_are_refused_by_name(dtype, text):
    found = inspect(saved_model(signature("serving_default", dtype))).signatures["serving_default"]
    with pytest.raises(ConvertError, match=text):
        require_convertible(found)
