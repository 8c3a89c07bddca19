"""Tests of the charts."""

import re

import numpy as np
import pytest
import tensorflow as tf

from fivo.config import catalogue
from fivo.evaluation import charts


def _written(tag, value):
  """The Summary value that a training graph writes."""
  with tf.Graph().as_default():
    charts.add(tag, tf.constant(value, tf.float64))
    with tf.compat.v1.Session() as session:
      data = session.run(tf.compat.v1.summary.merge_all())
  value, = tf.compat.v1.Summary.FromString(data).value
  return value


def test_training_and_evaluation_write_the_same_chart():
  tag = "bound_per_timestep/iwae"
  trained = _written(tag, -3.5)
  evaluated, = charts.values_summary([(tag, -3.5)]).value
  assert trained.tag == evaluated.tag == tag
  assert tf.make_ndarray(trained.tensor) == evaluated.simple_value == -3.5
  assert trained.metadata == evaluated.metadata
  assert trained.metadata.plugin_data.plugin_name == "scalars"
  assert "nats per timestep" in trained.metadata.summary_description


def test_other_tags_have_no_description():
  value, = charts.values_summary([("valid/fivo_ll_per_t", 1.)]).value
  assert value.tag == "valid/fivo_ll_per_t" and not value.HasField("metadata")


def test_a_chart_without_a_description_is_refused():
  with tf.Graph().as_default(), pytest.raises(KeyError):
    charts.add("no/such", tf.constant(0.))


@pytest.mark.parametrize(
    "name", sorted({
        bound.evaluated_as for bound in catalogue.BOUNDS.values()}))
def test_each_bound_has_its_charts(name):
  for unit in ("timestep", "sequence"):
    value = _written("bound_per_%s/%s" % (unit, name), 1.)
    assert re.search(name.upper(), value.metadata.summary_description)
  assert np.isfinite(tf.make_ndarray(value.tensor))
