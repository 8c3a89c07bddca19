"""The contents of a logdir: checkpoints, the best one, records and a lock."""
