"""Who runs when: admission, the bounded queue of each model, deadlines, leases of instances.

Owns: the decisions, as plain data driven by events. Never: I/O, threads, clocks, locks (the pool's monitor guards it).
"""
