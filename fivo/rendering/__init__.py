"""Pictures and MIDI files of samples, and plots of training."""
