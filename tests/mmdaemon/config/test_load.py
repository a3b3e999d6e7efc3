"""Defaults, file, environment, flags; and what a mistake says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.config.load import changes, load_config
from mmdaemon.config.schema import Config, default_paths
from mmwire.errors import ConfigError


@pytest.fixture
def base(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "models").mkdir()
    return {"paths.models": str(tmp_path / "models"), "paths.socket": str(tmp_path / "s")}


def load(base: dict[str, str], text: str = "", file: Path | None = None, **environment: str) -> Config:
    if text:
        file = Path(base["paths.models"]).parent / "config.toml"
        file.write_text(text)
    return load_config(file, environment, base)


def test_later_sources_win(base: dict[str, str], tmp_path: Path) -> None:
    text = f'[paths]\nmodels = "/nowhere"\nstore = "{tmp_path}/a"\n[limits]\nmax_queue = 5\nmax_connections = 6\n'
    config = load(base, text, MMDAEMON_LIMITS_MAX_QUEUE="7", MMDAEMON_PATHS_STORE=f"{tmp_path}/b")
    assert (config.limits.max_connections, config.limits.max_queue) == (6, 7)
    assert config.paths.store == tmp_path / "b"
    assert config.paths.models == tmp_path / "models"
    assert config.models.settle_ms == 200


def test_zero_means_everything_that_the_box_has(base: dict[str, str]) -> None:
    config = load(base)
    assert 1 <= config.limits.cores <= len(os.sched_getaffinity(0))
    assert config.models.load_threads >= 2
    assert config.probe.memory_mb > 0
    assert load(base, MMDAEMON_LIMITS_CORES="1").limits.cores == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[limits]\nmax_que = 5\n", "limits.max_que is not known (did you mean limits.max_queue?)"),
        ("[limit]\nmax_queue = 5\n", "section [limit] is not known (did you mean limits?)"),
        ("max_queue = 5\n", "section [max_queue] is not known"),
        ('[limits]\nmax_queue = "5"\n', "limits.max_queue: expected a whole number, got '5'"),
        ("[limits]\nmax_queue = true\n", "expected a whole number, got True"),
        ("[limits]\nmax_queue = 0\n", "expected 1 to 1000000, got 0"),
        ("[models]\nrescan_s = nan\n", "expected 0.1 to 86400, got nan"),
        ('[socket]\nmode = "rw"\n', "expected octal permissions like 0660, got 'rw'"),
        ('[service]\nlog_level = "loud"\n', "expected one of debug, info, warning, error, got 'loud'"),
        ('[paths]\nstore = ""\n', "expected a path, got an empty text"),
        ("[limits\n", "is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(base: dict[str, str], text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(base, text)
    assert says in str(caught.value) and caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MMDAEMON_LIMITS_MAX_QUEUE", "many", "MMDAEMON_LIMITS_MAX_QUEUE: expected a whole number, got 'many'"),
        ("MMDAEMON_LIMITS_MAX_QUEU", "5", "did you mean MMDAEMON_LIMITS_MAX_QUEUE?"),
        ("MMDAEMON_NONSENSE", "5", "environment variable MMDAEMON_NONSENSE is not known"),
    ],
)
def test_a_mistake_in_the_environment_is_named(base: dict[str, str], name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(base, **{name: value})
    assert says in str(caught.value)


def test_a_file_that_was_given_must_be_there(base: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"cannot read {tmp_path}/c\\.toml"):
        load(base, file=tmp_path / "c.toml")


def test_a_model_folder_that_was_given_must_be_there(base: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, {}, base | {"paths.models": f"{tmp_path}/none"})
    assert f"mkdir -p {tmp_path}/none" in caught.value.hint


def test_the_daemon_makes_its_default_model_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    config = load_config(None, {"HOME": str(tmp_path / "home")}, {})
    assert config.paths.models == tmp_path / "models" and config.paths.models.is_dir()


@pytest.mark.skipif(default_paths({}, 0).models.exists(), reason="this box has the default folder for root")
def test_the_default_model_folder_for_root_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(ConfigError, match="is not there"):
        load_config(None, {}, {})


@pytest.mark.parametrize("store", ["models", "models/store", "."])
def test_the_store_and_the_model_folder_are_apart(base: dict[str, str], tmp_path: Path, store: str) -> None:
    with pytest.raises(ConfigError, match="lie in one another"):
        load_config(None, {}, base | {"paths.store": str(tmp_path / store)})


def test_a_model_file_in_place_of_the_folder_gets_the_folder_as_hint(base: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "kws.tflite"
    file.write_bytes(b"")
    with pytest.raises(ConfigError, match="expected the folder that holds the models, got the file") as caught:
        load_config(None, {}, base | {"paths.models": str(file)})
    assert caught.value.hint == f"give its folder: {tmp_path}"


def test_a_socket_path_that_linux_cannot_take_is_refused(base: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="Linux allows 107"):
        load_config(None, {}, base | {"paths.socket": "/tmp/" + "x" * 103})
    load_config(None, {}, base | {"paths.socket": "/tmp/" + "x" * 102})


@pytest.mark.parametrize(
    ("uid", "environment", "expected"),
    [
        (0, {"HOME": "/root"}, ("/var/lib/mmdaemon/models", "/var/lib/mmdaemon/store", "/run/mmdaemon.sock")),
        (7, {"HOME": "/h"}, ("{cwd}/models", "/h/.local/state/mmdaemon", "/tmp/mmdaemon-7/mmdaemon.sock")),
        (
            7,
            {"HOME": "/h", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"},
            ("{cwd}/models", "/s/mmdaemon", "/r/mmdaemon.sock"),
        ),
    ],
)
def test_default_places(uid: int, environment: dict[str, str], expected: tuple[str, ...]) -> None:
    paths = default_paths(environment, uid)
    cwd = str(Path.cwd())
    assert (str(paths.models), str(paths.store), str(paths.socket)) == tuple(
        text.replace("{cwd}", cwd) for text in expected
    )


def test_changes_are_sorted_into_live_and_restart(base: dict[str, str]) -> None:
    old = load(base)
    new = load(base, MMDAEMON_MODELS_RESCAN_S="1", MMDAEMON_LIMITS_MAX_CONNECTIONS="1")
    assert changes(old, new) == (["models.rescan_s"], ["limits.max_connections"])
    assert changes(old, old) == ([], [])


def test_the_description_is_toml_that_reads_back(base: dict[str, str], tmp_path: Path) -> None:
    config = load(base, MMDAEMON_LIMITS_MAX_QUEUE="9")
    file = tmp_path / "again.toml"
    file.write_text(config.describe())
    again: Any = load_config(file, {}, {})
    assert again == config
