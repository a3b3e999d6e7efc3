"""The converter: it turns a TensorFlow SavedModel into a ``.tflite`` file, and compares the two before it publishes.

``pipeline.py`` lists the stages. Importing this package loads neither TensorFlow nor numpy.
"""
