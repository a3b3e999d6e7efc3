"""What several folders of tests share: real daemons and boxes, models to serve, stand-ins for the other side."""
