"""A loop with its own gradient loop, made for a compiler.

TensorFlow's gradient of a loop stores every intermediate result of every
iteration, and accumulates the gradients of all weights in every iteration.
Compiled by XLA, nearly all of the time goes into those two. The loop here
stores only its state. Its gradient runs backwards, recomputes each iteration
from the stored state (Chen et al., Training Deep Nets with Sublinear Memory
Cost, 2016), and accumulates the gradients of the weights once per `CHUNK`
iterations, in one large matrix product per layer. On one core this makes a
compiled training step three times as fast. Uncompiled it is slower than
TensorFlow's, because every operation costs time whatever its size.

The weights and series that an iteration uses are found among its operations,
see `step_inputs.py`: models need not declare them.
"""

import functools

import tensorflow as tf

from fivo.compiled import step_inputs

# The results of this many iterations fit into a processor's cache.
CHUNK = 32


def scan(step, initial_state, initial_record, num_steps, max_num_steps):
  """Runs a step over time.

  A step is a callable `(t, state) -> (new_state, record)` of a scalar int32
  Tensor and nested Tensors of static shape. `initial_record` has the types and
  shapes of a record. The number of steps is a scalar int32 Tensor, at most T =
  `max_num_steps`. Returns the state after the last step, and the records,
  nested Tensors `[T, ...]`, zero from `num_steps` on.

  Gradients flow to the initial state, to the TensorArrays that the step reads
  at its timestep, and to the weights of its linear layers,
  `tf.nn.bias_add(tf.matmul(x, w), b)`, which are variables or computed from
  variables beforehand. Other weights, and random numbers, are a ValueError.
  """
  def flat_step(t, state):
    new_state, record = step(
        t, tf.nest.pack_sequence_as(initial_state, state))
    return tf.nest.flatten(new_state), tf.nest.flatten(record)

  state, records = _Scan(
      flat_step, tf.nest.flatten(initial_state), num_steps, max_num_steps).run()
  return (tf.nest.pack_sequence_as(initial_state, state),
          tf.nest.pack_sequence_as(initial_record, records))


