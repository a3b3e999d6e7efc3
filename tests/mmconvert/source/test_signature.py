import pytest

from mmconvert.source.inspection import inspect
from mmconvert.source.signature import Signature, Tensor, choose_signatures, require_convertible
from mmwire.errors import ConvertError, RequestError
from rig.saved_model_proto import saved_model, signature


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


def test_a_function_that_keras_exports_twice_is_converted_once():
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
def test_types_that_a_tflite_input_cannot_have_are_refused_by_name(dtype, text):
    found = inspect(saved_model(signature("serving_default", dtype))).signatures["serving_default"]
    with pytest.raises(ConvertError, match=text):
        require_convertible(found)
