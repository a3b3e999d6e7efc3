"""The parts of the file besides the graph: labels, provenance, content digest.

Owns: the layout of the added entries, the digest over the whole file. Never: a change to the graph.
"""
