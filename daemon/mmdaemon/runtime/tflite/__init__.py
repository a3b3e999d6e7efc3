"""The TFLite runtimes: LiteRT, and tflite-runtime where LiteRT has no wheel. One interpreter is one instance."""
