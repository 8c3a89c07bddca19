"""Averages of the bounds, the charts of every mode, and chords of samples."""
