"""The parent's side of the two child processes: what is asked of them, and what of their answers is kept."""
