"""Everything that people do to a model folder, against a real daemon. The neighbour serves throughout."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmwire.errors import MmError
from rig import tiny_tflite as tiny
from rig.daemon_process import QUICK, DaemonProcess
from rig.waiting import LIMIT_S, wait_for

ROW = np.ones((1, 4), np.float32)


def answer(daemon: DaemonProcess, name: str) -> float:
    with daemon.client() as client:
        return float(client.predict(name, ROW)["y"][0, 0])


@pytest.fixture(autouse=True)
def neighbour(daemon: DaemonProcess) -> object:
    daemon.deploy("neighbour", tiny.add_constant(1))
    yield
    assert answer(daemon, "neighbour") == 2.0
    assert daemon.process is not None and daemon.process.poll() is None


def quarantined(daemon: DaemonProcess, name: str) -> str:
    """Wait until a name is quarantined and return the reason."""

    def reason() -> str:
        try:
            shown = daemon.show(name)
        except MmError:
            return ""
        return str(shown.get("reason", "")) if shown["state"] == "quarantined" else ""

    return str(wait_for(f"{name} is quarantined", reason))


def test_a_file_that_is_dropped_serves(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(41))
    assert answer(daemon, "m") == 42.0


def test_a_model_of_another_format_is_told_with_the_command_until_a_tflite_lies_there(daemon: DaemonProcess) -> None:
    path = daemon.drop("ad01.h5", b"\x89HDF")
    command = f"mmconvert {path} --name ad01 --publish {daemon.models}"
    assert command in quarantined(daemon, "ad01")
    with daemon.client() as client, pytest.raises(MmError) as caught:
        client.wait("ad01", timeout=LIMIT_S)
    assert (caught.value.code, caught.value.hint) == ("MODEL_QUARANTINED", command)
    assert command in daemon.text()
    daemon.deploy("ad01", tiny.add_constant(41))
    assert answer(daemon, "ad01") == 42.0
    assert "reason" not in daemon.show("ad01")


@pytest.mark.parametrize("how", ["cp", "mv", "slow"])
def test_every_way_to_copy_a_file_in_serves(daemon: DaemonProcess, tmp_path: Path, how: str) -> None:
    data = tiny.add_constant(2, padding=200_000)
    source, target = tmp_path / "m.tflite", daemon.models / "m.tflite"
    source.write_bytes(data)
    if how == "cp":
        shutil.copyfile(source, target)
    elif how == "mv":
        source.rename(target)
    else:
        with target.open("wb") as file:
            for start in range(0, len(data), 50_000):
                file.write(data[start : start + 50_000])
                file.flush()
                daemon.names()  # a look of the daemon at every stage
    with daemon.client() as client:
        client.wait("m", timeout=LIMIT_S)
    assert answer(daemon, "m") == 3.0


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello, this is not a model\n", "not a TFLite file"),
        (tiny.add_constant(1, padding=5_000)[:3_000], "cut short"),
        (tiny.custom_op(), "MissingOp"),
        (tiny.of_dtype("string"), "string tensor"),
    ],
    ids=["empty", "text", "truncated", "custom-op", "string"],
)
def test_a_file_that_cannot_be_served_is_quarantined_with_its_reason(
    daemon: DaemonProcess, data: bytes, says: str
) -> None:
    daemon.drop("bad.tflite", data)
    assert says in quarantined(daemon, "bad")
    with daemon.client() as client, pytest.raises(MmError) as caught:
        client.predict("bad", ROW)
    assert caught.value.code == "MODEL_QUARANTINED" and says in caught.value.message
    with daemon.client() as client, pytest.raises(MmError) as caught:
        client.wait("bad", timeout=LIMIT_S)
    assert caught.value.code == "MODEL_QUARANTINED"


def test_a_truncated_file_that_grows_whole_serves(daemon: DaemonProcess) -> None:
    data = tiny.add_constant(5, padding=5_000)
    path = daemon.drop("m.tflite", data[:2_000])
    quarantined(daemon, "m")
    with path.open("ab") as file:
        file.write(data[2_000:])
    wait_for("the whole file serves", lambda: daemon.show("m")["state"] == "ready")
    assert answer(daemon, "m") == 6.0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.mkdir(), "is a folder; expected a regular file"),
        (os.mkfifo, "is a FIFO; expected a regular file"),
        (lambda path: path.symlink_to("/etc/passwd"), "leads out of the model folder"),
        (lambda path: path.symlink_to(path), "symlink"),
    ],
    ids=["folder", "fifo", "symlink-out", "symlink-loop"],
)
def test_what_is_no_file_is_named(daemon: DaemonProcess, make: Callable[[Path], None], says: str) -> None:
    make(daemon.models / "odd.tflite")
    assert says in quarantined(daemon, "odd")


def test_a_name_that_is_no_utf8_is_shown_and_hurts_nobody(daemon: DaemonProcess) -> None:
    path = os.fsencode(daemon.models) + b"/caf\xe9.tflite"
    with open(path, "wb") as file:  # noqa: PTH123 - a Path of such a name would do the same
        file.write(tiny.add_constant(1))
    shown = wait_for("it is listed", lambda: [name for name in daemon.names() if "caf" in name])
    assert shown == ["caf\\xe9"]
    assert "is not a model name" in daemon.show(shown[0])["reason"]


def test_a_file_that_the_daemon_may_not_read_gets_a_hint(tmp_path: Path) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("needs root and setpriv, to make a file that the daemon may not read")
    # Root without these two capabilities is held to the file's mode like anybody else.
    launcher = (setpriv, "--bounding-set=-dac_override,-dac_read_search")
    made = DaemonProcess(tmp_path / "made", environment=QUICK, launcher=launcher)
    try:
        made.start()
        path = made.models / ".m.part"
        path.write_bytes(tiny.add_constant(1))
        path.chmod(0o600)
        os.chown(path, 65534, 65534)
        path = path.rename(made.models / "secret.tflite")
        assert "chmod o+r" in quarantined(made, "secret")
        path.chmod(0o644)
        wait_for("it serves once it may be read", lambda: made.show("secret")["state"] == "ready")
        assert "Traceback" not in made.text()
    finally:
        made.kill()


def test_overwriting_in_place_while_it_serves_swaps_and_never_breaks(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1, padding=100_000))
    path = daemon.models / "m.tflite"
    for value in (2, 3, 4):
        with path.open("r+b") as file:
            file.write(b"\0" * 1_000)
            file.flush()
            assert answer(daemon, "m") == value, "the bytes from before serve on"
            file.seek(0)
            file.write(tiny.add_constant(value, padding=100_000))
        with daemon.client() as client:
            client.wait("m", version=value, timeout=LIMIT_S)
        assert answer(daemon, "m") == value + 1.0


def test_truncating_the_served_file_does_not_reach_what_serves(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1))
    os.truncate(daemon.models / "m.tflite", 10)
    wait_for("the change was seen", lambda: daemon.show("m")["versions"][0]["state"] == "quarantined")
    shown = daemon.show("m")
    assert (shown["state"], shown["version"]) == ("ready", 1)
    assert answer(daemon, "m") == 2.0


def test_deleting_retires_after_the_grace_time(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1))
    (daemon.models / "m.tflite").unlink()
    assert answer(daemon, "m") == 2.0
    wait_for("it is gone", lambda: "m" not in daemon.names())
    with daemon.client() as client, pytest.raises(MmError) as caught:
        client.predict("m", ROW)
    assert caught.value.code == "MODEL_NOT_FOUND"


def test_rm_then_cp_is_a_deployment_without_an_outage(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1))
    (daemon.models / "m.tflite").unlink()
    daemon.names()
    daemon.drop("m.tflite", tiny.add_constant(2))
    seen = set()
    with daemon.client() as client:
        while 3.0 not in seen:
            seen.add(float(client.predict("m", ROW)["y"][0, 0]))
    assert seen <= {2.0, 3.0}
    assert daemon.show("m")["version"] == 2


def test_an_emptied_folder_retires_nothing(daemon: DaemonProcess) -> None:
    (daemon.models / "neighbour.tflite").unlink()
    with daemon.client() as client:
        wait_for("it is noticed", lambda: client.status()["state"] == "degraded")
    assert answer(daemon, "neighbour") == 2.0


def test_a_vanished_folder_retires_nothing_and_may_come_back(daemon: DaemonProcess) -> None:
    away = daemon.folder / "away"
    daemon.models.rename(away)
    with daemon.client() as client:
        wait_for("it is noticed", lambda: client.status()["state"] == "degraded")
    assert answer(daemon, "neighbour") == 2.0
    away.rename(daemon.models)
    with daemon.client() as client:
        wait_for("it is back", lambda: client.status()["state"] == "ready")
    daemon.deploy("later", tiny.add_constant(3))
    assert answer(daemon, "later") == 4.0


def test_version_folders_and_their_fallback(daemon: DaemonProcess) -> None:
    daemon.drop("m/1/model.tflite", tiny.add_constant(1))
    with daemon.client() as client:
        assert client.wait("m", timeout=LIMIT_S)["version"] == 1
        daemon.drop("m/12/model.tflite", tiny.add_constant(12))
        assert client.wait("m", version=12, timeout=LIMIT_S)["version"] == 12
    assert answer(daemon, "m") == 13.0
    shutil.rmtree(daemon.models / "m" / "12")
    wait_for("version 1 serves again", lambda: daemon.show("m")["version"] == 1)
    assert answer(daemon, "m") == 2.0


def test_two_layouts_for_one_name_are_a_conflict_and_the_serving_one_stays(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1))
    daemon.drop("m/7/model.tflite", tiny.add_constant(7))
    wait_for("the conflict shows", lambda: "two layouts" in daemon.show("m").get("reason", ""))
    assert answer(daemon, "m") == 2.0
    (daemon.models / "m.tflite").unlink()
    wait_for("the layout that is left serves", lambda: daemon.show("m")["version"] == 7)
    assert answer(daemon, "m") == 8.0


def test_a_saved_model_folder_is_named_with_the_command_to_run(daemon: DaemonProcess) -> None:
    (daemon.models / "net" / "variables").mkdir(parents=True)
    (daemon.models / "net" / "saved_model.pb").write_bytes(b"\x08\x01")
    reason = quarantined(daemon, "net")
    assert f"mv {daemon.models}/net ~/ && mmconvert ~/net --name net --publish {daemon.models}" in reason


def test_hidden_and_unfinished_names_are_not_looked_at(daemon: DaemonProcess) -> None:
    for name in (".m.tflite", "m.tflite.part", "m.tflite.tmp"):
        (daemon.models / name).write_bytes(b"no model")
    daemon.deploy("other", tiny.add_constant(1))
    assert daemon.names() == ["neighbour", "other"]


def test_labels_and_options_beside_the_model(daemon: DaemonProcess) -> None:
    (daemon.models / "m.labels.txt").write_text("cat\ndog\n")
    (daemon.models / "m.toml").write_text("threads = 2\nimage_mean = 127.5\n")
    daemon.deploy("m", tiny.add_constant(1, labels="from\nwithin\n"))
    shown = daemon.show("m")
    assert shown["labels"] == ["cat", "dog"]
    assert (shown["options"]["threads"], shown["options"]["image_mean"]) == (2, 127.5)
    (daemon.models / "m.labels.txt").unlink()
    wait_for("the labels within the file show", lambda: daemon.show("m")["labels"] == ["from", "within"])
    assert answer(daemon, "m") == 2.0


def test_a_bad_options_file_is_named_with_the_nearest_key(daemon: DaemonProcess) -> None:
    (daemon.models / "m.toml").write_text("thread = 2\n")
    daemon.drop("m.tflite", tiny.add_constant(1))
    assert "m.toml: unknown key 'thread' (did you mean threads?)" in quarantined(daemon, "m")
    (daemon.models / "m.toml").write_text("threads = 2\n")
    wait_for("it serves once mended", lambda: daemon.show("m")["state"] == "ready")


def test_unload_and_load_and_a_restart_between(daemon: DaemonProcess) -> None:
    with daemon.client() as client:
        daemon.deploy("m", tiny.add_constant(1))
        assert client.unload("m")["state"] in ("unloaded", "retiring")
        with pytest.raises(MmError) as caught:
            client.predict("m", ROW)
        assert caught.value.code == "MODEL_UNLOADED"
    assert daemon.stop() == 0
    daemon.start()
    assert daemon.show("m")["state"] == "unloaded"
    with daemon.client() as client:
        client.load("m")
    assert answer(daemon, "m") == 2.0


def test_a_restart_serves_the_same_version_without_trying_it_again(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1))
    daemon.deploy("m", tiny.add_constant(2), version=2)
    before = daemon.show("m")
    daemon.stop()
    daemon.start()
    with daemon.client() as client:
        after = client.wait("m", timeout=LIMIT_S)
    assert (after["version"], after["sha256"]) == (2, before["sha256"])
    assert not daemon.children(), "the verdict was known: no probe was started"
    daemon.deploy("new", tiny.add_constant(3))
    assert daemon.children(), "a new model is tried"


@pytest.mark.parametrize("slip", ["torn", "empty", "options"])
def test_after_a_restart_the_last_good_bytes_serve_where_the_file_cannot(daemon: DaemonProcess, slip: str) -> None:
    (daemon.models / "m.toml").write_text("max_queue = 7\n")
    daemon.deploy("m", tiny.add_constant(1))
    sha256 = daemon.show("m")["sha256"]
    daemon.kill()
    if slip == "options":
        (daemon.models / "m.toml").write_text("thraeds = 2\n")
    else:
        whole = tiny.add_constant(2, padding=5_000)
        (daemon.models / "m.tflite").write_bytes(whole[: 3_000 if slip == "torn" else 0])
    daemon.start()
    wait_for("it serves and tells why", lambda: (m := daemon.show("m"))["state"] == "ready" and "reason" in m)
    shown = daemon.show("m")
    assert (shown["sha256"], shown["options"]["max_queue"]) == (sha256, 7)
    assert answer(daemon, "m") == 2.0
    (daemon.models / "m.toml").unlink()
    daemon.deploy("m", tiny.add_constant(3))
    assert answer(daemon, "m") == 4.0 and "reason" not in daemon.show("m")


def test_a_damaged_blob_is_never_served(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1))
    sha256 = daemon.show("m")["sha256"]
    daemon.stop()
    blob = daemon.store / "blobs" / sha256
    data = bytearray(blob.read_bytes())
    data[-20] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(data)
    daemon.start()
    with daemon.client() as client:
        assert client.wait("m", timeout=LIMIT_S)["sha256"] == sha256, "copied again from the folder"
    assert answer(daemon, "m") == 2.0


def test_the_store_keeps_the_serving_version_and_the_one_before(daemon: DaemonProcess) -> None:
    for version in (1, 2, 3, 4):
        daemon.deploy("m", tiny.add_constant(version), version=version)
    wait_for(
        "the blobs of versions 1 and 2 are gone",
        lambda: len(list((daemon.store / "blobs").iterdir())) == 3,  # and the neighbour's
    )
    assert oct((daemon.store).stat().st_mode & 0o777) == "0o700"


def test_several_models_load_at_the_same_time_beside_a_slow_copy(daemon: DaemonProcess) -> None:
    names = [f"m{number}" for number in range(8)]
    for number, name in enumerate(names):
        daemon.drop(f"{name}.tflite", tiny.add_constant(number))
    with daemon.client() as client:
        for number, name in enumerate(names):
            client.wait(name, timeout=LIMIT_S)
            assert client.predict(name, ROW)["y"][0, 0] == number + 1


def test_a_killed_probe_helper_is_replaced(daemon: DaemonProcess) -> None:
    """Kill the helper that tries models: the daemon lives and starts another."""
    [helper] = daemon.children()
    os.kill(helper, signal.SIGKILL)
    daemon.deploy("second", tiny.add_constant(2))
    assert answer(daemon, "second") == 3.0
