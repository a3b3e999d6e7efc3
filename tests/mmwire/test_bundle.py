from __future__ import annotations

import json

import pytest

from mmwire.bundle import Bundle, pack_bundle, parse_bundle

GOOD = {"made_by": "mmconvert", "reason": "Svd", "files": {"saved_model.pb": "00"}}


def test_a_bundle_of_mmconvert_is_read() -> None:
    assert parse_bundle(json.dumps(GOOD).encode()) == Bundle("Svd", {"saved_model.pb": "00"})


def test_a_packed_bundle_is_read_back_and_has_the_same_bytes_each_time() -> None:
    bundle = Bundle("Svd", {"a/b": "00"}, "FULL_TF", ["one"], {"f": {"inputs": []}}, {"versions": {"numpy": "2"}})
    data = pack_bundle(bundle)
    assert parse_bundle(data) == Bundle("Svd", {"a/b": "00"}) and data == pack_bundle(bundle)
    document = json.loads(data)
    assert list(document)[:4] == ["made_by", "format", "verdict", "reason"]
    assert (document["evidence"], document["provenance"]) == (["one"], {"versions": {"numpy": "2"}})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        json.dumps(GOOD | {"made_by": "somebody"}).encode(),
        json.dumps(GOOD | {"files": ["saved_model.pb"]}).encode(),
        json.dumps(GOOD | {"files": {"saved_model.pb": 1}}).encode(),
        json.dumps(GOOD | {"files": {"/etc/passwd": "00"}}).encode(),
        json.dumps(GOOD | {"files": {"a/../../b": "00"}}).encode(),
        json.dumps(GOOD | {"reason": 1}).encode(),
    ],
)
def test_anything_else_is_not_a_bundle(data: bytes) -> None:
    assert parse_bundle(data) is None
