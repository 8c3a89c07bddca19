"""Sequential latent variable models."""
