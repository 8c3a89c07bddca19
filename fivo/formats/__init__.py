"""Files that others wrote: the one place where foreign bytes are read."""
