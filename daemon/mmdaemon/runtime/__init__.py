"""Running models: the ``Runtime`` protocol (``interface``) and its implementations, one family a folder.

Owns: everything that knows numpy, LiteRT, tflite-runtime or TensorFlow; mapping their exceptions.
Never: sockets, queues, which version serves.
"""
