"""The configuration that a logdir keeps of its run."""

import collections
import os

import numpy as np

from fivo.config import catalogue
from fivo.config import options
from fivo.data import series_info
from fivo.system import errors
from fivo.system import files

FILE_NAME = "config.json"
_FORMAT = 1
_REMEDY = "restore it, or delete it to go by flags alone"


def save(config, train_mean=None):
  """Keeps a `Config` and the training data's mean `[D]` in the logdir."""
  kept = collections.OrderedDict(
      (name, _kept_value(config, name))
      for name, option in options.OPTIONS.items()
      if option.scope != options.CALL)
  if train_mean is not None:
    train_mean = [float(x) for x in np.asarray(train_mean)]
  content = [
      ("format", _FORMAT), ("options", kept), ("train_mean", train_mean)]
  if config.series is not None:
    content.append(("series", config.series.to_json()))
  files.write_json(os.path.join(config.logdir, FILE_NAME), content)


def load(logdir, own_names=False):
  """The options, training mean `[D]` and `SeriesInfo` that a logdir keeps.

  They are `{}, None, None` if it keeps none, as with the original code.
  """
  path = os.path.join(logdir, FILE_NAME)
  if not os.path.exists(path):
    return {}, None, None
  culprit = "--logdir=%s: its %s" % (logdir, FILE_NAME)
  try:
    content = files.read_json(path, _FORMAT)
    kept = dict(content["options"])
    mean = content["train_mean"]
    if mean is not None:
      mean = np.array(mean, dtype=np.float32)
      if mean.ndim != 1 or not np.isfinite(mean).all():
        raise ValueError("train_mean must be a list of finite numbers")
    series = content.get("series")
    if series is not None:
      series = series_info.from_json(series)
  except OSError as e:
    raise errors.UserError("%s cannot be read: %s" % (
        culprit, e.strerror)) from e
  except (ValueError, OverflowError, TypeError, KeyError) as e:
    raise errors.UserError(
        "%s is not a configuration from this program (%s: %s); %s" % (
            culprit, type(e).__name__, e, _REMEDY)) from e
  known = {key: kept[key] for key in kept if key in options.OPTIONS}
  for name, value in known.items():
    complaint = options.OPTIONS[name].complaint(value, own_names)
    if complaint:
      raise errors.UserError("%s has a %s, %r, that %s; %s" % (
          culprit, name, value, complaint, _REMEDY))
  return known, mean, series


def fill_in(config):
  """Fills the options that were not given with the run's values.

  An option that contradicts the definition of the run's model is a `UserError`.
  """
  kept, train_mean, series = load(config.logdir, config.own_names)
  values, former = {}, {}
  for name, value in kept.items():
    option = options.OPTIONS[name]
    if option.scope == options.CALL:
      continue
    if name not in config.given:
      values[name] = files.local_path(value) if option.is_path else value
    elif _kept_value(config, name) != value:
      _check_change(config, name, value, kept)
      former[name] = value
  return config._replace(
      train_mean=train_mean, series=series, former=former, **values)


def _kept_value(config, name):
  """An option's value in the form that a logdir keeps."""
  value = getattr(config, name)
  if name == "dataset_path" and value and isinstance(value, str):
    return os.path.abspath(value)  # For a later call from another directory.
  return value


def _check_change(config, name, kept_value, kept):
  """Refuses a change to the definition of the run's model."""
  if name == "twist" and _part(kept.get("bound")) != "twist":
    return  # The model has no twist.
  option, value = options.OPTIONS[name], getattr(config, name)
  changes_part = name == "bound" and _part(value) != _part(kept_value)
  if option.concerns(kept.get("model", config.model)) and (
      option.scope == options.MODEL or changes_part):
    if option.default is None and None in (value, kept_value):
      return  # Once left open, once given.
    raise errors.UserError(
        "--%s=%s: the run in %s has %s, which defines its model; leave the "
        "flag out, or use another --logdir" % (
            name, value, config.logdir, kept_value))


def _part(bound):
  """The part that a model needs for a bound; None for an unknown one."""
  return catalogue.BOUNDS[bound].part if bound in catalogue.BOUNDS else None
