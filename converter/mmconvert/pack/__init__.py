"""The parts of the file besides the graph: labels, provenance, content digest."""
