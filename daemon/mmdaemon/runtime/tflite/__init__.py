"""The TFLite runtimes: LiteRT, and tflite-runtime where LiteRT has no wheel. One interpreter is one instance.

Owns: interpreters, the choice of the runtime for this box, the reset of a model's state, the meaning of a refusal.
Never: the question how many rows gain from running together, which a trial answers; a SavedModel.
"""
