"""Tests of how the steps of a bound and of a twist's classifier alternate."""

import types

import numpy as np
import pytest
import tensorflow as tf

from fivo import bounds
from fivo import twists
from fivo.config import config as config_lib
from fivo.models import ghmm
from fivo.system import errors
from fivo.training import runs
from fivo.training import twist_steps
from tests.smc_test import new_session


def _model(twist):
  return ghmm.TrainableGaussianHMM(
      6, "filtering", dtype=tf.float64, random_seed=1, twist=twist)


def _objective(model, xs, model_steps=1, twist_steps_=1):
  config = config_lib.from_object(types.SimpleNamespace(
      bound="sixo", twist_steps=twist_steps_, model_steps=model_steps,
      learning_rate=.1))
  value = tf.reduce_mean(bounds.sixo(
      model, xs, [6] * 4, num_samples=3).log_p_hat)
  return twist_steps.learn_by_density_ratio(
      config, model, runs.Objective(value, {}),
      lambda _: model.sample(4) + ([6] * 4,), 6)


def test_steps_of_bound_and_twist_are_apart():
  """Each changes its own variables, and the twist's do not count."""
  with new_session(seed=1) as session:
    model = _model("learned")
    objective = _objective(model, model.sample(4)[1], 2, 3)
    trained = [v for _, v in objective.grads_and_vars]
    assert trained and not any(twists.is_of_twist(v) for v in trained)
    hook, = objective.hooks
    variables = tf.compat.v1.trainable_variables()
    session.run(tf.compat.v1.global_variables_initializer())
    before = session.run(variables)
    context = types.SimpleNamespace(session=session)
    values = types.SimpleNamespace(results=6)
    hook.after_run(context, values)
    for x, y in zip(session.run(variables), before):
      np.testing.assert_array_equal(x, y)  # The first of two model steps.
    hook.after_run(context, values)
    assert session.run(tf.compat.v1.train.get_global_step()) == 0
    for v, x, y in zip(variables, session.run(variables), before):
      assert (x != y).any() == twists.is_of_twist(v), v.op.name


def test_twist_without_variables_has_nothing_to_learn():
  with tf.Graph().as_default():
    model = _model("optimal")
    with pytest.raises(errors.UserError, match="--twist=dre: no variable of"):
      _objective(model, model.sample(4)[1])


def test_hook_alternates():
  calls = []
  context = types.SimpleNamespace(session=types.SimpleNamespace(
      run=lambda op, feed: calls.append(feed["T"])))
  hook = twist_steps.TwistHook("op", 2, 3, 4, "length", "T")
  for length in (5, 6, 7, 8, 9):
    assert hook.before_run(context).fetches == "length"
    hook.after_run(context, types.SimpleNamespace(results=length))
  assert calls == [6, 6, 9, 9]  # After steps 6 and 9 of the run.
