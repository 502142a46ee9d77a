"""Everything about weather data: readers, preparation, statistics, windows and batches."""
