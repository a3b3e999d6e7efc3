from __future__ import annotations

import json
import re

import pytest

from mmwire import errors
from mmwire.errors import (
    CODES,
    EXIT_BUG,
    EXIT_RETRYABLE,
    FAMILIES,
    CapacityError,
    ConvertError,
    InternalError,
    MmError,
    RemoteWireError,
    RequestError,
    error_from_dict,
    error_text,
)


def test_a_code_belongs_to_one_family() -> None:
    assert sum(len(family.family) for family in FAMILIES) == len(CODES)


def test_every_family_of_the_tree_is_listed() -> None:
    defined = {
        cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, MmError) and cls.family
    }

    assert defined == set(FAMILIES)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_name_a_meaning_and_an_exit_status_that_fits(code: str) -> None:
    entry = CODES[code]

    assert re.fullmatch(r"[A-Z]+(_[A-Z0-9]+)*", code)
    assert entry.meaning
    assert entry.retryable == (entry.exit_status == EXIT_RETRYABLE)


def test_a_capacity_error_is_always_retryable() -> None:
    assert all(code.retryable for code in CapacityError.family.values())


@pytest.mark.parametrize("code", CODES)
def test_an_error_survives_the_wire(code: str) -> None:
    family = next(family for family in FAMILIES if code in family.family)
    sent = family(code, "expected a, got b", "do c")

    got = error_from_dict(sent.as_dict())

    assert type(got) is family
    assert got.as_dict() == sent.as_dict()
    assert got.exit_status == CODES[code].exit_status


def test_the_sender_may_overrule_whether_a_code_is_retryable() -> None:
    sent = RequestError("BAD_REQUEST", "not yet", retryable=True)

    assert error_from_dict(sent.as_dict()).retryable


def test_the_code_of_a_newer_peer_keeps_its_text_and_whether_to_retry() -> None:
    got = error_from_dict({"code": "MOON_FULL", "message": "too bright", "hint": "wait", "retryable": True})

    assert isinstance(got, InternalError)
    assert (got.code, got.message, got.hint, got.retryable) == ("INTERNAL", "MOON_FULL: too bright", "wait", True)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"code": "INTERNAL"},
        {"code": 7, "message": "m"},
        {"code": "INTERNAL", "message": None},
        {"code": "INTERNAL", "message": "m", "hint": ["h"]},
        {"code": ["INTERNAL"], "message": "m"},
    ],
)
def test_fields_that_are_not_an_error_break_the_protocol(fields: dict[str, object]) -> None:
    with pytest.raises(RemoteWireError) as caught:
        error_from_dict(fields)

    assert caught.value.code == "BAD_FRAME"
    assert caught.value.exit_status == EXIT_BUG


def test_text_carries_the_hint() -> None:
    assert str(ConvertError("PARITY_FAILED", "0.2 apart", "give more data")) == "0.2 apart (give more data)"
    assert str(ConvertError("PARITY_FAILED", "0.2 apart")) == "0.2 apart"


def test_the_text_of_an_error_is_lines_for_people_or_one_document() -> None:
    error = RequestError("MODEL_NOT_FOUND", "no model named 'kwß'", "mmctl ls lists the models")

    assert error_text(error, "mmctl") == "mmctl: no model named 'kwß'\nhint: mmctl ls lists the models"
    assert error_text(RequestError("BAD_INPUT", "x is empty"), "mmctl") == "mmctl: x is empty"
    assert json.loads(error_text(error, "mmctl", as_json=True)) == {"error": error.as_dict()}
