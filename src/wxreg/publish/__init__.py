"""Floor 8: cards, releases and exchange with other labs."""
