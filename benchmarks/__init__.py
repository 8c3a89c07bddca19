"""Measurements of speed and memory; `bin/run_benchmark.sh` runs them."""
