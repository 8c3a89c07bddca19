"""The platform: errors, files, logs, signals and sessions; no statistics."""
