from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.scan import scan
from mmdaemon.folder.snapshot import Snapshot


def put(path: Path, data: bytes = b"model") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def the_problem(snapshot: Snapshot) -> tuple[str, str, str]:
    (problem,) = snapshot.problems
    return problem.name, problem.error.code, str(problem.error)


def test_a_flat_file(models: Path) -> None:
    path = put(models / "kws.tflite")
    snapshot = scan(models)
    assert (snapshot.available, snapshot.problems, snapshot.is_empty) == (True, [], False)
    (source,) = snapshot.sources["kws"]
    assert (source.name, source.version, source.kind, source.layout) == ("kws", None, "tflite", "flat")
    assert (source.path, source.identity) == (path, FileIdentity.of(path.stat()))


def test_a_saved_model_and_its_identity(models: Path) -> None:
    put(models / "big/saved_model.pb")
    weights = put(models / "big/variables/variables.data-00000-of-00001")
    (before,) = scan(models).sources["big"]
    assert (before.version, before.kind, before.path, before.layout) == (None, "saved_model", models / "big", "flat")
    put(weights, b"longer than it was")
    (after,) = scan(models).sources["big"]
    assert after.identity != before.identity


def test_versions_in_order(models: Path) -> None:
    put(models / "m/10/model.tflite")
    put(models / "m/9/saved_model.pb")
    put(models / "m/9/variables/variables.index")
    sources = scan(models).sources["m"]
    assert [(source.version, source.kind) for source in sources] == [(9, "saved_model"), (10, "tflite")]
    assert sources[0].path == models / "m/9"
    assert sources[1].path == models / "m/10/model.tflite"
    assert sources[1].layout == "versioned"


def test_files_that_are_being_copied_are_ignored(models: Path) -> None:
    for name in (".hidden.tflite", "a.tflite.part", "b.tflite.tmp", ".rsync.tflite.XyZ", "README.md", "c.labels.txt"):
        put(models / name)
    (models / "empty").mkdir()
    (models / "half/1").mkdir(parents=True)
    put(models / "half/2/model.tflite.part")
    put(models / "lost+found/#123")
    snapshot = scan(models)
    assert snapshot.available
    assert snapshot.is_empty


def test_sidecars(models: Path) -> None:
    put(models / "m.tflite")
    labels, options = put(models / "m.labels.txt", b"cat\n"), put(models / "m.toml", b"threads = 1\n")
    (source,) = scan(models).sources["m"]
    assert source.labels is not None
    assert source.options is not None
    assert (source.labels.path, source.labels.identity) == (labels, FileIdentity.of(labels.stat()))
    assert source.options.path == options


def test_a_folder_with_the_name_of_a_sidecar_is_a_problem_and_the_model_stays(models: Path) -> None:
    put(models / "m.tflite")
    (models / "m.toml").mkdir()
    snapshot = scan(models)
    assert snapshot.sources["m"][0].options is None
    assert the_problem(snapshot)[:2] == ("m", "MODEL_UNREADABLE")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "fifo"])
def test_something_else_with_a_models_name(models: Path, make: Callable[[Path], None]) -> None:
    make(models / "x.tflite")
    snapshot = scan(models)
    assert the_problem(snapshot)[:2] == ("x", "MODEL_UNREADABLE")
    assert "x" not in snapshot.sources


def test_a_symlink_within_the_folder_is_the_file_it_leads_to(models: Path) -> None:
    put(models / "..2026/m.tflite")  # as a mounted ConfigMap lays it out
    (models / "..data").symlink_to("..2026")
    (models / "m.tflite").symlink_to("..data/m.tflite")
    snapshot = scan(models)
    assert snapshot.problems == []
    assert snapshot.sources["m"][0].path == models / "..2026/m.tflite"


