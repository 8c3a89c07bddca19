"""Sampling continuations from a trained model."""
