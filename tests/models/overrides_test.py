"""Tests that what a subclass overrides is what runs, in every bound.

Parts of a model are computed ahead of the filter's loop, after it, or compiled.
Each must step aside for a method that a user has replaced.
"""

import functools
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from fivo import bounds
from fivo.compiled import noise as noise_lib
from fivo.models import base
from fivo.models import distributions
from fivo.models import factory
from fivo.models import lstm
from fivo.models import srnn
from fivo.models import vrnn
from tests.models import recurrent_test
from tests.smc_test import new_session

_CLASSES = {"vrnn": vrnn.TrainableVRNN, "srnn": srnn.TrainableSRNN}
_N = 3
_LENGTHS = recurrent_test.LENGTHS


def _shifted(normal):
  return distributions.Normal(normal.loc + .5, normal.scale)


# How each method is changed: of the original method, a method.
_CHANGES = {
    "run_rnn": lambda run_rnn: lambda self, *args: run_rnn(
        self, *(args[:-1] + (args[-1] * .5,))),
    "transition": lambda transition: lambda self, *args: _shifted(
        transition(self, *args)),
    "proposal": lambda proposal: lambda self, *args: _shifted(
        proposal(self, *args)),
    "emission": lambda emission: lambda self, latent, rnn_out: emission(
        self, latent, rnn_out + .5),
    "tilt": lambda tilt: lambda self, *args: 2. * tilt(self, *args),
    "set_observations": lambda set_observations: (
        lambda self, xs, seq_lengths: set_observations(
            self, [x * .5 for x in xs], seq_lengths)),
    "propose_and_weight": lambda propose_and_weight: lambda self, state, t: [
        x if i else x - 1. for i, x in enumerate(
            propose_and_weight(self, state, t))],
}


def _draw_mean(distribution, unused_seed=None):
  """Without noise, so that all ways to run a model compare."""
  return distribution.loc + 0., distribution.log_prob(distribution.loc)


def _by_hand(model, xs):
  """Accumulated log weights `[T, B, N]`, by the public methods alone."""
  model.set_observations(
      [tf.tile(tf.constant(x), [1, _N, 1]) for x in xs], _LENGTHS * _N)
  state = model.zero_state(3 * _N, tf.float32)
  log_weights, total = [], 0.
  for t in range(max(_LENGTHS)):
    increments, state = model.propose_and_weight(state, tf.constant(t))
    total += tf.where(
        t < np.array(_LENGTHS * _N), increments, tf.zeros_like(increments))
    log_weights.append(tf.transpose(tf.reshape(total, [_N, 3])))
  return tf.stack(log_weights)


@functools.lru_cache(maxsize=None)  # Unchanged models are compared with often.
def _log_weights(kind, use_tilt, proposal_type, method=None, on_instance=False):
  """Log weights by hand, which the IWAE's equal, compiled or not."""
  xs = recurrent_test.observations()
  model_class = _CLASSES[kind]
  changed = method and _CHANGES[method](getattr(model_class, method))
  if method and not on_instance:
    model_class = type("Changed", (model_class,), {method: changed})
  with new_session(seed=1) as session:
    model = factory.create_recurrent(
        model_class, recurrent_test.DATA, recurrent_test.LATENT,
        base.ConditionalNormalDistribution, use_tilt=use_tilt,
        proposal_type=proposal_type)
    if on_instance:
      setattr(model, method, changed.__get__(model))
    model.draw = _draw_mean
    results = [_by_hand(model, xs),
               bounds.iwae(model, xs, _LENGTHS, _N).log_weights]
    if method:
      noise = noise_lib.Noise(
          tf.zeros([4, 3 * _N, recurrent_test.LATENT]), tf.zeros([4, _N, 3]))
      with mock.patch.object(lstm, "_is_compiled", lambda: True):
        results.append(bounds.iwae(
            model, xs, _LENGTHS, _N,
            run_filter=noise_lib.FixedNoiseFilter(model, noise)).log_weights)
    recurrent_test.set_variables(session)
    by_hand, *others = session.run(results)
  for log_weights in others:
    np.testing.assert_allclose(log_weights, by_hand, rtol=1e-4, atol=1e-4)
  return by_hand


def _cases():
  """Each method of one of the models, and of the other as a slow test."""
  for i, method in enumerate(sorted(_CHANGES)):
    for j, kind in enumerate(sorted(_CLASSES)):
      yield pytest.param(
          kind, method, False, marks=[pytest.mark.slow] * ((i + j) % 2))
  yield "vrnn", "emission", True
  yield "vrnn", "propose_and_weight", True


@pytest.mark.parametrize("kind, method, on_instance", _cases())
def test_an_override_runs(kind, method, on_instance):
  parts = kind, method == "tilt", (
      "smoothing" if method in ("emission", "tilt") else "filtering")
  changed = _log_weights(*parts, method, on_instance)
  unchanged = _log_weights(*parts)
  assert np.abs(changed - unchanged).max() > 1e-2
