"""The table of handles: numbers are reused for the same signature, bounded, and never given twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmdaemon.listener.handle import MAX_HANDLES, Handles
from mmwire.errors import MmError
from mmwire.tensor import SignatureSpec, TensorSpec

SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4)),), (TensorSpec("y", "int8", (-1, 4)),))
WIDER = replace(SPEC, inputs=(TensorSpec("x", "int8", (-1, 8)),))


def refusal(handles: Handles, number: int) -> MmError:
    with pytest.raises(MmError) as caught:
        handles.use(number, 0.0)
    return caught.value


def test_the_same_signature_keeps_its_number() -> None:
    handles = Handles()
    first = handles.open("m", SPEC, 0, 0.0)
    again = handles.open("m", replace(SPEC), 0, 1.0)
    assert again is first
    assert len(handles) == 1


def test_another_model_signature_or_version_has_a_number_of_its_own() -> None:
    handles = Handles()
    opened = [
        handles.open(model, spec, version, 0.0)
        for model in ("m", "n")
        for spec in (SPEC, replace(SPEC, name="encode"))
        for version in (0, 3)
    ]
    assert [handle.number for handle in opened] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_other_tensors_get_another_number_and_the_old_one_is_let_go() -> None:
    handles = Handles()
    old = handles.open("m", SPEC, 0, 0.0)
    new = handles.open("m", WIDER, 0, 1.0)
    assert (old.number, new.number, len(handles)) == (1, 2, 1)
    assert refusal(handles, old.number).code == "SPECS_CHANGED"
    assert handles.use(new.number, 2.0).spec == WIDER


def test_the_least_recently_used_makes_room() -> None:
    handles = Handles()
    for number in range(MAX_HANDLES):
        handles.open(f"m{number}", SPEC, 0, float(number))
    handles.use(1, 5000.0)
    handles.open("m1", SPEC, 0, 5001.0)  # opening again counts as use
    one_more = handles.open("one more", SPEC, 0, 5002.0)
    assert len(handles) == MAX_HANDLES
    assert one_more.number == MAX_HANDLES + 1
    assert handles.use(1, 5003.0).model == "m0"
    assert handles.use(2, 5003.0).model == "m1"
    error = refusal(handles, 3)
    assert (error.code, error.retryable, error.hint) == ("SPECS_CHANGED", True, "open the model again")


@pytest.mark.parametrize("number", [0, 2, 4_294_967_295])
def test_a_number_that_was_never_given_is_the_clients_mistake(number: int) -> None:
    handles = Handles()
    handles.open("m", SPEC, 0, 0.0)
    error = refusal(handles, number)
    assert (error.code, error.retryable) == ("BAD_REQUEST", False)
    assert str(number) in error.message
