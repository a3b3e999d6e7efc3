"""The model folder as it is on disk: what lies in it, what changed, what has come to rest.

Owns: scanning, telling files apart by their identity, settling, inotify as a hint.
Never: a user's file kept open or mapped, decisions about what serves, a FIFO opened.
"""
