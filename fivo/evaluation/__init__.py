"""Averaging the bounds over a dataset, once or checkpoint by checkpoint."""
