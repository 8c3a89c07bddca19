"""Options and the configuration of a run, checked before TensorFlow loads."""
