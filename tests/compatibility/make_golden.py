"""Writes the golden files of the release that this process imports: ``python tests/compatibility/make_golden.py``.

They go to ``golden/MAJOR.MINOR`` beside this file, and every later release must read them. A release writes its files
once: the command refuses to replace a folder. It takes the converter's environment and half a minute.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import mmdaemon

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from rig import tiny_tflite as tiny  # noqa: E402 - beside, but not inside, the package that is imported
from rig.daemon_process import DaemonProcess  # noqa: E402
from rig.release import Release, ReleaseDaemon  # noqa: E402
from rig.waiting import LIMIT_S, wait_for  # noqa: E402

OPTIONS = """\
threads = 2
max_instances = 3
isolation = "process"
max_queue = 40
max_run_s = 5.5
image_mean = 127.5
image_scale = 127.5
"""
CONFIG = """\
[paths]
models = "/srv/models"
store = "/srv/store"
socket = "/srv/socket"

[socket]
mode = "0666"
group = "root"

[limits]
cores = 1
max_connections = 7
max_queue = 11
max_queued_mb = 12
max_request_mb = 13
max_output_mb = 14
max_run_s = 15.5
client_stall_s = 16.5

[models]
rescan_s = 17.5
settle_ms = 18
unfinished_s = 19.5
retire_grace_s = 20.5
max_model_mb = 21
load_threads = 2
tensorflow = "never"
convert_on_drop = true

[probe]
memory_mb = 220
wall_s = 23.5
cpu_s = 24

[executor]
device = "cpu"
memory_mb = 250
total_mb = 260
idle_s = 27.5
start_s = 28.5

[service]
drain_s = 29.5
log_level = "warning"
"""
WEIGHTS = np.float32([[1, 0, -1], [0, 1, 0], [0.5, 0, 0.5], [0, -1, 1]])
LABELS = "ant\nbée\ncat\n"


def main() -> int:
    target = HERE / "golden" / ".".join(mmdaemon.__version__.split(".")[:2])
    if target.exists():
        print(f"{target} is there: the golden files of a release never change", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        made.mkdir()
        (made / "config.toml").write_text(CONFIG)
        (made / "kws.toml").write_text(OPTIONS)
        make_store(Path(folder) / "box", made / "store")
        make_models(Path(folder), made)
        shutil.copytree(made, target)
    return 0


def make_store(box: Path, target: Path) -> None:
    """Have a daemon fill a store, and keep it."""
    daemon = ReleaseDaemon(Release("this", (Path(mmdaemon.__file__).parents[1],)), box)
    daemon.start()
    try:
        fill_store(daemon)
    finally:
        daemon.stop()
    for name in ("names", "verdicts", "blobs"):
        shutil.copytree(daemon.store / name, target / name)


def fill_store(daemon: DaemonProcess) -> None:
    for number in (1, 2, 3):
        daemon.deploy("flat", tiny.add_constant(number), version=number)
    daemon.drop("numbered/7/model.tflite", tiny.add_constant(7))
    (daemon.models / "gone.toml").write_text("max_instances = 1\n")
    daemon.drop("gone.tflite", tiny.add_constant(9))
    daemon.drop("broken.tflite", tiny.custom_op())
    with daemon.client() as client:
        for name in ("numbered", "gone"):
            client.wait(name, timeout=LIMIT_S)
        client.unload("gone")
        wait_for("it is refused", lambda: client.show("broken")["state"] == "quarantined")


def make_models(folder: Path, made: Path) -> None:
    """Convert two SavedModels: one becomes a sealed .tflite, the other goes to full TensorFlow."""
    subprocess.run([sys.executable, __file__, "models", str(folder)], check=True, stdout=subprocess.DEVNULL)
    np.save(folder / "rows.npy", np.random.default_rng(5).normal(size=(64, 4)).astype(np.float32))
    (folder / "labels.txt").write_text(LABELS)
    convert = [sys.executable, "-m", "mmconvert", "--no-cache"]
    data = ["--calibration", str(folder / "rows.npy"), "--quantize", "int8", "--labels", str(folder / "labels.txt")]
    subprocess.run([*convert, str(folder / "linear"), *data, "-o", str(made / "linear.tflite")], check=True)
    published = folder / "published"
    published.mkdir()
    subprocess.run([*convert, str(folder / "svd"), "--publish", str(published)], check=True)
    shutil.copytree(published / "svd", made / "svd")


def save_models(folder: Path) -> None:
    import tensorflow as tf

    class Models(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(WEIGHTS)

        @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
        def linear(self, x):
            return {"y": tf.linalg.matmul(x, self.weights)}

        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8], name="x")])
        def svd(self, x):
            return {"s": tf.linalg.svd(x, compute_uv=False)}

    models = Models()
    for name in ("linear", "svd"):
        tf.saved_model.save(models, str(folder / name), signatures=getattr(models, name))


if __name__ == "__main__":
    sys.exit(save_models(Path(sys.argv[2])) if sys.argv[1:2] == ["models"] else main())
