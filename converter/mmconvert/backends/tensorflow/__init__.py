"""TensorFlow: loads the original, converts it to a float model, and says what the original answers."""
