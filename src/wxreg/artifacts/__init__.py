"""Artifacts as bytes: where they lie, how they are sealed, hashed, versioned and exchanged."""
