"""The stages of a conversion, one module each, in the order of ``pipeline.py``."""
