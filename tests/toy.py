"""A tiny dataset and model for tests of the runners, made in memory."""

import functools

import numpy as np
import tensorflow as tf

from fivo.config import config as config_lib
from fivo.models import base
from fivo.models import srnn
from fivo.models import vrnn

DATA_SIZE = 3
LENGTHS = (6, 3, 5, 2, 4)
MEAN = np.array([.25, .5, .75], np.float32)
_CREATE = {"vrnn": vrnn.create_vrnn, "srnn": srnn.create_srnn}


def sequences():
  """The targets of every sequence, `[length, 3]` zeros and ones each."""
  rng = np.random.RandomState(3)
  return [(rng.uniform(size=[length, DATA_SIZE]) < MEAN).astype(np.float32)
          for length in LENGTHS]


def batch(which):
  """Inputs and targets `[T, B, 3]` and lengths `[B]` of some sequences."""
  chosen = [sequences()[i] for i in which]
  lengths = np.array([len(x) for x in chosen], np.int32)
  targets = np.zeros([lengths.max(), len(chosen), DATA_SIZE], np.float32)
  inputs = np.zeros_like(targets)
  for b, x in enumerate(chosen):
    targets[:len(x), b] = x
    inputs[1:len(x), b] = x[:-1] - MEAN
  return inputs, targets, lengths


def create_model(config):
  """A model of a configuration's kind, with three units of everything."""
  return _CREATE[config.model](
      DATA_SIZE, 3, base.ConditionalBernoulliDistribution,
      proposal_type=config.proposal_type,
      use_tilt=config.bound_traits.part == "tilt",
      random_seed=config.noise_seed)


def create_dataset_and_model(config, split, shuffle, repeat, batch_sizes=None):
  """What the runners take, of the sequences above."""
  del split, shuffle
  config = config_lib.from_object(config)
  sizes = batch_sizes or [config.batch_size]
  batches = []
  start = 0
  while start < len(LENGTHS):
    size = sizes[len(batches) % len(sizes)]
    batches.append(batch(range(start, min(start + size, len(LENGTHS)))))
    start += size
  dataset = tf.data.Dataset.from_generator(
      functools.partial(iter, batches), (tf.float32, tf.float32, tf.int32),
      ([None, None, DATA_SIZE], [None, None, DATA_SIZE], [None]))
  if repeat:
    dataset = dataset.repeat()
  inputs, targets, lengths = tf.compat.v1.data.make_one_shot_iterator(
      dataset).get_next()
  return inputs, targets, lengths, create_model(config), tf.constant(MEAN)
