"""What every release since 0.1 wrote, this one reads, and means the same by it. ``make_golden.py`` wrote the files."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mmdaemon
from mmdaemon.config.load import load_config
from mmdaemon.store.archive import pack, require_files
from mmdaemon.store.layout import Layout
from mmdaemon.store.ledger import Ledger
from mmdaemon.store.trial import TrialResult
from mmwire.bundle import parse_bundle
from mmwire.golden import GOLDEN_ENTRY, parse_goldens
from mmwire.manifest import ModelOptions, parse_options
from mmwire.tflite import outline, verify_content
from rig.daemon_process import QUICK, DaemonProcess

GOLDEN = Path(__file__).with_name("golden")
WEIGHTS = np.float32([[1, 0, -1], [0, 1, 0], [0.5, 0, 0.5], [0, -1, 1]])  # those of make_golden.py
LABELS = ["ant", "bée", "cat"]


@pytest.fixture(params=sorted(path.name for path in GOLDEN.iterdir()))
def golden(request: pytest.FixtureRequest) -> Path:
    """The golden files of one release."""
    return GOLDEN / str(request.param)


@pytest.fixture
def store(golden: Path, tmp_path: Path) -> Path:
    """A copy of the store that a release left."""
    return Path(shutil.copytree(golden / "store", tmp_path / "store"))


@pytest.fixture
def daemon(golden: Path, store: Path, tmp_path: Path) -> Iterator[DaemonProcess]:
    """A daemon of this release on that store, and on a folder whose files tell nothing new."""
    made = DaemonProcess(tmp_path, environment=QUICK)
    for name in ("flat", "gone"):
        (made.models / f"{name}.tflite").write_bytes(b"a bad copy")
    try:
        yield made.start()
        assert "Traceback" not in made.text(), made.text()
    finally:
        made.kill()


def test_this_release_has_its_own() -> None:
    release = ".".join(mmdaemon.__version__.split(".")[:2])
    assert (GOLDEN / release).is_dir(), "run tests/compatibility/make_golden.py"


def test_the_records_of_names(store: Path) -> None:
    records = Ledger(Layout(store)).load_all()
    assert sorted(records) == ["broken", "flat", "gone", "numbered"]
    assert list((store / "names").glob("*.corrupt")) == []
    flat = records["flat"]
    assert (flat.next_version, sorted(flat.versions), flat.serving, flat.previous) == (4, [1, 2, 3], 3, 2)
    blobs = {path.name for path in (store / "blobs").iterdir()}
    assert {flat.versions[2].sha256, flat.versions[3].sha256} == flat.blobs() <= blobs
    assert {version.layout for version in flat.versions.values()} == {"flat"}
    assert not flat.unloaded
    numbered = records["numbered"]
    assert (numbered.serving, numbered.versions[7].layout, numbered.next_version) == (7, "versioned", 8)
    gone = records["gone"]
    assert (gone.unloaded, gone.versions[1].options["max_instances"]) == (True, 1)
    assert records["broken"].serving is None


def test_the_results_of_trials(store: Path) -> None:
    found = {
        path.name.partition("-")[0]: TrialResult.from_dict(json.loads(path.read_bytes()))
        for path in (store / "verdicts").iterdir()
    }
    records = Ledger(Layout(store)).load_all()
    good = found[records["flat"].versions[3].sha256]
    [signature] = good.signatures
    assert good.ok and signature["signature"] == "serving_default"
    assert [(one["name"], one["dtype"], one["shape"]) for one in signature["inputs"]] == [("x", "float32", [-1, 4])]
    bad = found[records["broken"].versions[1].sha256]
    assert (bad.ok, bad.error().code, bad.phase) == (False, "MODEL_INVALID", "load")


def test_the_store_serves_what_served(daemon: DaemonProcess) -> None:
    with daemon.client() as client:
        assert client.predict("flat", np.zeros((1, 4), np.float32), version=3)["y"].tolist() == [[3, 3, 3, 3]]
        assert client.show("gone")["state"] == "unloaded"


def test_every_key_of_the_configuration(golden: Path, tmp_path: Path) -> None:
    written = tomllib.loads((golden / "config.toml").read_text())
    config = load_config(golden / "config.toml", {}, {"paths.models": str(tmp_path)})
    read = {section: {key: getattr(getattr(config, section), key) for key in keys} for section, keys in written.items()}
    assert read.pop("paths") == {
        "models": tmp_path,
        "store": Path(written["paths"]["store"]),
        "socket": Path(written["paths"]["socket"]),
    }
    del written["paths"]
    assert read == written


def test_the_options_of_a_model(golden: Path) -> None:
    options = parse_options((golden / "kws.toml").read_text())
    assert options == ModelOptions(
        threads=2,
        max_instances=3,
        isolation="process",
        max_queue=40,
        max_run_s=5.5,
        image_mean=127.5,
        image_scale=127.5,
    )


def test_a_sealed_model_is_verified_and_answers_as_it_did(golden: Path, daemon: DaemonProcess) -> None:
    data = (golden / "linear.tflite").read_bytes()
    file = outline(data)
    assert verify_content(data, file), "it has its digest"
    assert file.entry(data, "MM_LABELS").decode().split("\n") == LABELS
    provenance = json.loads(file.entry(data, "MM_PROVENANCE"))
    assert (provenance["format"], provenance["quantize"]) == (1, "int8")
    goldens = parse_goldens(file.entry(data, GOLDEN_ENTRY))
    assert goldens and all(one.signature == "serving_default" for one in goldens)
    daemon.deploy("linear", data)  # tried with its goldens
    assert daemon.show("linear")["labels"] == LABELS
    x = np.float32([[0.5, -0.5, 1.0, 0.25]])
    with daemon.client() as client:
        y = client.predict("linear", x, dequantize=True)["y"]
    assert np.abs(y - x @ WEIGHTS).max() < 0.1
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    daemon.drop("linear.tflite", bytes(damaged))
    with daemon.client() as client, pytest.raises(Exception, match=r"digest|damaged|changed"):
        client.wait("linear", timeout=30)


def test_a_bundle_for_full_tensorflow(golden: Path, tmp_path: Path) -> None:
    bundle = parse_bundle((golden / "svd/mmconvert.json").read_bytes())
    assert bundle is not None and "Svd has no TFLite form" in bundle.reason
    assert {"saved_model.pb", "variables/variables.index"} < set(bundle.files)
    blob = tmp_path / "blob"
    with blob.open("wb") as file:
        pack(golden / "svd", file.write)
    require_files(str(blob), bundle.files)
