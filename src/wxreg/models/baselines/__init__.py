"""Forecasters that do not train: some need nothing, some a fit on the training period."""
