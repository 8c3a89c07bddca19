"""Tests of the particle filter in itself.

Statistical ones are in bounds_test.py and resampling/gradients_test.py.
"""

import contextlib
import functools
import inspect

import numpy as np
import pytest
import tensorflow as tf

from fivo import smc


def unoptimized():
  """The configuration of a session without Grappler.

  It would take longer than all the rest. The tests that it might concern, of
  random numbers and of the reference figures, run in ordinary sessions.
  """
  config = tf.compat.v1.ConfigProto()
  config.graph_options.rewrite_options.disable_meta_optimizer = True
  return config


@contextlib.contextmanager
def new_session(seed=None):
  """A session on a graph of its own, both current."""
  with tf.Graph().as_default() as graph:
    tf.compat.v1.set_random_seed(seed)
    with tf.compat.v1.Session(graph=graph, config=unoptimized()) as session:
      yield session


def evaluate(build, seed=None):
  """What `build`, called in a new graph, evaluates to in a new session."""
  with new_session(seed) as session:
    fetches = build()
    session.run(tf.compat.v1.global_variables_initializer())
    return session.run(fetches)


def table_transition(increments):
  """Particles that count the steps, with given weights `[T, N*B]`."""
  increments = tf.convert_to_tensor(increments)

  def transition(state, t):
    if state is None:
      return tf.zeros(tf.shape(increments)[1:], increments.dtype)
    return increments[t], state + 1

  return transition


def rotate(log_weights, states, num_particles, batch_size):
  """Particle n becomes particle n + 1 of its filter: no randomness."""
  del log_weights
  rows = tf.reshape(
      tf.range(num_particles * batch_size), [num_particles, batch_size])
  rows = tf.reshape(tf.concat([rows[1:], rows[:1]], axis=0), [-1])
  return tf.nest.map_structure(lambda x: tf.gather(x, rows), states)


def odd_steps(log_weights, t):
  """A criterion of a user's own."""
  return tf.fill([tf.shape(log_weights)[1]], tf.equal(t % 2, 1))


# Arguments -------------------------------------------------------------------


def test_signature_and_result():
  assert str(inspect.signature(smc.smc)).startswith(
      "(transition_fn, num_steps, num_particles=1, resampling_criterion=")
  assert list(inspect.signature(smc.smc).parameters)[4:8] == [
      "resampling_fn", "loop_fn", "parallel_iterations", "swap_memory"]
  log_z_hat, log_weights, resampled, state, loop_state = evaluate(
      lambda: smc.smc(table_transition([[1.], [2.]]), tf.constant([2])))
  assert (log_z_hat, state, loop_state) == ([3.], [2.], 0)
  np.testing.assert_array_equal(log_weights, [[[1.]], [[3.]]])
  np.testing.assert_array_equal(resampled, [[0.], [0.]])


def test_a_resampling_fn_with_any_further_parameter():
  """One that happened to be called t, say, was handed the timestep."""
  def resampling_fn(log_weights, states, num_particles, batch_size, t=7):
    assert t == 7
    return rotate(log_weights, states, num_particles, batch_size)

  def build():
    result = smc.smc(table_transition(tf.zeros([3, 4])), [3, 2], 2,
                     smc.always_resample_criterion, resampling_fn)
    assert result.ancestors is None  # It tells none.
    return result.log_z_hat

  np.testing.assert_array_equal(evaluate(build), [0., 0.])


@pytest.mark.parametrize("num_particles", [
    lambda: np.int64(4), lambda: tf.compat.v1.placeholder_with_default(
        np.int64(4), [])])
@pytest.mark.parametrize("lengths", [
    (3, 2), np.array([3, 2], np.int32), np.array([3, 2], np.int64)])
def test_numbers_and_lengths_of_any_integer_type(lengths, num_particles):
  table = np.random.RandomState(0).normal(size=[3, 8], scale=3.)
  one, other = evaluate(lambda: [
      smc.smc(table_transition(table), *args, resampling_fn=rotate)
      for args in ((lengths, num_particles()), ([3, 2], 4))])
  for x, y in zip(one, other):
    np.testing.assert_allclose(x, y)


def test_numbers_that_are_no_integers():
  for number in (1.5, "2", None, np.float32(2.)):
    with tf.Graph().as_default(), pytest.raises(TypeError):
      smc.smc(table_transition(tf.zeros([2, 4])), [2, 1], number)


