"""Sampling from a trained model, and what it leaves in files."""
