"""Score forecasts: what is asked, checked, opened, streamed in parts and kept."""
