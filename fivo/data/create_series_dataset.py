"""Makes an .npz file of time series from tables of text.

  python fivo/data/create_series_dataset.py --in=DIR --out_file=X.npz

DIR is a folder of files, at any depth, with a line per timestep (.csv, .tsv,
.txt, .dat, each also .gz); or one such file, or an .npz file. A file is one
sequence, or with --id_column one for each value of that column. If DIR consists
of train, valid (or val, dev) and test, these are the splits; otherwise, or with
--splits, sequences are divided at random.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import glob
import os
import re

from absl import flags
import numpy as np

from fivo.data import series_info
from fivo.data import splits
from fivo.formats import series
from fivo.formats import writing
from fivo.system import console
from fivo.system import errors
from fivo.system import files
from fivo.system import log
from fivo.system import progress
from fivo.system.errors import UserError

FLAGS = flags.FLAGS

_TABLE = re.compile(r"(?!readme).+\.(csv|tsv|tab|txt|dat|asc)(\.gz)?$", re.I)
_ALIASES = {"training": "train", "val": "valid", "validation": "valid",
            "dev": "valid", "testing": "test"}


def read(path, fractions=None, seed=0, sequence_length=None,
         drop_constant=False, **choice):
  """Reads a folder or file; for the arguments see the flags of these names.

  Returns a dictionary from splits to lists of float64 arrays `[T, D]`, and the
  names of the columns, a list of D str, or None.
  """
  sources, names = _read_sources(path, choice)
  contents = {split: [] for split in splits.SPLITS}
  for name, sequence in sources:
    name = name.split(".")[0].lower()
    contents.get(_ALIASES.get(name, name), []).append(sequence)
  num_known = sum(map(len, contents.values()))
  if fractions or not contents["train"] or num_known == len(contents["train"]):
    sequences = [sequence for _, sequence in sources]
    fractions = fractions or splits.DEFAULT_FRACTIONS
    wanted = np.count_nonzero(fractions)
    if len(sequences) < wanted:  # If there are too few, pieces are divided.
      sequences = _cut(sequences, sequence_length)
    if len(sequences) < wanted:
      raise UserError("%s: %d sequences for %d splits; see --sequence_length, "
                      "--id_column and --splits=1,0,0" % (
                          path, len(sequences), wanted))
    contents = splits.deal(sequences, fractions, seed)
  elif num_known < len(sources):
    log.warning("%s: left out files outside train, valid and test.", path)
  contents = {split: _cut(sequences, sequence_length)
              for split, sequences in contents.items() if sequences}
  is_constant = series_info.find_constants(contents["train"])
  if drop_constant and is_constant.any() and not is_constant.all():
    labels = np.array(names or range(len(is_constant)))
    log.warning("%s: left out column %s, which is constant.", path,
                labels[is_constant].tolist())
    contents = {split: [sequence[:, ~is_constant] for sequence in sequences]
                for split, sequences in contents.items()}
    names = names and labels[~is_constant].tolist()
  series_info.summarize(path, contents["train"], names)  # Refuses and warns.
  return contents, names


def _read_sources(path, choice):
  """Returns pairs of split, folder or file, and sequence; names or None."""
  if path.lower().endswith(".npz"):
    return series.read_npz(path)
  paths = [path]
  if os.path.isdir(path):
    paths = [name for name in sorted(glob.glob(
        os.path.join(glob.escape(path), "**"), recursive=True))
             if _TABLE.match(os.path.basename(name))]
  if not paths:
    raise UserError("%s: holds no .csv, .tsv, .txt or .dat files" % path)
  sources, names, _ = series.read_tables(
      progress.track(paths, "Reading", unit="file"), **choice)
  return [(os.path.relpath(file_path, path).split(os.sep)[0], sequence)
          for file_path, sequence in sources], names


def _cut(sequences, sequence_length):
  """Cuts sequences into pieces of a length; the last may be shorter."""
  length = sequence_length or max(map(len, sequences))
  return [sequence[start:start + length] for sequence in sequences
          for start in range(0, len(sequence), length)]


def define_flags():
  """Defines the flags; not at import, as other programs share their names."""
  console.define_path("in", None, "The folder or file to read.")
  console.define_path("out_file", None, "The .npz file to write.")
  flags.DEFINE_list("splits", None, "The fractions of train, valid and test. "
                    "Default: by folders, else 0.8,0.1,0.1.")
  flags.DEFINE_integer("seed", 0, "The seed of their random order.")
  flags.DEFINE_integer("sequence_length", None, "Cuts sequences into pieces of "
                       "this many timesteps.", lower_bound=1)
  flags.DEFINE_string("id_column", None, "What tells the sequences apart.")
  flags.DEFINE_string("time_column", None, "The column of times, to leave out.")
  flags.DEFINE_list("drop_columns", [], "Other columns to leave out.")
  flags.DEFINE_enum("missing", None, ["drop_rows", "interpolate"], "For gaps.")
  flags.DEFINE_bool("drop_constant", False, "Leaves out constant columns.")
  flags.DEFINE_enum("decimal", None, [".", ","], "The decimal separator.")
  flags.DEFINE_bool("header", None, "Whether the first line names columns.")


def main(unused_argv):
  """Makes an .npz file according to the flags."""
  if not FLAGS["in"].value or not FLAGS.out_file:
    raise UserError("--in and --out_file are required")
  with errors.naming_flag("out_file"):
    writing.check_file(FLAGS.out_file)
  choice = {name: FLAGS[name].value for name in (
      "seed", "sequence_length", "drop_constant", "id_column", "time_column",
      "drop_columns", "missing", "decimal", "header")}
  fractions = FLAGS.splits and splits.parse_fractions(FLAGS.splits)
  with errors.naming_flag("in"):
    contents, names = read(FLAGS["in"].value, fractions, **choice)
  arrays = {} if names is None else {"names": np.array(names)}
  for split, sequences in contents.items():
    arrays[split + "_values"] = np.concatenate(sequences)
    arrays[split + "_lengths"] = list(map(len, sequences))
    log.info("%s: %d sequences, %d timesteps in all.", split, len(sequences),
             len(arrays[split + "_values"]))
  with files.atomic_write(FLAGS.out_file) as stream:
    np.savez(stream, **arrays)
  log.info("Wrote %s; columns: %s.", FLAGS.out_file,
           ", ".join(names) if names else contents["train"][0].shape[1])
