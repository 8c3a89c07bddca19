"""Speed and memory, the tables of results, and the pictures of the docs."""
