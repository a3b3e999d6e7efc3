import json
import struct
import zlib

import pytest

from mmwire.errors import ModelError
from mmwire.golden import Golden, GoldenTensor, pack_goldens, parse_goldens

ONE = Golden(
    "serving_default",
    (GoldenTensor("x", "int8", (1, 3), b"\x01\x02\x03"), GoldenTensor("scale", "float32", (), b"\0\0\x80?")),
    (GoldenTensor("y", "float32", (1, 2), bytes(8), 0.25),),
)
TWO = Golden("other", (GoldenTensor("x", "bool", (0, 4), b""),), (GoldenTensor("ä", "int16", (2,), b"abcd", 3.0),))


def test_goldens_come_back_as_they_were_and_give_the_same_bytes() -> None:
    packed = pack_goldens([ONE, TWO])
    assert parse_goldens(packed) == [ONE, TWO]
    assert pack_goldens([ONE, TWO]) == packed
    assert parse_goldens(pack_goldens([])) == []


def test_a_newer_format_is_passed_over() -> None:
    text = json.dumps({"format": 2, "anything": 1}).encode()
    assert parse_goldens(struct.pack("<I", len(text)) + text) == []


def test_a_damaged_entry_is_refused_wherever_the_damage_is() -> None:
    packed = pack_goldens([ONE])
    for length in range(len(packed)):
        with pytest.raises(ModelError) as caught:
            parse_goldens(packed[:length])
        assert caught.value.code == "MODEL_INVALID", length


@pytest.mark.parametrize(
    "field", [{"shape": [1, 300]}, {"dtype": "string"}, {"shape": [-1, -3]}, {"tolerance": None}, {"shape": "x"}]
)
def test_a_header_that_lies_is_refused(field: dict[str, object]) -> None:
    packed = pack_goldens([ONE])
    (length,) = struct.unpack_from("<I", packed)
    header = json.loads(packed[4 : 4 + length])
    header["goldens"][0]["inputs"][0] |= field
    text = json.dumps(header).encode()
    with pytest.raises(ModelError, match="goldens are damaged"):
        parse_goldens(struct.pack("<I", len(text)) + text + packed[4 + length :])


def test_a_bomb_is_not_unpacked() -> None:
    text = json.dumps({"format": 1, "goldens": []}).encode()
    with pytest.raises(ModelError, match="more than"):
        parse_goldens(struct.pack("<I", len(text)) + text + zlib.compress(bytes(1 << 28)))
