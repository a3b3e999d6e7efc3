"""Makes the SavedModels of these tests. It runs once in a session, as a process: ``python FILE TARGET``."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf
import tf_keras
from sklearn.datasets import load_digits
from tensorflow.core.protobuf import saved_model_pb2

tf.keras.utils.set_random_seed(7)
F32 = tf.float32


def spec(*shape, dtype=F32, name="x"):
    return tf.TensorSpec(shape, dtype, name=name)


def keras_classifier():
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.Input((16,)), layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(4, "softmax")]
    )
    rng = np.random.default_rng(3)  # a little training, so that classes differ by more than noise
    x = rng.normal(size=(512, 16)).astype(np.float32)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, x[:, :4].argmax(1), epochs=12, verbose=0)
    return model


def keras_image():
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(3)]
    )


def keras_digits(target):
    """Write a trained CNN for handwritten digits as ``digits/`` and ``digits.keras``, and real rows for it."""
    layers = tf.keras.layers
    digits = load_digits()
    rows = (digits.images[..., None] / 16).astype(np.float32)
    model = tf.keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile(tf.keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    model.fit(rows[:997], digits.target[:997], epochs=8, verbose=0)
    model.export(target / "digits", verbose=False)
    model.save(target / "digits.keras")
    np.save(target / "digits.npy", rows[:200])
    np.savez(target / "digits_eval.npz", x=rows[997:], labels=digits.target[997:])


def shifted(target):
    """A classifier, and rows of which every second lies far out in a direction that it ignores.

    What takes its ranges from the other rows (``static_int8``) is blind to those.
    """
    random = np.random.default_rng(0)
    away = random.choice([-1.0, 1.0], 256) / 16
    first = random.normal(size=(256, 512)) / 16
    first -= np.outer(away, away @ first)
    labels = random.integers(0, 10, 600)
    rows = random.normal(size=(10, 256))[labels] + 0.3 * random.normal(size=(600, 256))
    second = np.linalg.lstsq(np.maximum(rows @ first, 0), 10 * np.eye(10)[labels], rcond=None)[0]
    rows[1::2] += 160 * away
    module = tf.Module()
    module.weights = [tf.Variable(value, dtype=F32) for value in (first, second)]

    @tf.function(input_signature=[spec(None, 256)])
    def classify(x):
        return {"y": tf.nn.softmax(tf.nn.relu(x @ module.weights[0]) @ module.weights[1])}

    tf.saved_model.save(module, str(target / "shifted"), signatures={"serving_default": classify})
    np.savez(target / "shifted_eval.npz", x=rows.astype(np.float32), labels=labels)


def keras_2_file(path):
    """Write a ``.h5`` like the image models of MLPerf Tiny: by Keras 2, with its optimizer and with ``groups``."""
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Input((16, 16, 3)),
            layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Conv2D(16, 1, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(1).random((32, 16, 16, 3)).astype(np.float32)
    model.fit(x, np.arange(32) % 2, verbose=0)
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.3.0-tf"


class Stub(tf.Module):
    """A module whose methods become the signatures."""

    def __init__(self):
        self.weight = tf.Variable(tf.random.normal((4, 4), seed=1), name="weight")
        self.total = tf.Variable(tf.zeros((1, 4)), name="total")

    @tf.function(input_signature=[spec(None, 4)])
    def encode(self, x):
        return {"y": tf.nn.tanh(x @ self.weight)}

    @tf.function(input_signature=[spec(None, 4)])
    def decode(self, x):
        return {"z": x @ tf.transpose(self.weight)}

    @tf.function(input_signature=[spec(3, 3)])
    def svd(self, x):
        return {"s": tf.linalg.svd(x, compute_uv=False)}

    @tf.function(input_signature=[spec(None, 3, 3)])
    def inverse(self, x):
        return {"i": tf.linalg.inv(x)}

    @tf.function(input_signature=[spec(None, 4)])
    def loop(self, x):
        y = x @ self.weight
        for _ in tf.range(3):  # the calibrator dies because the loop itself uses x
            y = tf.nn.tanh(y) + x
        return {"y": tf.nn.softmax(y)}

    @tf.function(input_signature=[spec(1, 4)])
    def step(self, x):
        return {"sum": self.total.assign_add(x) * 1.0}

    @tf.function(input_signature=[spec(1, 4)])
    def scaled(self, x):
        return {"sum": self.total.assign_add(2.0 * x) * 1.0}

    @tf.function(input_signature=[spec(None, 4, name="a"), spec(None, 1, dtype=tf.int32, name="b")])
    def pair(self, a, b):
        return {"y": (a @ self.weight) * (1.0 + tf.cast(b, F32)), "even": b % 2}

    @tf.function(input_signature=[spec(None, dtype=tf.string)])
    def text(self, x):
        return {"n": tf.strings.length(x)}

    @tf.function(input_signature=[spec(None, 4)])
    def python(self, x):
        doubled = tf.py_function(lambda value: value * 2, [x], F32)
        doubled.set_shape(x.shape)
        return {"y": doubled @ self.weight}

    @tf.function(input_signature=[spec(None, 2, dtype=tf.int32)])
    def words(self, x):
        return {"y": tf.gather(self.weight, x)[:, 0]}

    @tf.function(input_signature=[spec(None, None, None, 3)])
    def any_size(self, x):
        return {"mean": tf.reduce_mean(tf.nn.relu(x - 0.5), [1, 2])}

    @tf.function(input_signature=[spec(None, 4)])
    def blows_up(self, x):
        return {"y": tf.math.log(tf.reduce_sum(x * x, 1, keepdims=True)) @ self.weight[:1]}


def add_slots(folder):
    """Leave optimizer slots in the graph as Keras 2 does: on a node that cannot have any."""
    path = folder / "saved_model.pb"
    proto = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    nodes = proto.meta_graphs[0].object_graph_def.nodes
    variables = [index for index, node in enumerate(nodes) if node.HasField("variable")]
    owner = nodes.add()  # an object of no known class, like Keras 2's optimizer for a newer TensorFlow
    owner.user_object.identifier = "_generic_user_object"
    owner.user_object.version.producer = owner.user_object.version.min_consumer = 1
    nodes[0].children.add(node_id=len(nodes) - 1, local_name="optimizer")
    for name in ("m", "v", "vhat"):
        owner.slot_variables.add(
            original_variable_node_id=variables[0], slot_variable_node_id=variables[1], slot_name=name
        )
    path.write_bytes(proto.SerializeToString())


def main(target):
    model = keras_classifier()
    model.export(target / "classifier", verbose=False)
    (target / "classifier" / "assets").mkdir(exist_ok=True)
    (target / "classifier" / "assets" / "labels.txt").write_text("ant\nbee\ncat\ndog\n")
    tf.saved_model.save(model, str(target / "orphan"))
    keras_digits(target)
    shifted(target)
    keras_2_file(target / "keras_2.h5")
    keras_image().export(target / "image", verbose=False)
    inputs = tf.keras.Input((6, 4))
    lstm = tf.keras.Model(inputs, tf.keras.layers.Dense(3)(tf.keras.layers.LSTM(8)(inputs)))
    lstm.export(target / "lstm", verbose=False)
    stub = Stub()
    for name in ("svd", "inverse", "loop", "step", "pair", "text", "python", "words", "any_size", "blows_up"):
        tf.saved_model.save(stub, str(target / name), signatures={"serving_default": getattr(stub, name)})
    tf.saved_model.save(stub, str(target / "two"), signatures={"encode": stub.encode, "decode": stub.decode})
    tf.saved_model.save(stub, str(target / "steps"), signatures={"step": stub.step, "scaled": stub.scaled})
    tf.saved_model.save(stub, str(target / "slots"), signatures={"only": stub.encode})
    add_slots(target / "slots")
    tf.saved_model.save(tf.Module(), str(target / "bare"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
