"""The converter: it turns a TensorFlow SavedModel into a ``.tflite`` file, and compares the two before it publishes.

``pipeline.py`` lists the stages. Importing this package loads neither TensorFlow nor numpy.

Owns: conversions, from the user's model to the published file with its report.
Never: a change to the user's model, imports of ``mmdaemon``, a file published before it was compared.
"""
