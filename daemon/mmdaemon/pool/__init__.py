"""Running leased requests: the monitor around the scheduler, and what its decisions set off.

Owns: the lock, the clock, the deadline timer, calling an instance. Never: sockets, files, what a version is.
"""
