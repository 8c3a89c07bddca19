"""The inputs of a loop's step from outside: weights, and series it reads.

A gradient loop that knows these can replace TensorFlow's, see
`rematerialization.py`. They are found in the graph, among the operations that a
step added: those that multiply by variables, and those that read a TensorArray.
"""

import collections

import tensorflow as tf

# A linear layer: Tensors [rows, size], and its weights and biases, which are
# variables or were computed from variables before the step.
Product = collections.namedtuple("Product", ("inputs", "outputs", "w", "b"))
# A read of a TensorArray, and the Tensor [T, ...] that was unstacked into it.
Read = collections.namedtuple("Read", ("source", "value"))

# The inputs of a step, as lists: linear layers with trainable weights, reads of
# series that depend on trainable variables, and operations that draw random
# numbers (some of them to initialize variables).
StepInputs = collections.namedtuple(
    "StepInputs", ("products", "reads", "random_ops"))

# Operations that pass a Tensor on unchanged, into a loop or from a variable.
_TRANSPARENT = ("Enter", "RefEnter", "Identity", "ReadVariableOp")


def build(step, t, state):
  """Builds step t; returns its new state, its record and its `StepInputs`."""
  graph = tf.compat.v1.get_default_graph()
  num_before = len(graph.get_operations())
  new_state, record = step(t, state)
  inputs = StepInputs([], [], [])
  variables = {v.op: v for v in tf.compat.v1.trainable_variables()}
  step_ops = graph.get_operations()[num_before:]
  for op in step_ops:
    if op.type == "BiasAdd":
      inputs.products.extend(_products(op, variables, step_ops))
    elif op.type == "TensorArrayReadV3":
      inputs.reads.extend(_reads(op, t, variables))
    elif op.op_def.is_stateful and (
        op.type.startswith("Random") or op.type == "Multinomial"):
      inputs.random_ops.append(op)
  return new_state, record, inputs


def _products(op, variables, step_ops):
  """Lists the `Product` that a BiasAdd completes, if any."""
  product = op.inputs[0].op
  if product.type != "MatMul" or (
      product.get_attr("transpose_a") or product.get_attr("transpose_b")):
    return []
  w, b = [_weights(x, variables, step_ops)
          for x in (product.inputs[1], op.inputs[1])]
  if w is None or b is None:
    return []
  return [Product(product.inputs[0], op.outputs[0], w, b)]


def _weights(tensor, variables, step_ops):
  """The trainable weights whose value a Tensor is, or None."""
  origin = _origin(tensor)
  if origin.op in variables:
    return variables[origin.op]
  if origin.op in step_ops or not depends_on(origin, variables):
    return None
  return origin  # Computed before the step: masked, for example.


def _reads(op, t, variables):
  """Lists the `Read` that an operation does, if it needs a gradient."""
  scatter = _origin(op.inputs[2]).op
  if scatter.type != "TensorArrayScatterV3":
    return []
  source = scatter.inputs[2]
  if not depends_on(source, variables):
    return []
  if op.inputs[1] is not t:
    raise ValueError(
        "%s: a compiled step may read it at its own timestep only" %
        source.name)
  return [Read(source, op.outputs[0])]


def _origin(tensor):
  """The original of a Tensor that was passed on unchanged."""
  while tensor.op.type in _TRANSPARENT:
    tensor = tensor.op.inputs[0]
  return tensor


def depends_on(tensor, ops):
  """True if a Tensor depends on any of the operations."""
  pending, seen = [tensor.op], set()
  while pending:
    op = pending.pop()
    if op in ops:
      return True
    if op not in seen:
      seen.add(op)
      pending.extend(x.op for x in op.inputs)
  return False
