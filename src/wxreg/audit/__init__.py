"""Floor 7: what made what, and whether it can be believed."""
