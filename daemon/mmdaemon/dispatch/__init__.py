"""From an admitted request to its reply: which request runs when, and on which instance.

``scheduler`` decides over plain data (lanes, backlog, deployments, leases). ``dispatcher`` holds the monitor and the
clock around it, runs leased requests, and carries out what the scheduler asks for.
Owns: admission, the bounded queue of each model, deadlines, leases of instances. Never: sockets, files.
"""
