"""Running models: the ``Runtime`` protocol and its implementations.

Owns: everything that knows numpy, LiteRT, tflite-runtime or TensorFlow; mapping their exceptions.
Never: sockets, queues, which version serves.
"""
