"""Makes an .npz file of time series, of tables in text as people have them.

  pip install fivo[series]
  python fivo/data/create_series_dataset.py --in=DIR --out_file=X.npz

DIR is a folder, at any depth, of files with a line per timestep (.csv, .tsv,
.txt, .dat, each also .gz); or one such file, or an .npz file. A file is a
sequence, or with --id_column one for each value of that column. If DIR consists
of train, valid and test (or val, dev, training, ... in any case), these are the
splits; else, or with --splits, sequences are dealt out at random. Columns of
dates, and row numbers without a name, are left out, which the log says.
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


def read(path, fractions=None, seed=0, sequence_length=None,
         drop_constant=False, **choice):
  """Reads a folder or file as the flags of these names, and of `tables`, say.

  Returns a dictionary from splits to lists of float64 arrays `[T, D]`, and the
  names of the columns, a list of D str, or None.
  """
  if path.lower().endswith(".npz"):
    if any(value not in (None, []) for value in choice.values()):
      raise UserError("%s: an .npz file has no cells, for which %s are" % (
          path, ", ".join("--" + name for name in choice)))
    sources, names = _read_npz(path)
  else:
    sources, names = _read_tables(path, choice)
  contents = {split: [] for split in splits.SPLITS}
  for name, sequence in sources:
    contents.get(_ALIASES.get(name), []).append(sequence)
  num_known = sum(map(len, contents.values()))
  if fractions or not contents["train"] or num_known == len(contents["train"]):
    sequences = [sequence for _, sequence in sources]
    fractions = fractions or splits.DEFAULT_FRACTIONS
    wanted = np.count_nonzero(fractions)
    if len(sequences) < wanted:  # Pieces are dealt out where there are few.
      sequences = _cut(sequences, sequence_length)
    if len(sequences) < wanted:
      raise UserError(
          "%s: %d sequences for %d splits; --sequence_length=T cuts them, "
          "--id_column=NAME makes a sequence of each value of a column, "
          "--splits=1,0,0 is for training alone" % (
              path, len(sequences), wanted))
    contents = splits.deal(sequences, fractions, seed)
  elif num_known < len(sources):
    logging.warning("%s: left out what is not in train, valid or test.", path)
  contents = {split: _cut(sequences, sequence_length)
              for split, sequences in contents.items() if sequences}
  return _without_constants(path, contents, names, drop_constant)


def _read_npz(path):
  """Returns pairs of split and sequence of an .npz file, and column names."""
  with series.open_npz(path) as archive:
    splits_found = [name[:-len("_lengths")] for name in sorted(archive.files)
                    if name.endswith("_lengths")]
    sources = [(split.lower(), sequence) for split in splits_found or ["train"]
               for sequence in series.get_sequences(path, archive, split)]
    return sources, series.get_names(archive, sources[0][1].shape[1])


def _read_tables(path, choice):
  """Returns pairs of first folder and sequence of tables, and column names."""
  sources, first, told = [], None, None
  for file_path in progress.track(_find_files(path), "Reading", unit="file"):
    sequences, names, left_out = tables.read(file_path, **choice)
    if left_out and left_out != told:  # Once, where all files are alike.
      logging.warning("%s: left out column %s: dates, times or names of rows.",
                      file_path, ", ".join(map(repr, left_out)))
      told = left_out
    columns = names or list(map(str, range(sequences[0].shape[1])))
    first = first or (file_path, columns)
    if columns != first[1]:
      raise UserError("%s: the columns are %s; must be %s, as in %s" % (
          file_path, ", ".join(columns[:9]), ", ".join(first[1][:9]), first[0]))
    folder = os.path.relpath(file_path, path).split(os.sep)[0]
    sources += [(folder.split(".")[0].lower(), s) for s in sequences]
  return sources, names


def _find_files(path):
  """Returns the paths of the tables in a folder, sorted, or of the one file."""
  if os.path.isfile(path):
    return [path]
  found = sorted(
      os.path.join(folder, name) for folder, _, names in os.walk(path)
      for name in names if _EXTENSION.search(name)
      and "/." not in os.path.join(folder, name)[len(path):])
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
    contents = {split: [np.delete(sequence, constant, axis=1)
                        for sequence in sequences]
                for split, sequences in contents.items()}
    names = names and np.delete(names, constant).tolist()
  series_info.warn_of_times(path, contents["train"], names)
  return contents, names


def define_flags():
  """Defines the flags; not at import, where other commands' would collide."""
  console.define_path("in", None, "The folder or file to read.")
  console.define_path("out_file", None, "The .npz file to write.")
  flags.DEFINE_list("splits", None, "The fractions of sequences in train, valid"
                    " and test. None: as names of folders or files say, else "
                    "0.8,0.1,0.1.")
  flags.DEFINE_integer("seed", 0, "Seeds the random order of sequences.")
  flags.DEFINE_integer("sequence_length", None, "Cuts sequences into pieces of "
                       "so many timesteps.", lower_bound=1)
  flags.DEFINE_string("id_column", None, "What tells sequences apart.")
  flags.DEFINE_string("time_column", None, "A time or an index: no data.")
  flags.DEFINE_list("drop_columns", [], "Other columns to leave out.")
  flags.DEFINE_enum("missing", None, ["drop_rows", "interpolate"],
                    "What to do where cells are missing. None: fail.")
  flags.DEFINE_bool("drop_constant", False, "Leaves out constant columns.")
  flags.DEFINE_enum("decimal", None, [".", ","], "What stands before decimals. "
                    "None: what the numbers show.")
  flags.DEFINE_bool("header", None, "Whether the first line of a file names "
                    "the columns. None: what it shows.")


def main(unused_argv):
  """Makes the file that the flags describe."""
  for name in ("in", "out_file"):
    if not FLAGS[name].value:
      raise UserError("--%s is required" % name)
  choice = {name: FLAGS[name].value for name in (
      "id_column", "time_column", "drop_columns", "missing", "decimal",
      "header")}
  with errors.naming_flag("in"):
    contents, names = read(
        FLAGS["in"].value, splits.parse_fractions(FLAGS.splits), FLAGS.seed,
        FLAGS.sequence_length, FLAGS.drop_constant, **choice)
  arrays = {} if names is None else {"names": np.array(names)}
  for split, sequences in contents.items():
    arrays[split + "_values"] = np.concatenate(sequences)
    arrays[split + "_lengths"] = [len(sequence) for sequence in sequences]
  with files.atomic_write(FLAGS.out_file) as stream:
    np.savez(stream, **arrays)
  logging.info("Wrote %s: %s; columns: %s.", FLAGS.out_file, ", ".join(
      "%d sequences of %d timesteps to %s" % (
          len(sequences), sum(map(len, sequences)), split)
      for split, sequences in contents.items()),
               ", ".join(names) if names else contents["train"][0].shape[1])
