"""Doubly reparameterized gradients against plain ones and a closed form.

The statistical tests have an error rate of 6e-5 each (4 standard errors) under
a random seed; the seeds are fixed.
"""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from fivo import bounds
from fivo.models import base
from fivo.system import errors
from tests.models import recurrent_test
from tests.smc_test import evaluate
from tests.smc_test import new_session

_REPEATS = 20000
_XS = np.array([.5, -1., 2.], np.float32)


class _Walk(base.ELBOTrainableSequenceModel):
  """A Gaussian random walk whose proposal's shift and drift are to be learned.

  Each sequence has parameters of its own, so that one run gives many samples of
  the gradient: p(z_t | z_{t-1}) = N(a z_{t-1}, 1), q = N(a z_{t-1} + b, s).
  """

  def __init__(self, a, b, s):
    self._parameters = a, b, s

  def zero_state(self, batch_size, dtype):
    return tf.zeros([batch_size], dtype)

  def propose_and_weight(self, state, t):
    copies = tf.shape(state)[0] // _REPEATS
    a, b, s = [tf.tile(x, [copies]) for x in self._parameters]
    z, log_q = self.draw(tfp.distributions.Normal(a * state + b, s))
    p_z = tfp.distributions.Normal(a * state, tf.ones_like(s))
    p_x = tfp.distributions.Normal(z, tf.ones_like(s))
    return (p_z.log_prob(z) + p_x.log_prob(self.observations_ta.read(t)) -
            log_q), z


def _gradients(iwae_gradients, num_samples):
  def build():
    parameters = [tf.fill([_REPEATS], x) for x in (.8, .3, 1.2)]
    log_p_hat = bounds.iwae(
        _Walk(*parameters), np.tile(_XS[:, None], [1, _REPEATS]),
        [3] * _REPEATS, num_samples, iwae_gradients=iwae_gradients).log_p_hat
    return log_p_hat, tf.gradients(log_p_hat, parameters)

  log_p_hat, gradients = evaluate(build, seed=1)
  return log_p_hat, np.array(gradients)


def test_refuses_a_model_that_draws_by_itself(monkeypatch):
  """Its gradient would be wrong."""
  monkeypatch.setattr(_Walk, "propose_and_weight", lambda _, z, t: (z, z))
  with tf.Graph().as_default(), pytest.raises(
      errors.UserError, match="dreg: needs a model .* which _Walk does not"):
    bounds.iwae(_Walk(0., 0., 0.), _XS[:, None], [3], 2, iwae_gradients="dreg")


@pytest.mark.parametrize("num_samples", [1, 4])
def test_has_the_gradient_of_iwae(num_samples):
  log_p_hat, plain = _gradients("reparameterized", num_samples)
  dreg_log_p_hat, dreg = _gradients("dreg", num_samples)
  for x, y in zip([log_p_hat] + list(plain), [dreg_log_p_hat] + list(dreg)):
    error = np.sqrt((x.var() + y.var()) / _REPEATS)
    assert abs(x.mean() - y.mean()) < 4. * error
  # Of the proposal's parameters, b and s.
  assert (dreg[1:].var(axis=1) < plain[1:].var(axis=1)).all()


@pytest.mark.parametrize("proposal_type", ["prior", "filtering"])
def test_a_recurrent_model(proposal_type):
  """The same value and shapes; a gradient by every variable."""
  xs = recurrent_test.observations()
  with new_session(seed=1) as session:
    model = recurrent_test.create(
        "vrnn", proposal_type=proposal_type, random_seed=1)
    result = bounds.iwae(
        model, xs, recurrent_test.LENGTHS, 5, iwae_gradients="dreg")
    variables = tf.compat.v1.trainable_variables()
    gradients = tf.gradients(tf.reduce_sum(result.log_p_hat), variables)
    assert None not in gradients
    recurrent_test.set_variables(session)
    (log_p_hat, log_weights, state), gradients = session.run(
        [result, gradients])
  assert log_weights.shape[1:] == (3, 5)
  assert state.latent_encoded.shape[0] == 15
  np.testing.assert_allclose(
      log_p_hat, np.log(np.mean(np.exp(np.float64(log_weights[-1])), axis=1)),
      rtol=1e-4)
  assert all(np.isfinite(gradient).all() for gradient in gradients)
  assert "draw" not in vars(model)
