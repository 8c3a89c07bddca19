"""The particle filter in a form that XLA compiles: `--xla`."""
