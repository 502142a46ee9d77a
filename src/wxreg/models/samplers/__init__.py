"""Noise schedules, and the solvers that walk them for any number of steps."""
