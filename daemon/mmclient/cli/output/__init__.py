"""How mmctl prints and writes: tables, quantities, and the answers of ``mmctl predict``.

Owns: text and JSON of answers, the best classes, output files, sizes and times for people.
Never: a request to the daemon, the exit status.
"""
