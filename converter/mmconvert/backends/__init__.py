"""The programs that do the native work, each in a child process: ``backend`` asks, ``child`` does what is asked."""
