"""The child process itself, whichever library it hosts: its start, its limits, its requests, and its death."""
