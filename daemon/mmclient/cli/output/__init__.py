"""How mmctl prints and writes: tables, quantities, and the answers of ``mmctl predict``."""
