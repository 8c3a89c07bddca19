"""What the tests of models share."""

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True)
def fresh_graph():
  """A graph of its own for each test."""
  with tf.Graph().as_default():
    tf.compat.v1.set_random_seed(1)
    yield
