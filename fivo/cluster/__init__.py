"""Training in several processes: their servers, sessions and supervision."""
