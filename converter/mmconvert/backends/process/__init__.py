"""The child process itself: how it is started, limited, served and mourned, whichever library it hosts."""
