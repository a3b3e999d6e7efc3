"""From answers to what ``mmctl predict`` prints and writes."""
