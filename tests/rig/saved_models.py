"""SavedModels that the tests serve, made by TensorFlow in a process of its own: ``python saved_models.py FOLDER``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def make(folder: Path) -> Path:
    """Make all of them; return the folder."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(
        [sys.executable, __file__, str(folder)], check=True, env=environment, stdout=subprocess.DEVNULL, timeout=300
    )
    return folder


def main(folder: Path) -> None:
    import keras
    import tensorflow as tf

    def spec(*shape: int | None, dtype: str = "float32") -> tf.TensorSpec:
        return tf.TensorSpec(shape, dtype, name="x")

    class Models(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = tf.Variable(2.0)
            self.count = tf.Variable(0.0)
            self.table = tf.Variable(tf.zeros([256, 1024]))

        @tf.function(input_signature=[spec(None, 4)])
        def double(self, x):
            return {"y": self.factor * x}

        @tf.function(input_signature=[spec(None, 4)])
        def triple(self, x):
            return {"y": 3.0 * x}

        @tf.function(input_signature=[spec(None, 8, 8)])
        def svd(self, x):
            return {"s": tf.linalg.svd(x, compute_uv=False)}

        @tf.function(input_signature=[spec(None, 1)])
        def counter(self, x):
            self.count.assign_add(1.0)
            return {"n": x + self.count}

        @tf.function(input_signature=[spec(None, dtype="string")])
        def text(self, x):
            return {"n": tf.strings.length(x)}

        @tf.function(input_signature=[spec(None, None, None, 3)])
        def mean(self, x):
            return {"m": tf.reduce_mean(x, [1, 2])}

        @tf.function(input_signature=[spec(None, 4)])
        def python(self, x):
            return {"y": tf.py_function(lambda value: value + 1, [x], tf.float32)}

        @tf.function(input_signature=[spec(None, 1)])
        def loop(self, x):
            limit = tf.reduce_max(x)
            turns = tf.while_loop(lambda i: i < limit, lambda i: (i + 1.0,), [tf.constant(0.0)])[0]
            return {"y": x + 0.0 * turns}

        @tf.function(input_signature=[spec(1, 4)])
        def one(self, x):
            return {"y": self.factor * x + self.table[0, 0]}

        @tf.function(input_signature=[spec(None, 1)])
        def hog(self, x):
            return {"y": x + tf.reduce_mean(tf.random.normal([tf.cast(tf.reduce_max(x), tf.int32) + 1]))}

    models = Models()
    tf.saved_model.save(
        models, str(folder / "plain"), signatures={"serving_default": models.double, "triple": models.triple}
    )
    models.factor.assign(5.0)
    tf.saved_model.save(models, str(folder / "plain_5"), signatures=models.double)
    for name in ("svd", "counter", "text", "mean", "python", "loop", "one", "hog"):
        tf.saved_model.save(models, str(folder / name), signatures=getattr(models, name))
    network = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, name="y")])
    network.export(str(folder / "keras"), verbose=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
