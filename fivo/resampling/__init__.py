"""Resampling: criteria, schemes and gradients."""
