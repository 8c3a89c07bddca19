"""Training in several processes: servers, members, who is gone."""
