"""Full TensorFlow: a SavedModel as traced functions, in a process of its own."""
