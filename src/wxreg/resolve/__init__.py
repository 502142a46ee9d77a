"""Floor 3: a request becomes one pinned plan, or a refusal that says why."""
