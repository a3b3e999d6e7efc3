"""The log of the daemon. Owns: the form of entries. Never: decisions."""
