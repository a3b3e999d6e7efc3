"""TensorFlow: loads the original, converts it to a float model, and says what the original answers.

Owns: TensorFlow's converter and its quantizer, the export of Keras files, the meaning of TensorFlow's errors.
Never: running a ``.tflite``, the limits of the process.
"""
