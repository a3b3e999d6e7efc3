"""The command ``mmconvert``, a file for each of its forms."""
