"""Losses by name: each is masked, dimensionless where it can be, and says what it means."""
