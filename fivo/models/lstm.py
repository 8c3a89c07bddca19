"""An LSTM cell as a single fused operation.

Inside the particle filter's loop a cell's dozen small operations, and the two
dozen of their gradient, cost more than its matrix product. TensorFlow's
`LSTMBlockCell` kernel fuses them all. The variables are those of `LSTMCell`.
"""

import tensorflow as tf
from tensorflow.python.ops import control_flow_util
from tensorflow.python.ops import gen_rnn_ops

_GRADIENT = "FivoLSTMBlockCell"


class LSTMCell(tf.compat.v1.nn.rnn_cell.LSTMCell):
  """A fused `tf.nn.rnn_cell.LSTMCell` without options.

  Hochreiter & Schmidhuber, Long Short-Term Memory, 1997, with a forget gate
  whose bias starts at one. Inputs and states are float32 Tensors of rank 2.
  """

  def call(self, inputs, state):
    """The output `[batch, num_units]`, and the new `LSTMStateTuple`."""
    if inputs.dtype != tf.float32 or _is_compiled():
      return self._call_unfused(inputs, state)
    no_peephole = tf.zeros([self._num_units])
    graph = tf.compat.v1.get_default_graph()
    with graph.gradient_override_map({"LSTMBlockCell": _GRADIENT}):
      cell = gen_rnn_ops.lstm_block_cell(
          x=inputs, cs_prev=state.c, h_prev=state.h, w=self._kernel,
          b=self._bias, wci=no_peephole, wcf=no_peephole, wco=no_peephole,
          forget_bias=1., cell_clip=-1., use_peephole=False)  # No clipping.
    return cell.h, tf.nn.rnn_cell.LSTMStateTuple(cell.cs, cell.h)

  def _call_unfused(self, inputs, state):
    """As `call`, for any dtype and in operations that XLA supports."""
    gates = tf.nn.bias_add(
        tf.matmul(tf.concat([inputs, state.h], axis=1), self._kernel),
        self._bias)
    i, j, f, o = tf.split(gates, 4, axis=1)
    c = tf.sigmoid(f + 1.) * state.c + tf.sigmoid(i) * tf.tanh(j)
    h = tf.sigmoid(o) * tf.tanh(c)
    return h, tf.nn.rnn_cell.LSTMStateTuple(c, h)


def _is_compiled():
  """True if XLA will compile the operations being built."""
  return control_flow_util.GraphOrParentsInXlaContext(
      tf.compat.v1.get_default_graph())


@tf.RegisterGradient(_GRADIENT)
def _lstm_block_cell_grad(op, *grads):
  """The gradients of one step's inputs, state, kernel and bias."""
  x, cs_prev, h_prev, w, wci, wcf, wco, b = op.inputs
  i, cs, f, o, ci, co, _ = op.outputs
  cs_grad, h_grad = grads[1], grads[6]
  cs_prev_grad, gates_grad, _, _, _ = gen_rnn_ops.lstm_block_cell_grad(
      x=x, cs_prev=cs_prev, h_prev=h_prev, w=w, wci=wci, wcf=wcf, wco=wco, b=b,
      i=i, cs=cs, f=f, o=o, ci=ci, co=co, cs_grad=cs_grad, h_grad=h_grad,
      use_peephole=False)
  xh_grad = tf.matmul(gates_grad, w, transpose_b=True)
  x_grad, h_prev_grad = tf.split(
      xh_grad, [x.shape[1].value, h_prev.shape[1].value], axis=1)
  w_grad = tf.matmul(
      tf.concat([x, h_prev], axis=1), gates_grad, transpose_a=True)
  b_grad = tf.raw_ops.BiasAddGrad(out_backprop=gates_grad)
  return (x_grad, cs_prev_grad, h_prev_grad, w_grad, None, None, None, b_grad)
