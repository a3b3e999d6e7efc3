"""Real inputs: read from a file or a folder, brought into the signature's form, checked, and split.

Owns: the formats of the data, the checks of rows and classes, which rows calibrate, choose and verify.
Never: made-up rows, running a model.
"""
