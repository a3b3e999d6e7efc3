from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwire.flatbuffer import OutOfBoundsError, Table

FUZZ = settings(deadline=None, derandomize=True, max_examples=500)
# By hand, after the format's own description: root offset, a vtable, the table, a string, a vector of one table.
CONTENT = b"".join(
    (
        struct.pack("<I", 20),
        struct.pack("<HHHHHHH", 14, 28, 4, 8, 12, 20, 24),  # at 4: the vtable of five fields
        b"\0\0",
        struct.pack("<iBxxxIQ", 16, 200, 70_000, 2**40),  # at 20: the table
        struct.pack("<II", 8, 16),  # at 40 and 44: to the string at 48, to the vector at 60
        struct.pack("<I6sxx", 6, b"h\xc3\xa9\xff??"),
        struct.pack("<II", 1, 4),
        struct.pack("<i", 64),  # at 68: a table with the same vtable, cut short on purpose below
    )
)
WHOLE = CONTENT + bytes(24)


def test_a_table_by_hand() -> None:
    table = Table.root(WHOLE)

    assert (table.u8(0), table.u32(1), table.u64(2)) == (200, 70_000, 2**40)
    assert table.text(3) == "hé\ufffd??"
    assert table.vector(3, 1) == (52, 6)
    assert [item.u8(0) for item in table.tables(4)] == [0]


def test_absent_fields_are_empty() -> None:
    table = Table.root(WHOLE)

    assert (table.u8(9), table.u32(9), table.u64(9)) == (0, 0, 0)
    assert (table.vector(9, 4), table.text(9), list(table.tables(9))) == ((0, 0), "", [])


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_that_slices(kind: type) -> None:
    assert Table.root(kind(WHOLE)).text(3) == "hé\ufffd??"


def read_all(content: bytes) -> None:
    """Read every kind of field everywhere."""
    table = Table.root(content)
    for index in range(5):
        table.u8(index)
        table.u32(index)
        table.u64(index)
        table.text(index)
        table.vector(index, 8)
        for item in table.tables(index):
            item.text(3)


def read_known(content: bytes) -> None:
    table = Table.root(content)
    table.text(3)
    for item in table.tables(4):
        item.u64(2)


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_every_truncation_is_noticed(length: int) -> None:
    read_known(WHOLE)
    with pytest.raises(OutOfBoundsError):
        read_known(WHOLE[:length])


@FUZZ
@given(st.binary(max_size=120))
def test_whatever_the_bytes_only_one_error_escapes(content: bytes) -> None:
    try:
        read_all(content)
    except OutOfBoundsError:
        return


def test_every_flipped_bit_ends_or_says_out_of_bounds() -> None:
    refused = 0
    for bit in range(8 * len(WHOLE)):
        content = bytearray(WHOLE)
        content[bit // 8] ^= 1 << bit % 8
        try:
            read_all(bytes(content))
        except OutOfBoundsError:
            refused += 1

    assert refused


def test_a_vtable_before_the_start_is_out_of_bounds() -> None:
    with pytest.raises(OutOfBoundsError):
        Table.root(struct.pack("<Ii", 4, 5) + bytes(20))


def test_a_vtable_cut_short_is_out_of_bounds_though_no_slot_is_read() -> None:
    content = struct.pack("<IiHHHH", 4, -4, 8, 4, 0, 0)

    assert Table.root(content).u8(0) == 0
    with pytest.raises(OutOfBoundsError):
        Table.root(content[:-1])


def test_a_huge_count_is_refused_before_anything_is_made_of_it() -> None:
    content = bytearray(WHOLE)
    struct.pack_into("<I", content, 60, 2**32 - 1)

    with pytest.raises(OutOfBoundsError, match="4294967295 items"):
        list(Table.root(content).tables(4))
