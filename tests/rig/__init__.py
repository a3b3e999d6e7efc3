"""Shared by several folders of tests: real daemons and boxes, models to serve, stand-ins for the other side."""
