from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmconvert.pack.seal import seal
from mmwire.errors import MmError, ModelError
from mmwire.tflite import (
    DIGEST_BYTES,
    DIGEST_ENTRY,
    LABELS_ENTRY,
    PROVENANCE_ENTRY,
    ModelState,
    content_digest,
    outline,
    verify_content,
)

REAL_MODELS = Path(os.environ.get("MM_REAL_MODELS") or Path(__file__).parents[3] / "shared" / "models")
MOST_S = 5.0  # of a crafted file; without the cap it is hours


def build(
    metadata: Sequence[tuple[str, bytes]] = (), is_variable: bool = False, operator_code: int = 0, description: str = ""
) -> bytes:
    """Return a valid model that adds two tensors of two floats."""
    model = schema.ModelT()
    model.version = 3
    model.description = description or None
    code = schema.OperatorCodeT()
    code.builtinCode = operator_code
    code.deprecatedBuiltinCode = min(operator_code, 127)
    model.operatorCodes = [code]
    graph = schema.SubGraphT()
    graph.tensors = []
    for name in ("a", "b", "sum"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, [1, 2], schema.TensorType.FLOAT32
        tensor.isVariable = is_variable and name == "b"
        graph.tensors.append(tensor)
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1], [2]
    graph.operators, graph.inputs, graph.outputs = [operator], [0, 1], [2]
    model.subgraphs = [graph]
    model.buffers = [schema.BufferT()]
    model.metadata = []
    for name, data in metadata:
        entry, buffer = schema.MetadataT(), schema.BufferT()
        entry.name, entry.buffer, buffer.data = name, len(model.buffers), list(data)
        model.metadata.append(entry)
        model.buffers.append(buffer)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def build_signed() -> bytes:
    """Return a model with labels, provenance and digest, written by the schema's own code."""
    entries = [(LABELS_ENTRY, b"yes\nno"), (PROVENANCE_ENTRY, b"{}"), (DIGEST_ENTRY, bytes(DIGEST_BYTES))]
    content = bytearray(build(entries))
    offset, length = place = outline(content).metadata[DIGEST_ENTRY]
    content[offset : offset + length] = content_digest(content, place)
    return bytes(content)


SIGNED = {"schema": build_signed(), "mmconvert": seal(build(), ["yes", "no"], {})}


def refusal(content: bytes) -> str:
    """Return the code with which a file is refused, empty when it passes; anything but an MmError escapes."""
    try:
        verify_content(content, outline(content))
    except MmError as error:
        return error.code
    return ""


def test_a_valid_file() -> None:
    file = outline(build())

    assert (file.metadata, file.state) == ({}, ModelState.NONE)
    assert file.entry(build(), LABELS_ENTRY) is None


def test_metadata_is_found_by_name() -> None:
    content = build([("other", b"xyz"), (LABELS_ENTRY, b"yes\nno"), ("empty", b"")])
    file = outline(content)

    assert file.entry(content, LABELS_ENTRY) == b"yes\nno"
    assert file.entry(memoryview(content), "other") == b"xyz"
    assert file.entry(content, "empty") == b""


def test_an_entry_with_an_endless_name_is_passed_over() -> None:
    content = build([("n" * 300, b"a"), ("known", b"b")])

    assert set(outline(content).metadata) == {"known"}


@pytest.mark.parametrize(
    ("is_variable", "operator_code", "state"),
    [
        (False, 0, ModelState.NONE),
        (True, 0, ModelState.VARIABLES),
        (False, 141, ModelState.NONE),
        (False, 142, ModelState.RESOURCES),
        (True, 144, ModelState.RESOURCES),
        (False, 145, ModelState.NONE),
    ],
)
def test_the_outline_tells_where_a_model_keeps_state(is_variable: bool, operator_code: int, state: ModelState) -> None:
    assert schema.BuiltinOperator.VAR_HANDLE == 142
    assert schema.BuiltinOperator.ASSIGN_VARIABLE == 144

    assert outline(build(is_variable=is_variable, operator_code=operator_code)).state is state


