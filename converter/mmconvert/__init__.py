"""The converter: a TensorFlow SavedModel becomes a ``.tflite`` file that was compared with the original.

Stages, in order: inspect, calibrate, float, gate, search, verify, pack, publish. Importing this package loads neither
TensorFlow nor numpy.
"""
