"""A ``saved_model.pb`` byte by byte, made without TensorFlow."""

from mmconvert.source.protobuf import encode_bytes


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
