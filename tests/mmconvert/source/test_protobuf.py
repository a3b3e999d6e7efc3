import pytest

from mmconvert.source.protobuf import MalformedError, read_fields


def test_numbers_longer_than_ten_bytes_are_malformed():
    with pytest.raises(MalformedError):
        list(read_fields(memoryview(b"\x08" + b"\x80" * 11 + b"\x01")))
