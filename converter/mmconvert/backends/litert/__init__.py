"""LiteRT and litert-quantizer: make, run, time and weigh ``.tflite`` files."""
