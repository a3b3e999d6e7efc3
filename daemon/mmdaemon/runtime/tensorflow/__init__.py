"""Full TensorFlow: runs a SavedModel as traced functions, in a process of its own."""
