"""Measures the gap of FIVO and SIXO to the likelihood of a Gaussian HMM.

The proposal, of the family of the exact smoothing conditionals, is learned by
the bound; SIXO's twist by density-ratio estimation, one step of it after each
of the bound. One chain is observed at every step, the other at its last only.
Takes some minutes on two cores.

  python -m benchmarks.sixo --steps=3000
"""

if __name__ == "__main__":
  from fivo.system import startup
  startup.run(__file__)

from absl import flags
import numpy as np
import tensorflow as tf

from fivo import bounds
from fivo import twists
from fivo.models import ghmm
from fivo.training import optimization

NUM_TIMESTEPS, NUM_PARTICLES, BATCH, TEST_BATCH = 10, 4, 32, 4096
CHAINS = {"every step": 1., "last step": [0.] * (NUM_TIMESTEPS - 1) + [1.]}
# Lower for the last half of the steps.
_LEARNING_RATES = (.02, .002)


def measure(create_bound, emission_weights, num_steps):
  """Trains on `bounds.fivo` or `sixo`; returns gaps `[TEST_BATCH]` in nats."""
  is_twisted = create_bound is bounds.sixo
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.set_random_seed(1)
    learning_rate = tf.compat.v1.placeholder(tf.float32, [])
    model = ghmm.TrainableGaussianHMM(
        NUM_TIMESTEPS, "smoothing", .1, .1, emission_weights=emission_weights,
        twist="learned" if is_twisted else None)
    losses = [tf.reduce_mean(_gaps(create_bound, model, BATCH))]
    test_gaps = _gaps(create_bound, model, TEST_BATCH)
    if is_twisted:
      losses.append(twists.density_ratio_loss(
          model, *model.sample(BATCH), [NUM_TIMESTEPS] * BATCH))
    train_ops = [
        optimization.create_train_op(
            loss, "gap", learning_rate, is_counted=False,
            grads_and_vars=optimization.compute_gradients(loss, [
                x for x in tf.compat.v1.trainable_variables()
                if twists.is_of_twist(x) == is_twist_step]))
        for is_twist_step, loss in enumerate(losses)]
    session.run(tf.compat.v1.global_variables_initializer())
    for rate in _LEARNING_RATES:
      for _ in range(num_steps // len(_LEARNING_RATES)):
        for train_op in train_ops:
          session.run(train_op, {learning_rate: rate})
    return session.run(test_gaps)


def _gaps(create_bound, model, batch_size):
  """Gaps `[B]` of sequences drawn from a model, in nats."""
  _, xs = model.sample(batch_size)
  return model.likelihood(xs) - create_bound(
      model, xs, [NUM_TIMESTEPS] * batch_size,
      num_samples=NUM_PARTICLES).log_p_hat


def define_flags():
  """Defines the flag."""
  flags.DEFINE_integer("steps", 3000, "The number of steps of the bound.", 1)


def main(unused_argv):
  """Prints a row for each chain and bound."""
  print("| observed | bound | gap, nats | standard error |\n"
        "| --- | --- | --- | --- |")
  for chain, emission_weights in CHAINS.items():
    for create_bound in (bounds.fivo, bounds.sixo):
      gaps = measure(create_bound, emission_weights, flags.FLAGS.steps)
      print("| %s | %s | %.4f | %.4f |" % (
          chain, create_bound.__name__.upper(), gaps.mean(),
          gaps.std() / np.sqrt(len(gaps))), flush=True)
