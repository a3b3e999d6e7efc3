"""The programs that do the native work, each in a child process: ``backend`` asks, ``child`` does what is asked.

Owns: every call of TensorFlow, LiteRT and litert-quantizer.
Never: one of these libraries in the command's own process.
"""
