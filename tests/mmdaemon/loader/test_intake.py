"""Taking bytes in: SavedModel folders as they are or converted, held to their digests; blobs that were lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mmdaemon.folder.scan import scan
from mmdaemon.folder.snapshot import FolderSource
from mmdaemon.loader.intake import Door
from mmdaemon.loader.route import Policy
from mmdaemon.store.archive import is_archive
from mmdaemon.store.layout import Layout
from mmdaemon.store.store import Store
from mmwire.errors import ModelError
from rig import tiny_tflite as tiny

SERVED = Policy("auto", convert_on_drop=False, has_tensorflow=True, has_converter=False, has_gpu=False)
CONVERTED = Policy("auto", convert_on_drop=True, has_tensorflow=False, has_converter=True, has_gpu=False)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def door(models: Path, policy: Policy, converted: Path | None = None) -> Door:
    """Return a door to a store beside the models; a conversion gives the file that is named."""
    layout = Layout(models.parent / "store")
    layout.prepare()

    @contextmanager
    def convert(source: Path, name: str) -> Iterator[Path]:
        assert (source, name) == (models / "saved", "saved") and converted is not None
        yield converted

    return Door(Store(layout), convert, lambda: policy, 1 << 30)


def saved_model(models: Path, digest: str = "") -> FolderSource:
    """Put a SavedModel folder there, with mmconvert's own file if there is a digest."""
    folder = models / "saved"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"a graph")
    if digest:
        files = {"saved_model.pb": digest}
        (folder / "mmconvert.json").write_text(json.dumps({"made_by": "mmconvert", "reason": "Svd", "files": files}))
    [source] = scan(models).sources["saved"]
    assert isinstance(source, FolderSource)
    return source


def test_a_saved_model_that_mmconvert_handed_over_is_kept_as_it_is(models: Path) -> None:
    source, at = saved_model(models, hashlib.sha256(b"a graph").hexdigest()), door(models, SERVED)
    number, sha256 = at.intake(source).copy()
    with at.store.blobs.open(sha256) as blob:
        assert number == 1 and is_archive(blob.fd)
    assert at.intake(source).known() == (1, sha256)


def test_a_saved_model_that_changed_since_it_was_handed_over_is_refused(models: Path) -> None:
    source = saved_model(models, hashlib.sha256(b"another graph").hexdigest())
    with pytest.raises(ModelError) as caught:
        door(models, SERVED).intake(source).copy()
    assert caught.value.code == "DIGEST_MISMATCH"


def test_a_saved_model_is_kept_as_what_it_was_converted_to(models: Path, tmp_path: Path) -> None:
    converted = tmp_path / "converted.tflite"
    converted.write_bytes(tiny.add_constant(1))
    _, sha256 = door(models, CONVERTED, converted).intake(saved_model(models)).copy()
    assert sha256 == hashlib.sha256(converted.read_bytes()).hexdigest()


def test_options_and_labels_that_are_too_large_are_refused(models: Path) -> None:
    (models / "m.tflite").write_bytes(tiny.add_constant(1))
    for suffix in ("toml", "labels.txt"):
        (models / f"m.{suffix}").write_text("#" * (17 << 20))
    [source] = scan(models).sources["m"]
    intake = door(models, SERVED).intake(source)
    for read in (intake.options, intake.labels):
        with pytest.raises(ModelError, match="too large"):
            read()
