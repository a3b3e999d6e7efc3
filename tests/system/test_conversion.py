"""Conversion on the box, and full TensorFlow under the service's confinement."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import saved_models
from rig.booted_box import MODELS, Box

INBOX = "/var/lib/mmdaemon/inbox"
CONVERTER = "/usr/lib/mmdaemon/convert"
TENSORFLOW = "/usr/lib/mmdaemon-tensorflow"
DROP_IN = "/etc/systemd/system/mmdaemon.service.d"
EXAMPLE = "/usr/share/doc/mmdaemon/examples/tensorflow.conf"


@pytest.fixture(scope="module")
def tensorflow(box: Box) -> Iterator[str]:
    """TensorFlow for the box's Python, lent by this environment."""
    version = box.run("python3", "-c", "import sys; print(*sys.version_info[:2])").stdout.split()
    if version != [str(number) for number in sys.version_info[:2]]:
        pytest.skip(f"the box's Python {'.'.join(version)} cannot use this environment's TensorFlow")
    found = importlib.util.find_spec("tensorflow")
    assert found is not None and found.origin is not None
    packages = Path(found.origin).parents[1]
    if box.run("test", "-d", str(packages), check=False).returncode:
        pytest.skip(f"the box has a /tmp of its own and does not see {packages}: check out elsewhere")
    box.run("mkdir", TENSORFLOW)
    box.run("mount", "--bind", "-o", "ro", str(packages), TENSORFLOW)
    yield TENSORFLOW
    box.run("rm", "-rf", f"{DROP_IN}/tensorflow.conf")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "mmdaemon")
    box.run("umount", TENSORFLOW)
    box.run("rmdir", TENSORFLOW)


@pytest.fixture(scope="module")
def converter(box: Box, tensorflow: str) -> Iterator[str]:
    """The converter, installed where its unit looks for it."""
    box.run("python3", "-m", "venv", "--without-pip", CONVERTER)
    version = f"python3.{sys.version_info.minor}"
    packages = Path(f"{CONVERTER}/lib/{version}/site-packages")
    box.put(packages / "lent.pth", f"/usr/lib/mmdaemon/lib/{version}/site-packages\n{tensorflow}\n".encode())
    command = f"#!{CONVERTER}/bin/python\nimport sys\nfrom mmconvert.cli.main import main\nsys.exit(main())\n"
    box.put(Path(f"{CONVERTER}/bin/mmconvert"), command.encode())
    box.run("chmod", "755", f"{CONVERTER}/bin/mmconvert")
    yield CONVERTER
    box.run("rm", "-r", CONVERTER)
    box.run("sh", "-c", f"rm -rf {INBOX}/* {MODELS}/double.tflite")


@pytest.fixture(scope="module")
def folder(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SavedModels, inside the box."""
    made = saved_models.make(tmp_path_factory.mktemp("saved"))
    inside = Path("/tmp/saved")
    box.run("mkdir", str(inside))
    for path in sorted(made.rglob("*")):
        place = inside / path.relative_to(made)
        if path.is_dir():
            box.run("mkdir", str(place))
        else:
            box.put(place, path.read_bytes())
    return inside


def convert(box: Box, name: str) -> tuple[bool, str]:
    """Have the unit convert what lies in the inbox; return whether that succeeded, and what it said."""
    unit = f"mmdaemon-convert@{name}.service"
    started = box.run("systemctl", "start", unit, check=False)
    return started.returncode == 0, box.run("journalctl", "--no-pager", "--output=cat", "-u", unit).stdout


def test_the_inbox_is_converted_without_network_and_published(box: Box, converter: str, folder: Path) -> None:
    box.run("cp", "--recursive", str(folder / "plain"), f"{INBOX}/double", user="alice")
    succeeded, said = convert(box, "double")
    assert succeeded and "LITE_FLOAT" in said, said
    box.wait("double")
    assert box.predict("double") == [2, 4, 6, 8]


def test_what_lite_cannot_express_is_handed_over_and_served_by_tensorflow(
    box: Box, converter: str, tensorflow: str, folder: Path
) -> None:
    box.run("install", "-D", "-m", "644", EXAMPLE, f"{DROP_IN}/tensorflow.conf")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "mmdaemon")
    box.run("cp", "--recursive", str(folder / "svd"), f"{INBOX}/svd", user="alice")
    succeeded, said = convert(box, "svd")
    assert succeeded and "FULL_TF" in said, said
    box.wait("svd")
    rows = json.dumps([[[float(row == column) for column in range(8)] for row in range(8)]])
    done = box.run("sh", "-c", f"echo '{rows}' | mmctl --json predict svd -i -", user="alice")
    assert json.loads(done.stdout)["outputs"][0]["data"] == [pytest.approx([1] * 8)]
    box.run("rm", "-r", f"{MODELS}/svd")


def test_a_conversion_that_fails_says_why_and_leaves_nothing(box: Box, converter: str) -> None:
    box.run("mkdir", f"{INBOX}/broken", user="alice")
    box.run("sh", "-c", f"head -c 10000 /dev/urandom > {INBOX}/broken/saved_model.pb", user="alice")
    succeeded, said = convert(box, "broken")
    assert not succeeded and "saved_model.pb" in said and "Traceback" not in said, said
    assert "broken" not in box.run("ls", MODELS).stdout
