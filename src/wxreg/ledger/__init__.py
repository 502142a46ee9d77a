"""The ledger: runs, artifacts and edges, with a hash-chained log of every event."""
