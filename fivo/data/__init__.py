"""Datasets: reading, checking and making them."""
