"""From a checkpoint to a sealed forecast: start times, members, roll-outs, the store."""
