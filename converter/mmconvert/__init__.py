"""The converter: a TensorFlow SavedModel becomes a ``.tflite`` file that was compared with the original.

Stages, in order: inspect, repair, float, parity, calibrate, quantize, verify, pack, publish. Importing this package
loads neither TensorFlow nor numpy.
"""
