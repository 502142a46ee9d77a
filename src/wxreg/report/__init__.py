"""Floor 7: what people look at: figures and pages."""
