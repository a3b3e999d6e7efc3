"""Real inputs: read from a file or a folder, brought into the signature's form, checked, and split."""
