"""The training step compiled by XLA: `--xla`.

XLA compiles the whole step, encoders, particle filter and gradient, into one
program. It recompiles for each shape, so batches are padded to one of a few
lengths, `LENGTHS`. That costs little: the filter and its gradient take no more
steps than the longest sequence has. Random numbers (TensorFlow's), summaries,
checks and Adam stay outside.
"""

import os
import time

import tensorflow as tf
from tensorflow.python.compiler.xla import xla

from fivo.compiled import noise as noise_lib
from fivo.system import log

# For products as small as here, threads and calls out of the compiled program
# cost more than they save: a third of the time.
_OPTIONS = (
    "--xla_cpu_multi_thread_eigen=false "
    "--xla_backend_extra_options=xla_force_enable_experimental_llvm_ir_gemm")

# Batches of JSB take two of these lengths, those of larger datasets six.
LENGTHS = tuple(128 << octave for octave in range(24))


def configure():
  """Sets XLA's options, unless XLA_FLAGS does, and uses resource variables."""
  if not os.environ.get("XLA_FLAGS"):
    os.environ["XLA_FLAGS"] = _OPTIONS
  # XLA supports no others.
  tf.compat.v1.get_variable_scope().set_use_resource(True)


def padded_length(length):
  """The smallest of `LENGTHS` not below a scalar int32 Tensor."""
  lengths = tf.constant(LENGTHS, tf.int32)
  return lengths[tf.searchsorted(lengths, length[tf.newaxis])[0]]


def compile_step(function, model, observations, seq_lengths, num_particles,
                 seed=None):
  """Compiles a function `(observations, seq_lengths, run_filter) -> Tensors`.

  The model is a `TrainableRecurrentModel`, observations are a pair of float
  Tensors `[T, B, data_size]`, B static, and `seed` is the op seed of the noise.
  Returns the results, and the padded length, an int32 Tensor.
  """
  batch_size = tf.compat.dimension_value(seq_lengths.shape[0])
  assert batch_size is not None, "--xla needs a static batch size"
  length = padded_length(tf.shape(observations[0])[0])
  padded = [_pad(x, length) for x in observations]
  noise = noise_lib.draw_noise(
      length, num_particles, batch_size, model.latent_size, seed)

  def compute(inputs, targets, seq_lengths, *noise):
    return function((inputs, targets), seq_lengths, noise_lib.FixedNoiseFilter(
        model, noise_lib.Noise(*noise)))

  results = xla.compile(
      compute, padded + [tf.cast(seq_lengths, tf.int32)] + list(noise))
  return results, length


def _pad(x, length):
  """Pads a Tensor `[T, B, size]` with zeros to a length."""
  padded = tf.pad(x, [[0, length - tf.shape(x)[0]], [0, 0], [0, 0]])
  padded.set_shape([None] + x.shape[1:].as_list())
  return padded


class CompilationHook(tf.compat.v1.train.SessionRunHook):
  """Logs how long the first step of each length took, most of it compiling."""

  def __init__(self, length):
    """Takes the length that `compile_step` returned."""
    self._length = length
    self._start = None
    self._seen = set()

  def before_run(self, run_context):
    """Fetches the length."""
    self._start = time.time()
    return tf.compat.v1.train.SessionRunArgs(self._length)

  def after_run(self, run_context, run_values):
    """Logs a new length."""
    length = int(run_values.results)
    if length not in self._seen:
      self._seen.add(length)
      log.info("Compiled the step for batches of up to %d timesteps: "
               "%.1f s.", length, time.time() - self._start)
