"""Floor 5: networks, losses and samplers behind one forecaster protocol."""
