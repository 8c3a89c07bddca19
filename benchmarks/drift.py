"""Trains SIXO on a drifting random walk that is observed only at its end.

The first experiment of Lawson et al., SIXO: Smoothing Inference with Twisted
Objectives, 2022: FIVO cannot tell particles apart before the last step, a twist
can. Drift, proposal and twist are learned; the exact likelihood is known. A run
takes about two minutes on one core; see docs/drift.md.

  python -m benchmarks.drift --bound=sixo --twist=dre
"""

if __name__ == "__main__":
  from fivo.system import startup
  startup.run(__file__)

import tempfile
import types

from absl import flags
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from fivo import bounds
from fivo import runners
from fivo.logdir import run_directory
from fivo.models import base
from fivo.resampling import criteria

NUM_TIMESTEPS, DRIFT = 10, 1.
NUM_TEST = 4000


class Drift(base.ELBOTrainableSequenceModel):
  """z_t ~ N(z_{t-1} + drift, 1) from z_{-1} = 0; x ~ N(z_{T-1} + drift, 1).

  The proposal and the twist are linear Gaussian, with coefficients for each
  step. The twist is a density of x given z_t over a density of x.
  """

  def __init__(self):
    self.drift, self._proposal, self._twist, self._marginal = [
        tf.compat.v1.get_variable(
            name, shape, initializer=tf.compat.v1.zeros_initializer())
        for name, shape in (
            ("drift", []), ("proposal", [NUM_TIMESTEPS, 4]),
            ("twist", [NUM_TIMESTEPS, 3]),
            ("twist_marginal", [NUM_TIMESTEPS, 2]))]
    self._x = None

  def zero_state(self, batch_size, dtype):
    """z_{-1}."""
    return tf.zeros([batch_size, 1], dtype)

  def set_observations(self, observations, seq_lengths):
    """Keeps the last observation of each row, `[batch, 1]`."""
    _, targets = observations
    self._x = targets[-1]

  def propose_and_weight(self, state, t):
    """Draws z_t and weighs it."""
    a, b, c, log_scale = tf.unstack(self._proposal[t])
    prior = _normal(state + self.drift)
    proposal = _normal((1. + a) * state + b * self._x + c, log_scale)
    z = proposal.sample()
    log_weights = prior.log_prob(z) - proposal.log_prob(z)
    is_last = tf.cast(tf.equal(t, NUM_TIMESTEPS - 1), tf.float32)
    log_weights += is_last * _normal(z + self.drift).log_prob(self._x)
    return log_weights[:, 0], z

  def log_twist(self, state, t):
    """log r(z_t, x)."""
    a, b, log_scale = tf.unstack(self._twist[t])
    mean, log_marginal_scale = tf.unstack(self._marginal[t])
    # The mean of x, about 10, and its scale, about 3, are put in by hand.
    given_z = _normal((1. + a) * state + 10. * b, log_scale + np.log(3.))
    alone = _normal(10. * mean, log_marginal_scale + np.log(3.))
    return (given_z.log_prob(self._x) - alone.log_prob(self._x))[:, 0]

  def sample_step(self, prev_state, inputs, t):
    """Draws z_t, and an observation; only the last one counts."""
    del inputs, t
    z = _normal(prev_state + self.drift).sample()
    return z, _normal(z + self.drift).sample()

  def log_likelihood(self):
    """The exact log p(x), `[batch]` in nats."""
    return _normal((NUM_TIMESTEPS + 1) * self.drift,
                   .5 * np.log(NUM_TIMESTEPS + 1.)).log_prob(self._x)[:, 0]


def _normal(loc, log_scale=0.):
  return tfp.distributions.Normal(loc, tf.exp(tf.cast(log_scale, tf.float32)))


def create_dataset_and_model(config, split, shuffle, repeat):
  """Creates what a runner needs; observations are new at every step."""
  del split, shuffle, repeat
  return _draw_batch(config.batch_size) + (Drift(), None)


def _draw_batch(batch_size, seed=None):
  """Inputs, targets and lengths of sequences from the true model."""
  x = tf.random.normal([batch_size, 1], (NUM_TIMESTEPS + 1) * DRIFT,
                       np.sqrt(NUM_TIMESTEPS + 1.), seed=seed)
  targets = tf.tile(x[tf.newaxis], [NUM_TIMESTEPS, 1, 1])
  return targets, targets, tf.fill([batch_size], NUM_TIMESTEPS)


def evaluate(logdir, bound, num_particles):
  """The learned drift, the exact log likelihood and the gap, in nats."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.set_random_seed(7)
    model = Drift()
    *observations, lengths = _draw_batch(NUM_TEST, seed=7)
    log_p_hat = bounds.create_bound(
        bound, model, observations, lengths, num_samples=num_particles,
        resampling_criterion=criteria.by_name("ess")).log_p_hat
    model.set_observations(observations, lengths)
    exact = model.log_likelihood()
    fetches = [model.drift, tf.reduce_mean(exact),
               tf.reduce_mean(exact - log_p_hat)]
    tf.compat.v1.train.Saver().restore(
        session, run_directory.RunDirectory(logdir).latest())
    return session.run(fetches)


def define_flags():
  """Defines the flags."""
  flags.DEFINE_enum("bound", "sixo", ["iwae", "fivo", "sixo"], "The bound.")
  flags.DEFINE_enum("twist", "dre", ["dre", "joint"], "How to learn it.")
  flags.DEFINE_integer("steps", 6000, "The number of training steps.")


def main(unused_argv):
  """Trains one run and prints a row for each number of particles."""
  options = flags.FLAGS
  with tempfile.TemporaryDirectory() as logdir:
    config = types.SimpleNamespace(
        logdir=logdir, bound=options.bound, random_seed=1, num_samples=10,
        batch_size=32, learning_rate=.01, learning_rate_schedule="cosine",
        schedule_steps=options.steps, max_steps=options.steps,
        summarize_every=1000)
    name = options.bound
    if name == "sixo":
      name += " " + options.twist
      config.twist = options.twist
      if options.twist == "joint":
        config.resampling_gradients = "score"
        config.resampling_criterion = "always"
    runners.run_train(config, create_dataset_and_model)
    for num_particles in (10, 128):
      print("| %s | %d | %.3f | %.3f | %.4f |" % (
          (name, num_particles) +
          tuple(evaluate(logdir, options.bound, num_particles))), flush=True)
