"""Flags of every option, for programs."""

from absl import flags

from fivo.config import options

# The flags are those of the program that calls `define`, in --help too.
flags.disclaim_key_flags()

_DEFINE = {
    bool: flags.DEFINE_boolean,
    float: flags.DEFINE_float,
    int: flags.DEFINE_integer,
    str: flags.DEFINE_string,
}


def define():
  """Makes a flag of every option."""
  for option in options.OPTIONS.values():
    if option.choices:
      flags.DEFINE_enum(
          option.name, option.default, list(option.choices), option.help)
    else:
      _DEFINE[option.kind](option.name, option.default, option.help)
