"""What becomes of a SavedModel folder, for every policy and every box."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.snapshot import FolderSource
from mmdaemon.loader.route import Policy, is_to_be_converted
from mmwire.bundle import Bundle
from mmwire.errors import ModelError

SOURCE = FolderSource("det", None, "saved_model", Path("/m/det"), FileIdentity.of(Path(__file__).stat()))
BUNDLE = Bundle("Svd is no builtin", {})
BARE_BOX = Policy("auto", False, has_tensorflow=False, has_converter=False, has_gpu=False)
CPU_BOX = replace(BARE_BOX, has_tensorflow=True)
GPU_BOX = replace(CPU_BOX, has_gpu=True)


@pytest.mark.parametrize(
    ("bundle", "policy", "converted"),
    [
        (BUNDLE, CPU_BOX, False),
        (BUNDLE, GPU_BOX, False),
        (BUNDLE, replace(CPU_BOX, convert_on_drop=True, has_converter=True), False),
        (None, GPU_BOX, False),
        (None, replace(CPU_BOX, tensorflow="always"), False),
        (None, replace(GPU_BOX, convert_on_drop=True, has_converter=True), False),
        (None, replace(CPU_BOX, convert_on_drop=True, has_converter=True), True),
        (None, replace(BARE_BOX, has_gpu=True, convert_on_drop=True, has_converter=True), True),
    ],
)
def test_a_saved_model_is_served_or_converted(bundle: Bundle | None, policy: Policy, converted: bool) -> None:
    assert is_to_be_converted(SOURCE, bundle, policy) is converted


@pytest.mark.parametrize(
    ("bundle", "policy", "says", "hint"),
    [
        (None, BARE_BOX, "not served as it is", "mv /m/det ~/ && mmconvert ~/det --name det --publish /m"),
        (None, CPU_BOX, "not served as it is", "mv /m/det ~/ && mmconvert ~/det --name det --publish /m"),
        (None, replace(BARE_BOX, has_gpu=True), "TensorFlow is not installed", "mmdaemon[tensorflow]"),
        (None, replace(BARE_BOX, tensorflow="always"), "TensorFlow is not installed", "mmdaemon[tensorflow]"),
        (None, replace(CPU_BOX, convert_on_drop=True), "mmconvert's extra is not installed", "mmdaemon[convert]"),
        (None, replace(GPU_BOX, tensorflow="never"), "'never'", "mmconvert ~/det"),
        (BUNDLE, replace(GPU_BOX, tensorflow="never"), "'never'", "'auto'"),
        (BUNDLE, BARE_BOX, "Svd is no builtin", "mmdaemon[tensorflow]"),
    ],
)
def test_what_is_not_served_says_why_and_the_way_out(
    bundle: Bundle | None, policy: Policy, says: str, hint: str
) -> None:
    with pytest.raises(ModelError) as caught:
        is_to_be_converted(SOURCE, bundle, policy)
    assert says in caught.value.message and hint in caught.value.hint


def test_the_command_names_the_model_folder_of_a_versioned_model() -> None:
    source = replace(SOURCE, version=3, path=Path("/m/det/3"))
    with pytest.raises(ModelError) as caught:
        is_to_be_converted(source, None, CPU_BOX)
    assert "mv /m/det ~/ && mmconvert ~/det/3 --name det --publish /m" in caught.value.hint


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("/home/me/.venv", "pip install 'mmdaemon[tensorflow]'; then: mmctl load det"),
        ("/usr/lib/mmdaemon", "docs/operations.md"),
    ],
)
def test_the_hint_fits_how_the_daemon_was_installed(monkeypatch: pytest.MonkeyPatch, prefix: str, says: str) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    with pytest.raises(ModelError) as caught:
        is_to_be_converted(SOURCE, BUNDLE, BARE_BOX)
    assert says in caught.value.hint and caught.value.hint.endswith("then: mmctl load det")
    assert ("pip install" in caught.value.hint) == ("pip install" in says)