class _Scan(object):
  """A loop over lists of Tensors and its gradient; for arguments see `scan`."""

  def __init__(self, step, initial_state, num_steps, max_num_steps):
    self._step = step
    self._initial_state = [tf.convert_to_tensor(x) for x in initial_state]
    self._num_steps = num_steps
    self._max_num_steps = max_num_steps
    # A step outside the loop; only its shapes are used.
    new_state, self._records, self._inputs = step_inputs.build(
        step, tf.constant(0), self._initial_state)
    self._weights = [weights for product in self._inputs.products
                     for weights in (product.w, product.b)]
    self._refuse_random_numbers(new_state + self._records)
    self._refuse_other_weights(new_state + self._records)
    self._states = None  # A list of Tensors [T, ...], before each step.

  def run(self):
    """Runs the loop forwards; returns the final state and the records."""
    final_state, records = self._run_forwards()
    results = final_state + records
    with_gradient = iter(_attach_gradient(
        _floats(results),
        _floats(self._initial_state) +
        [read.source for read in self._inputs.reads] +
        [tf.convert_to_tensor(weights) for weights in self._weights],
        self._gradient))
    results = [next(with_gradient) if x.dtype.is_floating else x
               for x in results]
    return results[:len(final_state)], results[len(final_state):]

  def _refuse_random_numbers(self, results):
    """Refuses a step whose results would differ when recomputed."""
    for op in self._inputs.random_ops:
      if any(step_inputs.depends_on(result, [op]) for result in results):
        raise ValueError(
            "%s: a compiled step must not draw random numbers; train without "
            "--xla" % op.name)

  def _refuse_other_weights(self, results):
    """Refuses weights that would get no gradient."""
    variables = tf.compat.v1.trainable_variables()
    gradients = tf.gradients(
        _floats(results), variables, stop_gradients=_floats(
            self._initial_state +
            [read.value for read in self._inputs.reads] +
            [product.outputs for product in self._inputs.products]))
    for gradient, variable in zip(gradients, variables):
      if gradient is not None:
        raise ValueError(
            "%s: a compiled step may use it in a linear layer only, "
            "tf.nn.bias_add(tf.matmul(x, w), b)" % variable.op.name)

  def _run_forwards(self):
    """Returns the final state and the records, and stores the states."""
    def body(t, state, states, records):
      new_state, record = self._step(t, state)
      return (t + 1, new_state, _write(states, t, state),
              _write(records, t, record))

    _, final_state, states, records = tf.while_loop(
        lambda t, *_: t < self._num_steps, body,
        (tf.constant(0), self._initial_state,
         _arrays(self._initial_state, self._max_num_steps),
         _arrays(self._records, self._max_num_steps)),
        parallel_iterations=1)
    self._states = [array.stack() for array in states]
    return list(final_state), [array.stack() for array in records]

  def _gradient(self, gradients):
    """Runs the loop backwards, from the gradients of its float results.

    Returns the gradients of the initial state, the reads' sources, and the
    weights.
    """
    num_states = len(_floats(self._initial_state))
    _, state_grads, read_grads, weight_grads = tf.while_loop(
        lambda end, *_: end > 0,
        functools.partial(self._backward_chunk, gradients[num_states:]),
        (self._num_steps, gradients[:num_states],
         _arrays([read.value for read in self._inputs.reads],
                 self._max_num_steps),
         [tf.zeros(x.shape, x.dtype.base_dtype) for x in self._weights]),
        parallel_iterations=1)
    return (list(state_grads) + [array.stack() for array in read_grads] +
            list(weight_grads))

  def _backward_chunk(self, record_grads, end, state_grads, read_grads,
                      weight_grads):
    """Runs up to `CHUNK` steps backwards, from the one before `end`.

    Other arguments are lists of gradients; `read_grads` are TensorArrays, and
    `weight_grads` are accumulated.
    """
    # Chunks are aligned to the first step.
    start = (end - 1) // CHUNK * CHUNK
    products = self._inputs.products
    _, state_grads, read_grads, inputs, product_grads = tf.while_loop(
        lambda t, *_: t >= start,
        functools.partial(self._backward_step, record_grads, start),
        (end - 1, state_grads, read_grads,
         _arrays([product.inputs for product in products], CHUNK),
         _arrays([product.outputs for product in products], CHUNK)),
        parallel_iterations=1)
    chunk_grads = []
    for product_inputs, product_grad in zip(inputs, product_grads):
      chunk_grads.extend(_weight_gradients(
          product_inputs.stack(), product_grad.stack()))
    return (start, list(state_grads), list(read_grads),
            [x + y for x, y in zip(weight_grads, chunk_grads)])

  def _backward_step(self, record_grads, start, t, state_grads, read_grads,
                     inputs, product_grads):
    """Runs a step backwards; writes its products at entry `t - start`."""
    state = [tf.gather(states, t) for states in self._states]
    new_state, record, found = step_inputs.build(self._step, t, state)
    products = [product.outputs for product in found.products]
    xs = _floats(state) + [read.value for read in found.reads] + products
    gradients = tf.gradients(
        _floats(new_state) + _floats(record), xs, grad_ys=list(state_grads) +
        [tf.gather(gradient, t) for gradient in record_grads])
    gradients = [tf.zeros_like(x) if gradient is None else gradient
                 for x, gradient in zip(xs, gradients)]
    num_states, num_reads = len(state_grads), len(read_grads)
    return (
        t - 1, gradients[:num_states],
        _write(read_grads, t, gradients[num_states:num_states + num_reads]),
        _write(inputs, t - start,
               [product.inputs for product in found.products]),
        _write(product_grads, t - start, gradients[num_states + num_reads:]))


def _floats(tensors):
  return [x for x in tensors if x.dtype.is_floating]


def _arrays(tensors, size):
  """TensorArrays of the given size, with entries shaped as the Tensors."""
  return [tf.TensorArray(
      x.dtype, size, element_shape=x.shape, clear_after_read=False)
          for x in tensors]


def _write(arrays, t, values):
  return [array.write(t, value) for array, value in zip(arrays, values)]


def _weight_gradients(inputs, output_grads):
  """The gradients of w and b of a linear layer on `[CHUNK, rows, size]`."""
  inputs, output_grads = [
      tf.reshape(x, [-1, x.shape[2]]) for x in (inputs, output_grads)]
  return (tf.matmul(inputs, output_grads, transpose_a=True),
          tf.reduce_sum(output_grads, axis=0))


def _attach_gradient(values, arguments, gradient_fn):
  """The values, as a function of `arguments` with gradient `gradient_fn`."""
  @tf.custom_gradient
  def attach_gradient(*unused_arguments):
    return ([_detach(value) for value in values],
            lambda *gradients: gradient_fn(list(gradients)))

  return attach_gradient(*arguments)


def _detach(x):
  """Detaches a float Tensor from the operations that computed it.

  TensorFlow's search for gradient paths passes through `tf.stop_gradient`, and
  would build a gradient loop of zeros. It does not pass through integers.
  """
  as_int = {2: tf.int16, 4: tf.int32, 8: tf.int64}[x.dtype.size]
  return tf.bitcast(tf.bitcast(x, as_int), x.dtype)
