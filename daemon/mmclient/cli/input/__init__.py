"""Reads the files of ``mmctl predict -i`` into rows: one module for each kind of file.

Owns: the formats of files, which file goes to which input, images as pixels, the order of the rows.
Never: a request to the daemon, the answers to the rows.
"""
