"""From an archive to a prepared store and its statistics."""
