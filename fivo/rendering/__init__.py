"""Pictures and MIDI files of what was sampled, and plots of training."""