def test_a_criterion_may_answer_for_all_filters_at_once():
  resampled = evaluate(lambda: smc.smc(
      table_transition(tf.zeros([3, 4])), [3, 1], 2,
      lambda log_weights, t: tf.equal(t % 2, 0)).resampled)
  np.testing.assert_array_equal(resampled, [[1, 1], [0, 0], [1, 0]])


def test_static_shapes():
  """Known ones survive, and a known state goes with unknown lengths."""
  with new_session() as session:
    lengths = tf.compat.v1.placeholder(tf.int32, [None])
    unknown, known = [
        smc.smc(table_transition(tf.ones([3, 4])), x, num_particles,
                smc.always_resample_criterion)
        for x, num_particles in ((lengths, 4), (tf.constant([3, 2]), 2))]
    assert session.run(unknown.log_z_hat, {lengths: [3]}) == [3.]
  assert known.log_z_hat.shape.as_list() == [2]
  assert known.log_weights.shape.as_list()[1:] == [2, 2]
  assert known.resampled.shape.as_list()[1:] == [2]
  assert known.final_particle_state.shape.as_list() == [4]


def test_tensor_arrays_in_a_state():
  """A model may collect things along the way where nothing is resampled."""
  def transition(state, t):
    if state is None:
      return tf.zeros([4]), tf.TensorArray(tf.float32, 3, element_shape=[4])
    return tf.ones([4]), (state[0] + 1., state[1].write(t, state[0]))

  def build():
    result = smc.smc(transition, [3, 2], 2, smc.never_resample_criterion)
    assert result.particle_states == ()
    return result.final_particle_state[1].stack()

  np.testing.assert_array_equal(
      evaluate(build), [[0.] * 4, [1.] * 4, [2.] * 4])


# loop_fn ---------------------------------------------------------------------


def _sevens(log_weights, states, num_particles, batch_size):
  del log_weights, num_particles, batch_size
  return tf.nest.map_structure(lambda x: tf.fill(tf.shape(x), 7.), states)


def test_loop_fn_sees_what_the_contract_says():
  table = np.random.RandomState(1).normal(size=[4, 6]).astype(np.float32)
  calls = []

  def loop_fn(loop_state, *args):
    """Writes its arguments into TensorArrays."""
    calls.append((loop_state,) + args)
    if loop_state is None:
      return [tf.TensorArray(tf.float32, 4) for _ in range(5)]
    _, state, log_weights, resampled, mask, t = args
    values = [state, log_weights, resampled, mask, tf.cast(t, tf.float32)]
    return [ta.write(t, value) for ta, value in zip(loop_state, values)]

  def build():
    result = smc.smc(table_transition(table), tf.constant([4, 2]), 3,
                     odd_steps, _sevens, loop_fn=loop_fn)
    return [ta.stack() for ta in result.final_loop_state], result[:4]

  (state, log_weights, resampled, mask, t), expected = evaluate(build)
  assert calls[0] == (None, None, None, None, None, None, -1)
  assert len(calls) == 2, "the loop's body is built once"
  assert calls[1][1] is None, "this transition gives no loop_args"
  np.testing.assert_array_equal(t, [0, 1, 2, 3])
  # The state after resampling: filter 0 resamples at 1 and 3, filter 1 at 1.
  np.testing.assert_array_equal(
      state, np.tile([[1, 1], [7, 7], [8, 8], [7, 9]], [1, 3]))
  np.testing.assert_array_equal(state[-1], expected[3])
  np.testing.assert_array_equal(resampled, expected[2])
  np.testing.assert_array_equal(resampled, [[0, 0], [1, 1], [0, 0], [1, 0]])
  # The weights before the reset, [N, B] where the result has [B, N].
  np.testing.assert_array_equal(log_weights.transpose([0, 2, 1]), expected[1])
  np.testing.assert_allclose(
      log_weights[1], table[:2].sum(0).reshape([3, 2]), rtol=1e-6)
  np.testing.assert_array_equal(
      mask, np.tile([[1, 1], [1, 1], [1, 0], [1, 0]], [1, 3]))


