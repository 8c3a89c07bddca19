"""The machine below: errors, files, logs, signals, sessions; no statistics."""
