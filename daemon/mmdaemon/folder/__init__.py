"""The model folder on disk: its files, their changes, and when a file has settled.

Owns: scanning, the identity of files, settling, inotify as a hint.
Never: a user's file kept open or mapped, the decision which version serves, a FIFO opened.
"""
