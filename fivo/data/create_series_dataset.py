"""Makes an .npz file of time series, of tables in text as people have them.

  pip install fivo[series]
  python fivo/data/create_series_dataset.py --in=DIR --out_file=X.npz

DIR is a folder, at any depth, of files with a line per timestep, as pandas, R,
Excel and instruments write them (.csv, .tsv, .txt, .dat, each also .gz); or one
such file, or an .npz file. A file is a sequence. With --id_column=NAME it is a
sequence for each value of that column; --sequence_length=T cuts sequences into
pieces of T timesteps. If DIR consists of train, valid and test (or val, dev,
training, ... in any case), folders or files, these are the splits; else, or
with --splits, sequences are dealt out at random, by --seed.

Columns of dates and times, and row numbers without a name, are left out, which
the log says. What is no number, or is missing, is refused by file, line and
column, unless --missing or --drop_columns tells what to do about it.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import os
import re

from absl import flags
from absl import logging
import numpy as np

from fivo.data import series_info
from fivo.data import splits
from fivo.formats import columns
from fivo.formats import series
from fivo.formats import tables
from fivo.system import console
from fivo.system import errors
from fivo.system import files
from fivo.system import progress
from fivo.system.errors import UserError

FLAGS = flags.FLAGS

_EXTENSION = re.compile(r"\.(csv|tsv|tab|txt|dat|asc)(\.gz)?$", re.IGNORECASE)
_ALIASES = {"train": "train", "training": "train", "valid": "valid",
            "val": "valid", "validation": "valid", "dev": "valid",
            "test": "test", "testing": "test"}


def read(path, choice=None, fractions=None, seed=0,
         sequence_length=None, drop_constant=False):
  """Reads a folder or file as the flags of these names say.

  Returns a dictionary from splits to lists of float64 arrays `[T, D]`, and the
  names of the columns, a list of D str, or None. Raises a `UserError` that
  names the file, its line and column.
  """
  choice = choice or columns.Choice()
  if path.lower().endswith(".npz"):
    if any(value not in (None, ()) for value in choice):
      raise UserError("%s: an .npz file has no cells, for which --id_column, "
                      "--time_column, --drop_columns, --missing, --decimal and "
                      "--header are" % path)
    sources, names = _read_npz(path)
  else:
    sources, names = _read_tables(path, choice)
  found = {_ALIASES.get(name) for name, _ in sources}
  if fractions is None and "train" in found and len(found - {None}) > 1:
    contents = {split: [] for split in splits.SPLITS}
    for name, sequence in sources:
      if name in _ALIASES:
        contents[_ALIASES[name]].append(sequence)
    if None in found:
      logging.warning("%s: left out what is not in train, valid or test.", path)
    contents = {split: _cut(sequences, sequence_length)
                for split, sequences in contents.items() if sequences}
  else:
    contents = _deal(path, [sequence for _, sequence in sources], fractions,
                     seed, sequence_length)
  return _without_constants(path, contents, names, drop_constant)


def _read_npz(path):
  """Returns pairs of split and sequence of an .npz file, and column names."""
  arrays = series.read_npz(path)
  sources = []
  for name in sorted(arrays):
    split = re.sub("_values$", "", name)
    if split + "_lengths" in arrays:
      sources += [(split.lower(), sequence) for sequence in series.cut(
          path, split, arrays[name], arrays[split + "_lengths"])]
  if not sources:
    series.read_split(path, "train")  # Says what is missing.
  return sources, series.read_names(path, sources[0][1].shape[1])


def _read_tables(path, choice):
  """Returns pairs of first folder and sequence of tables, and column names."""
  sources, first, told = [], None, None
  for file_path in progress.track(_find_files(path), "Reading", unit="file"):
    table = tables.read(file_path, choice.decimal, choice.header)
    sequences, names, left_out = columns.to_sequences(table, choice)
    if left_out and left_out != told:  # Once, where all files are alike.
      logging.warning("%s: left out column %s: dates, times or names of rows.",
                      file_path, ", ".join(map(repr, left_out)))
      told = left_out
    first = first or (file_path, names, table.has_header)
    if (names, table.has_header) != first[1:]:
      raise UserError("%s: the columns are %s; must be %s, as in %s" % (
          file_path, ", ".join(names[:9]), ", ".join(first[1][:9]), first[0]))
    folder = os.path.relpath(file_path, path).split(os.sep)[0]
    sources += [(folder.split(".")[0].lower(), s) for s in sequences]
  return sources, first[1] if first[2] else None


def _find_files(path):
  """Returns the paths of the tables in a folder, sorted, or of the one file."""
  if os.path.isfile(path):
    return [path]
  found = sorted(
      os.path.join(folder, name) for folder, _, names in os.walk(path)
      for name in names if "/." not in os.path.join(folder, name)[len(path):])
  found = [name for name in found if _EXTENSION.search(name)]
  if not found:
    raise UserError("%s: holds no files that end with .csv, .tsv, .txt or .dat"
                    % path if os.path.isdir(path) else
                    "%s: no such file or directory" % path)
  # Beside other tables a .txt is a readme.
  tabular = [name for name in found if re.search("[.][ct]sv", name.lower())]
  if len(found) > len(tabular) > 0:
    logging.warning("%s: left out %d files that are not .csv or .tsv.", path,
                    len(found) - len(tabular))
  return tabular or found


def _deal(path, sequences, fractions, seed, sequence_length):
  """Deals whole sequences out among the splits; pieces where there are few."""
  fractions = fractions or splits.DEFAULT_FRACTIONS
  wanted = np.count_nonzero(fractions)
  if len(sequences) < wanted:
    sequences, sequence_length = _cut(sequences, sequence_length), None
  if len(sequences) < wanted:
    raise UserError(
        "%s: %d sequences for %d splits; --sequence_length=T cuts them, "
        "--id_column=NAME makes a sequence of each value of a column, "
        "--splits=1,0,0 is for training alone" % (
            path, len(sequences), wanted))
  return {split: _cut(dealt, sequence_length)
          for split, dealt in splits.deal(sequences, fractions, seed).items()
          if dealt}


def _cut(sequences, sequence_length):
  """Cuts sequences into pieces of so many timesteps, the last ones shorter."""
  if sequence_length is None:
    return sequences
  return [sequence[start:start + sequence_length] for sequence in sequences
          for start in range(0, len(sequence), sequence_length)]


def _without_constants(path, contents, names, drop_constant):
  """Returns contents and names without constant columns, or refuses them."""
  info = series_info.summarize(contents["train"], names)
  constant = series_info.constant_columns(info)
  if constant:
    described = series_info.describe_columns(names, constant)
    if not drop_constant or len(constant) == info.width:
      raise UserError("%s: column %s is the same in all of the training data; "
                      "--drop_constant leaves it out" % (path, described))
    logging.warning("%s: left out column %s, which is constant.", path,
                    described)
    kept = [c for c in range(info.width) if c not in constant]
    contents = {split: [sequence[:, kept] for sequence in sequences]
                for split, sequences in contents.items()}
    names = names and [names[c] for c in kept]
  series_info.warn_of_times(path, contents["train"], names)
  return contents, names


def define_flags():
  """Defines the flags; not at import, where other commands' would collide."""
  console.define_path("in", None, "The folder or file to read.")
  console.define_path("out_file", None, "The .npz file to write.")
  flags.DEFINE_list(
      "splits", None,
      "The fractions of sequences in train, valid and test. None: as the names "
      "of folders or files say, else 0.8,0.1,0.1.")
  flags.DEFINE_integer("seed", 0, "Seeds the random order of sequences.")
  flags.DEFINE_integer(
      "sequence_length", None, "Cuts sequences into pieces of so many timesteps"
      ". None: they stay whole.", lower_bound=1)
  flags.DEFINE_string(
      "id_column", None, "The column whose values tell sequences apart.")
  flags.DEFINE_string(
      "time_column", None, "A column that is not data, but a time or an index.")
  flags.DEFINE_list("drop_columns", [], "Other columns to leave out.")
  flags.DEFINE_enum(
      "missing", None, ["drop_rows", "interpolate"],
      "What to do where cells are missing. None: fail.")
  flags.DEFINE_bool(
      "drop_constant", False, "Whether to leave out constant columns.")
  flags.DEFINE_enum(
      "decimal", None, [".", ","],
      "What stands before decimals. None: what the numbers show.")
  flags.DEFINE_bool(
      "header", None, "Whether the first line of a file names the columns. None"
      ": what it shows.")


