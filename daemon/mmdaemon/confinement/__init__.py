"""What every process that the daemon starts for a model has in common.

Owns: the environment that it gets, what it gives up, how it looks when it had too little memory.
Never: starting a process, how much each one may take.
"""
