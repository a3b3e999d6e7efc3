"""Reads the files of ``mmctl predict -i`` into rows: one module for each kind of file."""
