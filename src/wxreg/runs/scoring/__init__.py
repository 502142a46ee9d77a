"""From pairs of fields to the states and rows of every metric that a protocol names."""
