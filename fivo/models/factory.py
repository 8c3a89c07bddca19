"""Building a VRNN or an SRNN from multilayer perceptrons and an LSTM."""

import functools
import inspect
import numbers

from fivo.models import base
from fivo.models import lstm
from fivo.models import mlp


def create_recurrent(model_class,
                     data_size,
                     latent_size,
                     emission_class,
                     rnn_hidden_size=None,
                     fcnet_hidden_sizes=None,
                     encoded_data_size=None,
                     encoded_latent_size=None,
                     sigma_min=0.0,
                     raw_sigma_bias=0.25,
                     emission_bias_init=0.0,
                     use_tilt=False,
                     proposal_type="filtering",
                     initializers=None,
                     random_seed=None,
                     emission_sigma_min=None,
                     use_twist=False):
  """Builds a trainable VRNN or SRNN from multilayer perceptrons and an LSTM.

  Args:
    model_class: `TrainableVRNN`, `TrainableSRNN` or a subclass.
    data_size: The dimension of an observation.
    latent_size: The dimension of a latent.
    emission_class: The class of the emission and the tilt, for example
      `base.ConditionalBernoulliDistribution`.
    rnn_hidden_size: The size of the LSTM. This and the next three default to
      `latent_size`.
    fcnet_hidden_sizes: A list, the hidden layer sizes of every MLP.
    encoded_data_size: The size of an encoded observation.
    encoded_latent_size: The size of an encoded latent.
    sigma_min: The smallest scale of the prior and the proposal.
    raw_sigma_bias: Added to the raw scale of both before the softplus.
    emission_bias_init: Added to the logits of a Bernoulli emission and tilt: a
      float, or a float Tensor or array `[data_size]`.
    use_tilt: If true, builds a tilt, for fivo-aux.
    proposal_type: "prior", "filtering" or "smoothing".
    initializers: None, or a dict with initializers for "w" (including the
      LSTM's kernel) and "b". Defaults to Glorot uniform and zeros.
    random_seed: The op seed of all samples, or None.
    emission_sigma_min: The smallest scale of a Normal emission. Without one
      (the default, as in the original code) exact silence in audio lets the
      bound grow without limit.
    use_twist: If true, builds a twist, for SIXO.

  Returns:
    A `model_class`.
  """
  if initializers is None:
    initializers = base.DEFAULT_INITIALIZERS
  if fcnet_hidden_sizes is None:
    fcnet_hidden_sizes = [latent_size]

  def new_mlp(output_size, name):
    return mlp.MLP(list(fcnet_hidden_sizes) + [output_size],
                   initializers=initializers, name=name)

  new_cell = functools.partial(
      lstm.LSTMCell, rnn_hidden_size or latent_size,
      initializer=initializers.get("w"))
  new_normal = dict(
      size=latent_size, hidden_layer_sizes=fcnet_hidden_sizes,
      sigma_min=sigma_min, raw_sigma_bias=raw_sigma_bias,
      initializers=initializers)
  new_emission = functools.partial(
      emission_class, size=data_size, hidden_layer_sizes=fcnet_hidden_sizes,
      initializers=initializers,
      **_emission_options(emission_class, emission_bias_init,
                          emission_sigma_min))
  smoothing = proposal_type == "smoothing"
  proposal = None
  if proposal_type != "prior":
    proposal = base.NormalApproximatePosterior(
        smoothing=smoothing, name="approximate_posterior", **new_normal)
  return model_class(
      rnn_cell=new_cell(),
      data_encoder=new_mlp(encoded_data_size or latent_size, "data_encoder"),
      latent_encoder=new_mlp(
          encoded_latent_size or latent_size, "latent_encoder"),
      transition=base.ConditionalNormalDistribution(name="prior", **new_normal),
      emission=new_emission(name="generative"),
      proposal_type=proposal_type,
      proposal=proposal,
      rev_rnn_cell=new_cell() if smoothing else None,
      tilt=new_emission(name="tilt") if use_tilt else None,
      random_seed=random_seed,
      twist=new_mlp(1, "twist") if use_twist else None,
      twist_rnn_cell=new_cell() if use_twist else None)


def create_function(model_class, name):
  """Returns `create_recurrent` for one class, as a function called `name`."""
  create = functools.partial(create_recurrent, model_class)
  create.__name__ = name
  create.__doc__ = create_recurrent.__doc__
  return create


def _emission_options(emission_class, bias_init, sigma_min):
  """Keeps the options that are set and that the class accepts."""
  options = {}
  if not (isinstance(bias_init, numbers.Number) and bias_init == 0):
    options["bias_init"] = bias_init
  if sigma_min is not None:
    options["sigma_min"] = sigma_min
  parameters = inspect.signature(emission_class).parameters
  takes_any = any(
      p.kind == inspect.Parameter.VAR_KEYWORD for p in parameters.values())
  return {name: value for name, value in options.items()
          if takes_any or name in parameters}
