"""Which models and versions there are and how far each is. Plain data; what ``mmctl ls`` shows.

Owns: the state table of versions. Never: I/O, threads (the loader's monitor guards it).
"""
