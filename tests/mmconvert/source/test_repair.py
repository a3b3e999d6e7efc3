from mmconvert.source.inspection import inspect
from mmconvert.source.protobuf import encode_bytes
from mmconvert.source.repair import repair, strip_slots
from rig.saved_model_proto import SERVING, saved_model, signature, varint

SLOT = encode_bytes(3, varint(1, 1) + encode_bytes(2, b"m"))
NODE = encode_bytes(1, encode_bytes(1, b"child") + SLOT + SLOT + encode_bytes(4, b"kept"))


def test_slots_are_stripped_and_nothing_else():
    with_slots = saved_model(signature("serving_default"), object_graph=NODE * 3)
    assert inspect(with_slots).slot_variables == 6
    clean = encode_bytes(1, encode_bytes(1, b"child") + encode_bytes(4, b"kept"))
    assert strip_slots(with_slots) == saved_model(signature("serving_default"), object_graph=clean * 3)


def test_repair_works_on_a_copy(tmp_path):
    folder, workspace = tmp_path / "model", tmp_path / "work"
    (folder / "variables").mkdir(parents=True)
    workspace.mkdir()
    model = saved_model(signature("serving_default"), object_graph=NODE)
    (folder / "saved_model.pb").write_bytes(model)
    (folder / "variables" / "variables.index").write_bytes(b"index")
    copy, repairs = repair(folder, model, inspect(model), workspace)
    assert copy.is_relative_to(workspace) and "2 optimizer slots" in repairs[0]
    assert inspect((copy / "saved_model.pb").read_bytes()).slot_variables == 0
    assert (copy / "variables" / "variables.index").read_bytes() == b"index"
    assert (folder / "saved_model.pb").read_bytes() == model


def test_nothing_to_repair_copies_nothing(tmp_path):
    assert repair(tmp_path, SERVING, inspect(SERVING), tmp_path) == (tmp_path, [])
    assert list(tmp_path.iterdir()) == []
