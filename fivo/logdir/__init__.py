"""What a run keeps in its logdir: checkpoints, the best one, records, locks."""
