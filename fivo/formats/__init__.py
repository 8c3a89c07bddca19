"""Reading files from elsewhere: the one place where foreign bytes are read."""
