"""Prefixes of sequences, which sampling continues."""

import numpy as np

from fivo.system import errors
from fivo.system import log


def draw(batches, config):
  """Takes prefixes from the first sequences that are long enough.

  Args:
    batches: An iterator over batches `(inputs, targets, lengths)` in random
      order.
    config: A `Config`.

  Returns:
    Inputs and targets, float arrays `[prefix_length, B, D]` each. If fewer
    than B sequences are long enough, some come more than once.

  Raises:
    UserError: If no sequence is long enough.
  """
  drawn = []
  longest = 0
  for inputs, targets, lengths in batches:
    longest = max(longest, lengths.max())
    drawn.extend(
        (inputs[:config.prefix_length, b], targets[:config.prefix_length, b])
        for b in np.flatnonzero(lengths >= config.prefix_length))
    if len(drawn) >= config.batch_size:
      break
  if not drawn:
    raise errors.UserError(
        "--prefix_length=%d: no sequence of the %s split is that long; must be "
        "at most %d" % (config.prefix_length, config.split, longest))
  if len(drawn) < config.batch_size:
    log.warning(
        "Only %d sequences have %d timesteps: some prefixes come more than "
        "once in the batch of %d.", len(drawn), config.prefix_length,
        config.batch_size)
  chosen = [drawn[b % len(drawn)] for b in range(config.batch_size)]
  return [np.stack(x, axis=1) for x in zip(*chosen)]