@pytest.mark.parametrize("content", [b"", b"TFL3", b"PK\x03\x04zipped", bytes(100), b"\x1c\0\0\0TFL2" + bytes(50)])
def test_other_bytes_are_not_a_tflite_file(content: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        outline(content)

    assert caught.value.code == "MODEL_INVALID"
    assert caught.value.hint


@pytest.mark.parametrize(
    "content",
    [build(), build([("min_runtime_version", b"1.5.0")], is_variable=True), *SIGNED.values()],
    ids=["bare", "metadata", *SIGNED],
)
def test_every_truncation_is_refused(content: bytes) -> None:
    whole = len(content.rstrip(b"\0"))  # behind it there is nothing but alignment
    for length in range(whole):
        with pytest.raises(ModelError) as caught:
            outline(content[:length])
        assert caught.value.code == "MODEL_INVALID", length


@pytest.mark.parametrize("name", SIGNED)
def test_a_signed_file_verifies_and_an_unsigned_one_has_no_digest(name: str) -> None:
    assert verify_content(SIGNED[name], outline(SIGNED[name]))
    assert verify_content(memoryview(SIGNED[name]), outline(SIGNED[name]))
    assert not verify_content(build(), outline(build()))


@pytest.mark.parametrize("name", SIGNED)
def test_every_flipped_bit_of_a_signed_file_is_refused(name: str) -> None:
    """Also one that hits the digest entry's name, or the way to it: the file still names ``mmconvert``'s entries."""
    content = bytearray(SIGNED[name])
    assert refusal(bytes(content)) == ""

    codes: set[str] = set()
    for bit in range(8 * len(content)):
        content[bit // 8] ^= 1 << bit % 8
        code = refusal(bytes(content))
        assert code in ("MODEL_INVALID", "DIGEST_MISMATCH"), f"bit {bit % 8} of byte {bit // 8}"
        codes.add(code)
        content[bit // 8] ^= 1 << bit % 8

    assert codes == {"MODEL_INVALID", "DIGEST_MISMATCH"}


@pytest.mark.parametrize("name", SIGNED)
def test_losing_the_digest_entry_does_not_make_a_file_unsigned(name: str) -> None:
    content = SIGNED[name].replace(DIGEST_ENTRY.encode(), b"XX_DIGEST")

    assert DIGEST_ENTRY not in outline(content).metadata
    assert refusal(content) == "DIGEST_MISMATCH"


@pytest.mark.parametrize("digest", [b"", bytes(31), bytes(33), bytes(32)])
def test_an_entry_that_is_not_a_digest_is_refused(digest: bytes) -> None:
    assert refusal(build([(DIGEST_ENTRY, digest)])) == "DIGEST_MISMATCH"


def test_random_damage_ends_in_a_typed_error_or_not_at_all() -> None:
    chance = random.Random(20)
    content = build([("min_runtime_version", b"1.5.0"), ("other", bytes(40))], is_variable=True)
    for _ in range(3000):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(damaged))
            damaged[place] = chance.choice((0, 1, 4, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        refusal(bytes(damaged))


class Crafted:
    """A file of one's own tables, written from its start to its end."""

    def __init__(self) -> None:
        self.content = bytearray(b"\0\0\0\0TFL3")

    def table(self, *fields: int) -> int:
        """Append a table with these 32-bit fields, present or not by whether they are -1; return its place."""
        present = [index for index, value in enumerate(fields) if value >= 0]
        offsets = [4 + 4 * present.index(index) if index in present else 0 for index in range(len(fields))]
        vtable = len(self.content)
        self.content += struct.pack(f"<HH{len(fields)}H", 4 + 2 * len(fields), 4 + 4 * len(present), *offsets)
        self.content += bytes(-len(self.content) % 4)
        place = len(self.content)
        self.content += struct.pack(f"<i{len(present)}I", place - vtable, *(fields[index] for index in present))
        return place

    def vector(self, count: int) -> int:
        place = len(self.content)
        self.content += struct.pack("<I", count) + bytes(4 * count)
        return place

    def link(self, place: int, target: int) -> None:
        struct.pack_into("<I", self.content, place, target - place)

    def link_all(self, vector: int, count: int, target: int) -> None:
        for place in range(vector + 4, vector + 4 + 4 * count, 4):
            self.link(place, target)


@pytest.mark.parametrize("field", [0, 3])
def test_a_tensor_whose_shape_or_name_leads_out_of_the_file(field: int) -> None:
    file = Crafted()
    model = file.table(-1, -1, 0)
    file.link(0, model)
    subgraphs = file.vector(1)
    file.link(model + 4, subgraphs)
    subgraph = file.table(0)
    file.link(subgraphs + 4, subgraph)
    tensors = file.vector(1)
    file.link(subgraph + 4, tensors)
    tensor = file.table(*[-1] * field, 0)
    file.link(tensors + 4, tensor)
    file.link(tensor + 4, file.vector(3))
    content = bytes(file.content)
    outline(content)

    with pytest.raises(ModelError):
        outline(content[: -4 * 3])


def crafted_subgraphs(count: int) -> bytes:
    """``count`` subgraphs that are one, with ``count`` tensors that are one."""
    file = Crafted()
    model = file.table(-1, -1, 0)
    file.link(0, model)
    subgraphs = file.vector(count)
    file.link(model + 4, subgraphs)
    subgraph = file.table(0)
    tensors = file.vector(count)
    file.link(subgraph + 4, tensors)
    tensor = file.table(-1, -1, -1, 0)
    name = file.vector(count // 4)
    file.link(tensor + 4, name)
    file.link_all(subgraphs, count, subgraph)
    file.link_all(tensors, count, tensor)
    return bytes(file.content)


def crafted_metadata(count: int, name_bytes: int) -> bytes:
    """``count`` metadata entries that share one name."""
    file = Crafted()
    model = file.table(-1, -1, -1, -1, 0, -1, 0)
    file.link(0, model)
    buffers, entries = file.vector(count), file.vector(count)
    file.link(model + 4, buffers)
    file.link(model + 8, entries)
    buffer, entry = file.table(-1), file.table(0)
    name = file.vector(name_bytes // 4)
    struct.pack_into("<I", file.content, name, name_bytes)
    file.link(entry + 4, name)
    file.link_all(buffers, count, buffer)
    file.link_all(entries, count, entry)
    return bytes(file.content)


@pytest.mark.parametrize(
    ("content", "is_refused"),
    [
        pytest.param(crafted_subgraphs(100_000), True, id="subgraphs"),
        pytest.param(crafted_subgraphs(1_000), True, id="small"),
        pytest.param(crafted_metadata(45_000, 400_000), False, id="long-names"),
        pytest.param(crafted_metadata(60_000, 256), True, id="entries"),
    ],
)
def test_a_crafted_file_is_walked_in_a_bounded_time(content: bytes, is_refused: bool) -> None:
    assert len(content) < 1_100_000
    started = time.monotonic()
    try:
        outline(content)
    except ModelError as error:
        assert is_refused and "refer to more than" in error.message
    else:
        assert not is_refused

    assert time.monotonic() - started < MOST_S


def test_a_table_that_holds_itself_is_visited_a_bounded_number_of_times() -> None:
    file = Crafted()
    model = file.table(0, -1, 0)
    file.link(0, model)
    vector = file.vector(40)
    file.link(model + 4, vector)
    file.link(model + 8, vector)
    for place in range(vector + 4, vector + 4 + 160, 4):
        struct.pack_into("<I", file.content, place, (model - place) % 2**32)

    with pytest.raises(ModelError):
        outline(bytes(file.content))


def real_models() -> list[Any]:
    paths = sorted(REAL_MODELS.glob("*.tflite"))
    if not paths:
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no .tflite in {REAL_MODELS}: set MM_REAL_MODELS"))]
    return [pytest.param(path, id=path.stem) for path in paths]


@pytest.mark.real_models
@pytest.mark.parametrize("path", real_models())
def test_real_models_pass_and_lose_their_last_bytes_only_with_notice(path: Path) -> None:
    content = path.read_bytes()
    file = outline(content)
    assert not verify_content(content, file)
    archive = content.rfind(b"PK\x05\x06")  # associated files, zipped behind the graph: not the outline's
    end = len(content) if archive < 0 else content.find(b"PK\x03\x04", archive - 100_000)

    for cut in (1, 2, 3, 4, 7, 8, 16, 100, 1000, end // 2):
        with pytest.raises(ModelError):
            outline(content[: end - cut])
