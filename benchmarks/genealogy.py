"""Draws docs/images/genealogy.png: particles with and without resampling.

Particle filters of one sequence from the Gaussian hidden Markov model, with
the prior as their proposal: on the left without resampling, as in IWAE, on the
right with it, as in FIVO. One filter of each is drawn; the bounds in the titles
are averages over many. It takes some seconds and needs matplotlib.

  python benchmarks/genealogy.py --out_file=docs/images/genealogy.png
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../.."))
  from fivo.system import startup
  startup.run(__file__)

import collections

from absl import flags
import numpy as np
import tensorflow as tf

from fivo import smc
from fivo.models import base
from fivo.models import ghmm
from fivo.rendering import figures
from fivo.system import sessions

_SEED = 2

# Arrays of one filter, `[T, N]` and `[T]`; and log Z_hat of all filters, `[B]`,
# in nats. Weights are normalised, and from before resampling.
Filter = collections.namedtuple("Filter", (
    "proposed", "resampled_states", "trajectories", "weights", "resampled",
    "log_z_hats"))


def compute(num_timesteps=20, num_particles=8, num_filters=2000):
  """Computes the arguments of `draw`."""
  with tf.Graph().as_default():
    tf.compat.v1.set_random_seed(_SEED)
    model = ghmm.TrainableGaussianHMM(num_timesteps, "prior")
    with tf.compat.v1.Session(config=sessions.options()) as session:
      _, xs = session.run(model.sample(1, seed=_SEED))
      means, variances = model.smoothed(xs)
      return session.run([
          tf.constant(xs[:, 0]), means[:, 0], tf.sqrt(variances),
          model.likelihood(xs)[0]
      ] + [_run_filters(model, xs, num_particles, num_filters, criterion)
           for criterion in (smc.never_resample_criterion, smc.ess_criterion)])


def _run_filters(model, xs, num_particles, num_filters, criterion):
  """Makes the Tensors of a `Filter`."""
  num_steps = tf.fill([num_filters], len(xs))
  base.set_particle_observations(
      model, tf.tile(tf.constant(xs), [1, num_filters]), num_steps,
      num_particles)

  def transition_fn(state, t):
    if state is None:
      return model.zero_state(num_particles * num_filters)
    log_weights, z = model.propose_and_weight(state, t)
    return log_weights, z, z

  def collect(proposed, z, *unused_args):
    if proposed is None:
      return tf.TensorArray(tf.float32, len(xs))
    return proposed.write(unused_args[-1], z)

  result = smc.smc(
      transition_fn, num_steps, num_particles=num_particles,
      resampling_criterion=criterion, loop_fn=collect)
  trajectories = smc.trajectories(result.particle_states, result.ancestors)
  return Filter(
      proposed=result.final_loop_state.stack()[:, ::num_filters],
      resampled_states=result.particle_states[:, ::num_filters],
      trajectories=trajectories[:, ::num_filters],
      weights=tf.nn.softmax(result.log_weights[:, 0]),
      resampled=result.resampled[:, 0],
      log_z_hats=result.log_z_hat)


def draw(path, observations, means, stddevs, likelihood, *filters):
  """Draws the `Filter` without and the one with resampling, as a PNG file.

  Observations and the posterior's means and deviations are arrays `[T]`, the
  log likelihood is in nats.
  """
  figure, axes = figures.create(
      (9.6, 4.6), 2, 2, sharex=True, sharey="row",
      gridspec_kw={"height_ratios": [4, 1]})
  for (upper, lower), name, particles in zip(
      axes.T, ("IWAE: particles never resampled",
               "FIVO: resampled where few particles matter"), filters):
    steps = np.arange(len(observations))
    upper.fill_between(
        steps, means - 2 * stddevs, means + 2 * stddevs, color="tab:green",
        alpha=0.2, linewidth=0, label="exact posterior")
    _draw_particles(upper, particles)
    upper.plot(steps, observations, "x", color="black", markersize=5,
               label="observation", zorder=4)
    num_particles = particles.weights.shape[1]
    lower.plot(1. / np.sum(np.square(particles.weights), axis=1),
               color="tab:blue", marker=".", markersize=4, linewidth=1)
    lower.axhline(num_particles / 2, color="tab:orange", linewidth=1)
    lower.set_ylim(0, num_particles)
    lower.set_yticks([1, num_particles // 2, num_particles])
    lower.set_xticks(steps[::5])
    lower.set_xlabel("timestep")
    for axis in (upper, lower):
      for t in np.flatnonzero(particles.resampled):
        axis.axvline(t, color="tab:orange", linewidth=1, linestyle=":",
                     label="resampling")
    upper.set_title("%s\nbound %.1f nats, log likelihood %.1f" % (
        name, np.mean(particles.log_z_hats), likelihood), fontsize=10)
  axes[0, 0].set_ylabel("latent z")
  axes[1, 0].set_ylabel("effective\nsample size")
  # One entry for all lines with the same label.
  handles, labels = axes[0, 1].get_legend_handles_labels()
  legend = collections.OrderedDict(zip(labels, handles))
  figure.legend(legend.values(), legend.keys(), loc="lower center",
                ncol=6, fontsize=8, frameon=False)
  figures.save(path, figure, rect=(0, 0.04, 1, 1))


def _draw_particles(axis, particles):
  """Draws the proposed particles, the surviving paths and their weights."""
  steps = np.arange(len(particles.proposed))
  for t in steps[1:]:
    axis.plot([t - 1, t], [particles.resampled_states[t - 1],
                           particles.proposed[t]],
              color="0.8", linewidth=0.8, label="proposed")
  # Where paths have the same ancestor they lie on top of each other. The last
  # weights are equal if particles were just resampled.
  weights = particles.weights[-1]
  if particles.resampled[-1]:
    weights = np.full_like(weights, 1. / len(weights))
  for path, weight in zip(particles.trajectories.T, weights):
    axis.plot(steps, path, color="tab:blue", linewidth=1.5,
              alpha=max(weight, 0.05) ** 0.5, label="path of a last particle")
  axis.scatter(np.repeat(steps, particles.weights.shape[1]),
               particles.proposed.ravel(), s=60 * particles.weights.ravel(),
               color="tab:blue", linewidths=0, zorder=3,
               label="particle, its area the weight")


def define_flags():
  """Defines the flag."""
  flags.DEFINE_string("out_file", "genealogy.png", "The PNG file to write.")


def main(unused_argv):
  """Draws the picture `--out_file`."""
  draw(flags.FLAGS.out_file, *compute())
