"""Divides sequences at random among the splits train, valid and test."""

import random

import numpy as np

from fivo.formats.pickled_splits import SPLITS
from fivo.system.errors import UserError

DEFAULT_FRACTIONS = (0.8, 0.1, 0.1)


def parse_fractions(texts):
  """Returns the values of --splits as floats."""
  try:
    fractions = list(map(float, texts))
  except ValueError:
    fractions = []
  if not (len(fractions) == 3 and min(fractions) >= 0 and fractions[0]
          and abs(sum(fractions) - 1.) <= 1e-6):  # NaN is refused too.
    raise UserError(
        "--splits=%s: must be three fractions of at least 0 whose sum is 1, "
        "the first above 0, like 0.8,0.1,0.1" % ",".join(texts))
  return fractions


def deal(items, fractions=None, seed=0):
  """Divides items at random into lists by split.

  A split with a fraction above 0, see `parse_fractions`, gets at least one.
  """
  fractions = fractions or DEFAULT_FRACTIONS
  items = list(items)
  random.Random(seed).shuffle(items)
  ends = np.rint(np.cumsum(fractions) * len(items)).astype(int)
  sizes = np.diff(ends, prepend=0)
  for index in np.flatnonzero((sizes == 0) & (np.array(fractions) > 0)):
    if sizes.max() > 1 or index == 0:
      sizes[sizes.argmax()] -= 1
      sizes[index] = 1
  ends = np.cumsum(sizes)
  return {split: items[end - size:end]
          for split, end, size in zip(SPLITS, ends, sizes)}
