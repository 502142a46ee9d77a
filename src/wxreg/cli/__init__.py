"""Floor 10: the command line, one lazily loaded file per command."""
