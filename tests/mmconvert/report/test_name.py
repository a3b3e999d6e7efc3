import pytest

from mmconvert.report.name import layer_of, operation_of, shorten


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("model/conv2d/Relu;model/conv2d/BiasAdd;model/conv2d/Conv2D1", "conv2d"),
        (
            "functional_1/depthwise_conv2d/depthwise;functional_1/depthwise_conv2d/BiasAdd/ReadVariableOp1;",
            "depthwise_conv2d",
        ),
        ("model/block_1/expand/Conv2D", "block_1/expand"),
        ("StatefulPartitionedCall:0", "StatefulPartitionedCall:0"),
        ("model/Relu", "Relu"),
        ("", ""),
    ],
)
def test_the_layer_is_read_from_the_tensors_name(tensor, layer):
    assert layer_of(tensor) == layer


def test_an_operation_is_not_named_twice():
    output = "model/depthwise_conv2d_1/BiasAdd"
    assert operation_of({"op": "DEPTHWISE_CONV_2D", "output": output}) == "depthwise_conv2d_1"
    assert operation_of({"op": "ADD", "output": output}) == "depthwise_conv2d_1 (add)"


def test_a_name_is_cut_at_its_beginning():
    assert shorten("block_1/expand", 14) == "block_1/expand"
    assert shorten("block_1/expand", 7) == "…expand" and shorten("abc", 1).startswith("…")
