"""What goes into the file besides the graph: labels, provenance, content digest."""
