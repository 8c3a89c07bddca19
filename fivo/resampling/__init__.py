"""Resampling: schemes, what they do to particles, what gradients know of it."""
