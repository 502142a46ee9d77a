"""Floor 5: statistics, mergeable states and the metrics that finish them."""
