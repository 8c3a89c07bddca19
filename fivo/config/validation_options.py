"""The options of evaluation in training: what goes together, where to read."""

import os

from fivo.system import errors


def validate(config):
  """Refuses evaluation in training that cannot be.

  Args:
    config: A `Config`.

  Raises:
    UserError: Naming the option, its value, and what would be right.
  """
  if config.eval_every is None:
    for name in ("export_best", "early_stop_patience"):
      if getattr(config, name):
        raise errors.UserError(
            "--%s=%s: goes by the bound on the valid split; give --eval_every, "
            "the steps between its evaluations" % (name, getattr(config, name)))
  elif config.model == "ghmm":
    raise errors.UserError(
        "--eval_every=%d: the ghmm has no valid split: its data is endless; "
        "its log lines compare the bound with the exact likelihood; leave the "
        "flag out" % config.eval_every)


def path_for_split(config, split):
  """The `dataset_path` from which another split than the run's is read.

  Args:
    config: A `Config`.
    split: "train", "valid" or "test".

  Returns:
    `dataset_path`; or, if that is the speech file of one split, the directory
    that has the others beside it.
  """
  if config.dataset_type == "speech" and os.path.isfile(config.dataset_path):
    return os.path.dirname(os.path.abspath(config.dataset_path))
  return config.dataset_path
