"""Running models: the ``Runtime`` protocol (``interface``) and its implementations, one family a folder.

Owns: everything that knows numpy, LiteRT, tflite-runtime or TensorFlow; the mapping of their exceptions.
Never: sockets, queues, the decision which version serves.
"""
