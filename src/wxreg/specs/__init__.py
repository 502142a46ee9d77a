"""Floor 1: frozen, closed descriptions of every thing the workspace holds; no I/O."""
