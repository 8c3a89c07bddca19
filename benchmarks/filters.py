"""Compares resampling schemes, criteria and gradients on the Gaussian HMM.

For each scheme and criterion: the gap between the exact log likelihood and the
bound, and the standard deviation of log Z_hat, against the number of particles;
and the time of a filter and its gradient. For each gradient estimator: its
variance, and the gap of a learned proposal after some steps. Prints tables in
Markdown and draws a picture; takes some minutes and needs matplotlib.

  python benchmarks/filters.py --out_file=docs/images/filters.png
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../.."))
  from fivo.system import startup
  startup.run(__file__)

import contextlib
import time

from absl import flags
import numpy as np
import tensorflow as tf

from benchmarks import comparison
from fivo import bounds
from fivo.config import catalogue
from fivo.models import ghmm
from fivo.rendering import figures
from fivo.resampling import criteria
from fivo.system import sessions

_SEED = 1
_NUM_TIMESTEPS = 20
# A label, a scheme, and the arguments of `criteria.by_name`.
_CASES = [(name, name, ("always",)) for name in catalogue.SCHEMES] + [
    ("multinomial, ess 0.5", "multinomial", ("ess", .5)),
    ("multinomial, ess 0.9", "multinomial", ("ess", .9)),
    ("multinomial, always", "multinomial", ("always",)),
    ("multinomial, never", "multinomial", ("never",))]
# A bound and the argument that chooses its estimator of the gradient.
_GRADIENTS = [
    ("fivo", "resampling_gradients", name)
    for name in catalogue.RESAMPLING_GRADIENTS] + [
        ("iwae", "iwae_gradients", name) for name in catalogue.IWAE_GRADIENTS]


@contextlib.contextmanager
def _session():
  """A session on a new graph, which is built in the block."""
  with tf.Graph().as_default(), tf.compat.v1.Session(
      config=sessions.options()) as session:
    tf.compat.v1.set_random_seed(_SEED)
    yield session


def _data(num_filters):
  """One sequence of the model for all filters, and its log likelihood."""
  with _session() as session:
    model = ghmm.GaussianHMM(_NUM_TIMESTEPS)
    _, xs = model.sample(1, seed=_SEED)
    xs, likelihood = session.run([xs, model.likelihood(xs)])
  return np.tile(xs, [1, num_filters]), likelihood[0]


def _measure_filter(num_filters, resampling_type, criterion, num_particles):
  """A bound's gap and its spread, both in nats, and the milliseconds."""
  xs, likelihood = _data(num_filters)
  with _session() as session:
    scale = tf.constant(1.)
    model = ghmm.TrainableGaussianHMM(
        _NUM_TIMESTEPS, "prior", emission_variances=scale, random_seed=_SEED)
    log_p_hat = bounds.fivo(
        model, xs, [_NUM_TIMESTEPS] * num_filters, num_particles,
        resampling_criterion=criteria.by_name(*criterion),
        resampling_type=resampling_type, random_seed=_SEED).log_p_hat
    fetches = log_p_hat, tf.gradients(log_p_hat, scale)
    log_z, _ = session.run(fetches)
    start = time.process_time()
    session.run(fetches)
    milliseconds = 1e3 * (time.process_time() - start)
  return likelihood - log_z.mean(), log_z.std(), milliseconds


def compare_filters(particles, num_filters=400):
  """Prints a table; returns arrays `[len(particles), 3]` by their labels."""
  results = {
      label: np.array([_measure_filter(num_filters, resampling_type, criterion,
                                       n) for n in particles])
      for label, resampling_type, criterion in _CASES}
  print(comparison.markdown(
      ["scheme, criterion"] + ["gap, N=%d" % n for n in particles] +
      ["std, N=%d" % n for n in particles] + ["ms, N=%d" % particles[-1]], [
          [label] + ["%.3f" % x for x in values[:, :2].T.ravel()] +
          ["%.0f" % values[-1, 2]] for label, values in results.items()]))
  return results


def _measure_gradient(xs, bound, num_particles, num_steps, **options):
  """A gradient's deviation before learning, and the mean loss after it."""
  with _session() as session:
    model = ghmm.TrainableGaussianHMM(
        _NUM_TIMESTEPS, "filtering", random_seed=_SEED)
    loss = -tf.reduce_mean(bounds.create_bound(
        bound, model, xs, [_NUM_TIMESTEPS] * xs.shape[1],
        num_samples=num_particles, **options).log_p_hat)
    bias, = [v for v in tf.compat.v1.trainable_variables()
             if v.op.name.endswith("proposal_b_1")]
    gradient = tf.gradients(loss, bias)[0]
    train_op = tf.compat.v1.train.AdamOptimizer(3e-3).minimize(loss)
    session.run(tf.compat.v1.global_variables_initializer())
    gradients = [session.run(gradient) for _ in range(200)]
    for _ in range(num_steps):
      session.run(train_op)
    losses = [session.run(loss) for _ in range(100)]
  return np.std(gradients), np.mean(losses)


def compare_gradients(num_particles=4, num_filters=32, num_steps=500):
  """Prints a gradient's spread before learning, and the gap after it."""
  xs, likelihood = _data(num_filters)
  rows = []
  for bound, argument, name in _GRADIENTS:
    deviation, loss = _measure_gradient(
        xs, bound, num_particles, num_steps, **{argument: name})
    rows.append([bound, name, "%.4f" % deviation, "%.3f" % (likelihood + loss)])
  print(comparison.markdown(
      ["bound", "gradient", "std of a gradient",
       "gap after %d steps" % num_steps], rows))


def draw(path, particles, results):
  """Draws gap and standard deviation against the number of particles."""
  figure, (axes,) = figures.create((9.6, 4.), 1, 2)
  for column, (axis, title) in enumerate(zip(axes, (
      "log likelihood minus bound, nats",
      "standard deviation of log Z, nats"))):
    for label, values in results.items():
      axis.loglog(particles, np.maximum(values[:, column], 1e-3), marker=".",
                  linestyle="--" if "," in label else "-", label=label)
    axis.set_xlabel("particles")
    axis.set_title(title, fontsize=10)
  axes[-1].legend(fontsize=7)
  figures.save(path, figure, dpi=80)


def define_flags():
  """Defines the flag."""
  flags.DEFINE_string("out_file", "", "The PNG file to draw.")


def main(unused_argv):
  """Compares, prints and draws."""
  particles = [4, 8, 16]
  results = compare_filters(particles)
  compare_gradients()
  if flags.FLAGS.out_file:
    draw(flags.FLAGS.out_file, particles, results)
