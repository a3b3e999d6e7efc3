"""From an admitted request to its reply: who runs when, and running it.

``scheduler`` decides over plain data (lanes, backlog, deployments, leases); ``dispatcher`` holds the monitor and the
clock around it, runs leased requests and does what the decisions set off.
Owns: admission, the bounded queue of each model, deadlines, leases of instances. Never: sockets, files.
"""