def main(argv):
  """Makes the file that the flags describe."""
  del argv
  for name in ("in", "out_file"):
    if not FLAGS[name].value:
      raise UserError("--%s is required" % name)
  choice = columns.Choice(
      FLAGS.id_column, FLAGS.time_column, tuple(FLAGS.drop_columns),
      FLAGS.missing, FLAGS.decimal, FLAGS.header)
  with errors.naming_flag("in"):
    contents, names = read(
        FLAGS["in"].value, choice, splits.parse_fractions(FLAGS.splits),
        FLAGS.seed, FLAGS.sequence_length, FLAGS.drop_constant)
  arrays = {} if names is None else {"names": np.array(names)}
  for split, sequences in contents.items():
    arrays[split + "_values"] = np.concatenate(sequences)
    arrays[split + "_lengths"] = [len(sequence) for sequence in sequences]
  with files.atomic_write(FLAGS.out_file) as stream:
    np.savez(stream, **arrays)
  logging.info("Wrote %s: %s; columns: %s.", FLAGS.out_file, ", ".join(
      "%d sequences of %d timesteps to %s" % (
          len(contents[split]), sum(map(len, contents[split])), split)
      for split in splits.SPLITS if split in contents),
               ", ".join(names) if names else contents["train"][0].shape[1])