@pytest.mark.parametrize("name", ["m.tflite", "m"])
def test_a_symlink_out_of_the_folder(models: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "elsewhere"
    put(target / "1/model.tflite")
    (models / name).symlink_to(target / "1/model.tflite" if name.endswith("e") else target)
    snapshot = scan(models)
    name, code, text = the_problem(snapshot)
    assert (name, code) == ("m", "MODEL_UNREADABLE")
    assert f"leads out of the model folder, to {target}" in text
    assert snapshot.sources == {}


def test_a_version_that_leads_out_of_the_folder(models: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/model.tflite")
    put(models / "m/1/model.tflite")
    (models / "m/2").symlink_to(tmp_path / "elsewhere")
    snapshot = scan(models)
    assert "leads out" in the_problem(snapshot)[2]
    assert [source.version for source in snapshot.sources["m"]] == [1]


@pytest.mark.parametrize("target", ["nowhere", "m.tflite"], ids=["dangling", "circle"])
def test_a_symlink_that_cannot_be_followed(models: Path, target: str) -> None:
    (models / "m.tflite").symlink_to(target)
    assert "cannot be followed" in the_problem(scan(models))[2]


def test_a_folder_that_is_itself_a_symlink(models: Path, tmp_path: Path) -> None:
    put(models / "m.tflite")
    (tmp_path / "link").symlink_to(models)
    assert scan(tmp_path / "link").sources["m"][0].path == models / "m.tflite"


@pytest.mark.parametrize(
    ("layouts", "places"),
    [
        (("m.tflite", "m/1/model.tflite"), ("m.tflite", "m/1/model.tflite")),
        (("m.tflite", "m/saved_model.pb"), ("m.tflite", "m")),
        (("m/saved_model.pb", "m/1/model.tflite"), ("m", "m/1/model.tflite")),
        (("m/1/saved_model.pb", "m/1/model.tflite"), ("m/1", "m/1/model.tflite")),
    ],
)
def test_two_layouts_are_a_conflict_that_lists_both(
    models: Path, layouts: tuple[str, ...], places: tuple[str, ...]
) -> None:
    for layout in layouts:
        put(models / layout)
    snapshot = scan(models)
    name, code, text = the_problem(snapshot)
    assert (name, code) == ("m", "MODEL_CONFLICT")
    assert f"{models / places[0]}, " in text or f"{models / places[0]} (" in text
    assert str(models / places[1]) in text
    assert {source.path for source in snapshot.sources["m"]} == {models / place for place in places}


def test_names_that_no_model_can_have(models: Path) -> None:
    put(Path(os.fsdecode(os.fsencode(models) + b"/caf\xe9.tflite")))
    put(models / "two words.tflite")
    put(models / "line\nbreak/1/model.tflite")
    snapshot = scan(models)
    assert [problem.name for problem in snapshot.problems] == ["caf\\xe9", "line\\nbreak", "two words"]
    assert all(problem.error.code == "MODEL_INVALID" for problem in snapshot.problems)
    assert all(text.isprintable() for problem in snapshot.problems for text in (problem.path_text, str(problem.error)))
    assert snapshot.sources == {}


def test_a_suffix_in_capitals_is_a_problem(models: Path) -> None:
    put(models / "Big.TFLITE")
    name, code, text = the_problem(scan(models))
    assert (name, code) == ("Big", "MODEL_INVALID") and "rename it to Big.tflite" in text


@pytest.mark.parametrize(
    ("place", "says"),
    [("m/model.tflite", "no known layout"), ("m/007/model.tflite", "not a version"), ("m/new/saved_model.pb", "not a")],
)
def test_a_model_in_a_wrong_place_is_a_problem(models: Path, place: str, says: str) -> None:
    put(models / place)
    name, code, text = the_problem(scan(models))
    assert (name, code) == ("m", "MODEL_INVALID")
    assert says in text


@pytest.mark.parametrize("beside", ["ad01.tflite", "ad01/1/model.tflite", "ad01/saved_model.pb", "ad01.TFLITE"])
def test_a_foreign_model_is_a_problem_only_while_no_other_file_claims_its_name(models: Path, beside: str) -> None:
    put(models / "ad01.h5")
    (problem,) = scan(models).problems
    assert (problem.name, problem.is_foreign, problem.path_text) == ("ad01", True, str(models / "ad01.h5"))
    put(models / beside)
    assert not [problem for problem in scan(models).problems if problem.is_foreign]


def test_unreadable_files_and_folders(models: Path, unprivileged: Callable[[], AbstractContextManager[None]]) -> None:
    put(models / "good.tflite")
    closed = [put(models / "a.tflite"), put(models / "b/1/model.tflite").parent, put(models / "c/1/model.tflite")]
    for path in closed:
        path.chmod(0o000)
    try:
        with unprivileged():
            snapshot = scan(models)
    finally:
        for path in closed:
            path.chmod(0o755)
    assert [(problem.name, problem.error.code) for problem in snapshot.problems] == [
        (name, "MODEL_UNREADABLE") for name in "abc"
    ]
    assert all("chmod o+" in problem.error.hint for problem in snapshot.problems)
    assert list(snapshot.sources) == ["good"]


def test_a_folder_that_is_gone_or_closed_is_not_empty(
    models: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    gone = scan(models / "gone")
    assert (gone.available, gone.sources) == (False, {})
    assert "No such file" in gone.reason
    assert not scan(put(models / "file")).available
    models.chmod(0o000)
    try:
        with unprivileged():
            closed = scan(models)
    finally:
        models.chmod(0o755)
    assert not closed.available
    assert "Permission denied" in closed.reason


def test_a_file_that_goes_away_during_the_scan_is_just_gone(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(models / "a.tflite")
    put(models / "b.tflite")
    listed = list(models.iterdir())
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(listed))
    (models / "a.tflite").unlink()
    snapshot = scan(models)
    assert snapshot.problems == []
    assert list(snapshot.sources) == ["b"]
