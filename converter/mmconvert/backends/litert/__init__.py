"""LiteRT and litert-quantizer: make, run, time and weigh ``.tflite`` files.

Owns: quantizing and pruning, the answers of a file, its times, memory and operations, its goldens.
Never: TensorFlow, the judgement whether a file is good enough.
"""
