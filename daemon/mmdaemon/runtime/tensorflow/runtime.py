"""Full TensorFlow, for models that LiteRT cannot run. Only a process that hosts one model imports it.

Importing this module does not import TensorFlow (2 s, 300 MB); making a ``TensorFlowRuntime`` does.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdaemon.runtime.interface import Traits
from mmdaemon.runtime.tensorflow.device import AUTO, choose
from mmwire.errors import MmError, ModelError
from mmwire.manifest import SAVED_MODEL_FILE

if TYPE_CHECKING:
    from mmdaemon.runtime.tensorflow.saved_model import SavedModelInstance


class TensorFlowRuntime:
    """Loads SavedModel folders with TensorFlow; see ``Runtime``.

    Args:
        device: ``auto``, ``cpu``, ``gpu`` or ``gpu:N``.

    Raises:
        ConfigError: ``CONFIG_INVALID``, from ``load``: no such device.

    Thread: any. A process has one TensorFlow, with the threads and the device of the first load.
    """

    def __init__(self, device: str = AUTO) -> None:
        self.name = "tensorflow"
        self.caution = ""
        self._device = device
        self._tf = _import()
        self.version: str = self._tf.__version__

    def load(self, path: str, threads: int, traits: Traits) -> SavedModelInstance:
        """Load a SavedModel folder and trace its signatures; see ``Runtime.load``.

        Args:
            path: The folder with ``saved_model.pb``, ``variables/`` and ``assets/``.
            threads: Threads of one invocation; 0 = as many as there are cores.
            traits: Ignored. The graph tells where the model keeps state; ``Function.batch`` is set after the first run.
        """
        from mmdaemon.runtime.tensorflow.failure import reason_of
        from mmdaemon.runtime.tensorflow.saved_model import SavedModelInstance

        if not (Path(path) / SAVED_MODEL_FILE).is_file():
            raise ModelError("MODEL_INVALID", f"the folder has no {SAVED_MODEL_FILE}", "export the model again")
        device = self._set_up(threads)
        try:
            with self._tf.device(device):
                return SavedModelInstance(self._tf.saved_model.load(path), device)
        except (MmError, MemoryError):
            raise
        except Exception as error:  # a broken file may make the loader raise anything
            reason = reason_of(error).replace(path.rstrip("/"), "the folder")
            raise ModelError(
                "MODEL_INVALID",
                f"TensorFlow cannot load the model: {reason}",
                "copy it again, or export it again; mmconvert repairs the traces of older versions of Keras",
            ) from None

    def _set_up(self, threads: int) -> str:
        """Set threads and memory, which must happen before the first use, and return the device."""
        config = self._tf.config
        config.threading.set_intra_op_parallelism_threads(threads)
        config.threading.set_inter_op_parallelism_threads(threads)
        gpus = config.list_physical_devices("GPU")
        if self._device.startswith("cpu"):
            config.set_visible_devices([], "GPU")
        else:
            for gpu in gpus:
                config.experimental.set_memory_growth(gpu, True)
        visible = [device.name.removeprefix("/device:") for device in config.list_logical_devices()]
        return choose(self._device, visible)


def _import() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _quiet_stderr():
        import tensorflow
    return tensorflow


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what libraries print while they load; print it only if they fail to load."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
