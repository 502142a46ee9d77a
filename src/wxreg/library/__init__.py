"""Floor 2: ``catalog/`` and ``registry/`` as values."""
