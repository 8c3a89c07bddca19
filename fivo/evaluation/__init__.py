"""Averaging the bounds over a dataset, for one checkpoint or each new one."""