def test_loop_fn_gets_loop_args():
  def transition(state, t):
    if state is None:
      return tf.zeros([2])
    return tf.zeros([2]), state, {"twice": 2 * t}

  def loop_fn(loop_state, loop_args, *unused_args):
    return 0 if loop_state is None else loop_state + loop_args["twice"]

  result = evaluate(lambda: smc.smc(
      transition, tf.constant([5]), 2, loop_fn=loop_fn).final_loop_state)
  assert result == 2 * (0 + 1 + 2 + 3 + 4)


# Gradients -------------------------------------------------------------------


@pytest.mark.parametrize("resampling_fn", [
    functools.partial(smc.multinomial_resampling, random_seed=1),
    functools.partial(smc.relaxed_resampling, random_seed=1, temperature=.3)
])
def test_gradients_agree_with_finite_differences(resampling_fn):
  """Multinomial ancestors are locally constant: no score function term."""
  noise = np.random.RandomState(2).normal(size=[3, 8])

  def bound_and_gradient(value):
    theta = tf.constant(value, tf.float64)

    def transition(state, t):
      if state is None:
        return tf.zeros([8], tf.float64)
      state = tf.tanh(theta * state + tf.constant(noise)[t])
      return -2. * tf.square(state - .7 * theta), state

    bound = tf.reduce_sum(smc.smc(
        transition, tf.constant([3, 2]), 4, smc.always_resample_criterion,
        resampling_fn).log_z_hat)
    return bound, tf.gradients(bound, theta)[0]

  values = [.5 - 1e-5, .5, .5 + 1e-5]
  results = [evaluate(functools.partial(bound_and_gradient, value), seed=4)
             for value in values]
  difference = (results[2][0] - results[0][0]) / 2e-5
  assert abs(difference) > 1e-3
  assert results[1][1] == pytest.approx(difference, rel=1e-6)


# Seeds -----------------------------------------------------------------------


def _random_ops(graph):
  return [op for op in graph.get_operations()
          if op.type in ("RandomStandardNormal", "RandomUniform", "Multinomial")
          and "while" in op.name]


def _ancestors_within_step(ops):
  """The ops of one iteration of a loop that these wait for, and they."""
  seen, pending = set(), list(ops)
  while pending:
    op = pending.pop()
    if op in seen:
      continue
    seen.add(op)
    if op.type not in ("Enter", "Merge"):
      pending.extend([x.op for x in op.inputs] + list(op.control_inputs))
  return seen


def _waits_for_itself(op):
  """Whether an op in a loop waits for its own run of the step before."""
  backward_edges = [
      x.op for merge in _ancestors_within_step([op]) if merge.type == "Merge"
      for x in merge.inputs if x.op.type == "NextIteration"]
  return op in _ancestors_within_step(backward_edges)


@pytest.mark.parametrize("resampling_fn",
                         [smc.multinomial_resampling, smc.relaxed_resampling])
def test_draws_are_made_in_the_order_of_time(resampling_fn):
  """With known shapes a draw may depend on nothing, and run in any order.

  Repeated runs would show that but rarely, so the graph is looked at.
  """
  def transition(state, unused_t):
    if state is None:
      return tf.zeros([6, 2])
    noise = tf.random.normal([6, 2], seed=8)
    return tf.constant([0., 1., 2., 3., 4., 5.]), state + noise

  with tf.Graph().as_default() as graph:
    smc.smc(transition, tf.constant([40, 30]), 3,
            smc.always_resample_criterion,
            functools.partial(resampling_fn, random_seed=5))
    draws = _random_ops(graph)
    assert len(draws) == 2
    for op in draws:
      assert _waits_for_itself(op), op.name


def test_the_stream_does_not_depend_on_who_resamples():
  """Ancestors are drawn at every step, whether or not a filter takes them."""
  def final_state(lengths):
    return smc.smc(
        lambda state, t: tf.range(8) if state is None else (
            tf.zeros([8]), tf.range(8)),
        tf.constant([4, 4]), 4,
        lambda w, t: tf.logical_or(tf.equal(t, 3), t < lengths),
        functools.partial(smc.multinomial_resampling, random_seed=9)
    ).final_particle_state

  runs = [evaluate(lambda x=x: final_state(x), seed=1)
          for x in ([0, 0], [3, 0], [3, 3])]
  np.testing.assert_array_equal(runs[0], runs[1])
  np.testing.assert_array_equal(runs[0], runs[2])
