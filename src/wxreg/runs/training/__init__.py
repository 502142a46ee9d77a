"""From a plan to a sealed checkpoint: data, steps, resume points, validation."""
