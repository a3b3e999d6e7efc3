import json

import pytest

from mmconvert.pack.seal import seal
from mmwire.errors import ModelError
from mmwire.tflite import outline, verify_content


def test_a_sealed_file_verifies_and_every_changed_byte_is_found(tiny_tflite, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    sealed = seal(tiny_tflite, ["ant", "bée"], {"signature": "serving_default"})
    found = outline(sealed)
    assert verify_content(sealed, found)
    assert list(found.metadata)[-1] == "MM_DIGEST"
    assert found.entry(sealed, "MM_LABELS").decode() == "ant\nbée"
    assert json.loads(found.entry(sealed, "MM_PROVENANCE")) == {"format": 1, "signature": "serving_default"}
    assert seal(tiny_tflite, ["ant", "bée"], {"signature": "serving_default"}) == sealed
    for position in range(0, len(sealed), 37):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        with pytest.raises(ModelError) as caught:
            assert verify_content(damaged, outline(damaged)), "the digest is gone"
            pytest.fail(f"byte {position} can change unseen")
        assert caught.value.code in ("DIGEST_MISMATCH", "MODEL_INVALID")


def test_the_time_is_only_told_when_it_is_set_from_outside(tiny_tflite, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    sealed = seal(tiny_tflite, [], {})
    found = outline(sealed)
    assert json.loads(found.entry(sealed, "MM_PROVENANCE"))["time"] == "1970-01-02T00:00:00+00:00"
    assert "MM_LABELS" not in found.metadata
