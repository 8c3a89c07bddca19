"""Filtering variational objectives for sequential latent variable models."""
