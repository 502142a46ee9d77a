"""Floor 6: plans are carried out; the only floor that joins data, models and scores."""
