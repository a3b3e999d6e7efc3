"""Calibration data: read from a file or a folder, brought into the signature's form, refused when it is of no use."""
