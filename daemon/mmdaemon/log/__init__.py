"""What the daemon says about itself. Owns: the log's form. Never: decisions."""
