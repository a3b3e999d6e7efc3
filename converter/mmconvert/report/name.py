"""Readable names of tensors: TensorFlow's converter joins the names of all operations that it fused into one."""

from __future__ import annotations

from collections.abc import Mapping


def layer_of(tensor: str) -> str:
    """Return the layer that a tensor comes from.

    ``model/conv/Relu;model/conv/BiasAdd;model/conv/Conv2D1`` gives ``conv``. It is the last of the joined names without
    the model's name and the names of TensorFlow's operations, which begin with a capital letter.
    """
    path = (tensor.rstrip(";").rpartition(";")[2] or tensor).split("/")
    if len(path) > 1:
        path = path[1:]
    while len(path) > 1 and path[-1][:1].isupper():
        path.pop()
    return "/".join(path)


def operation_of(item: Mapping[str, str]) -> str:
    """Return the layer of an operation, with the operation's name where the layer's name does not contain it."""
    layer, op = layer_of(item["output"]), item["op"].lower()
    return layer if op.replace("_", "") in layer.replace("_", "") else f"{layer} ({op})"


def shorten(text: str, most: int) -> str:
    """Return the text; one with more than ``most`` letters loses its beginning, since names differ at their end."""
    return text if len(text) <= most else "…" + text[len(text) - max(1, most - 1) :]
