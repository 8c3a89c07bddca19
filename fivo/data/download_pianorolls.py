"""Downloads the four pianoroll datasets.

They are those of Boulanger-Lewandowski et al., "Modeling Temporal Dependencies
in High-Dimensional Sequences: Application to Polyphonic Music Generation and
Transcription" (ICML 2012), as their authors publish them:

  python -m fivo.data.download_pianorolls --out_dir=DIR

`bin/download_pianorolls.sh DIR` does the same, after setting everything up. The
environment variable FIVO_PIANOROLL_URL names another source of the files under
their published names, e.g. `file:///mnt/icml2012`. The files have no train mean
yet: see `calculate_pianoroll_mean.py`.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import http.client
import os
import shlex
import sys
import urllib.parse
import urllib.request

from absl import flags

from fivo.formats import pianorolls
from fivo.formats import pickled_splits
from fivo.formats import reading
from fivo.system import console
from fivo.system import files
from fivo.system import log
from fivo.system.errors import UserError

FLAGS = flags.FLAGS

DEFAULT_URL = "http://www-etud.iro.umontreal.ca/~boulanni/"

# Our names, the published ones, and the numbers of sequences in each split.
DATASETS = (
    ("jsb.pkl", "JSB Chorales.pickle", (229, 76, 77)),
    ("nottingham.pkl", "Nottingham.pickle", (694, 173, 170)),
    ("musedata.pkl", "MuseData.pickle", (524, 135, 124)),
    ("piano-midi.de.pkl", "Piano-midi.de.pickle", (87, 12, 25)),
)

_TIMEOUT_SECONDS = 30.


def download(out_dir, base_url=DEFAULT_URL):
  """Downloads the datasets that a directory does not hold yet.

  Returns the paths of the files without a train mean. Raises a `UserError` if a
  file cannot be downloaded, or if it, or an existing pianoroll file of its
  name, is not the dataset; earlier downloads stay.
  """
  files.prepare_directory("out_dir", out_dir)
  without_mean = []
  for name, published_name, num_sequences in DATASETS:
    path = os.path.join(out_dir, name)
    contents = _load_existing(path)
    if contents is not None:  # It may be a user's own file.
      _check_counts(contents, num_sequences, path,
                    "; move that file away, or name another directory")
      log.info("%s: exists already", path)
    else:
      url = base_url.rstrip("/") + "/" + urllib.parse.quote(published_name)
      data, contents = _download_one(url)
      _check_counts(contents, num_sequences, url)
      with files.atomic_write(path) as stream:
        stream.write(data)
      log.info("%s: downloaded, %d train, %d valid and %d test sequences",
               path, *num_sequences)
    if pianorolls.MEAN_KEY not in contents:
      without_mean.append(path)
  return without_mean


def _load_existing(path):
  """The contents of `path`, or None if it holds no pianorolls."""
  try:
    return pianorolls.load(path)
  except UserError as error:
    if os.path.exists(path):
      log.info("%s; downloading it again", error)
    return None


def _download_one(url):
  """The bytes at a URL, and the pianorolls in them."""
  try:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
      data = response.read()
  except (OSError, http.client.HTTPException, ValueError) as error:
    raise UserError("%s: cannot be downloaded (%s)"
                    % (url, reading.one_line(error))) from error
  try:
    return data, pickled_splits.parse(data, url, "pianoroll", "")
  except UserError as error:  # Drops the advice to download the file.
    raise UserError(str(error).split("; ")[0]) from error


def _check_counts(contents, num_sequences, source, remedy=""):
  """Refuses contents whose numbers of sequences are not the dataset's."""
  found = tuple(len(contents.get(split, ())) for split in pianorolls.SPLITS)
  if found != num_sequences:
    raise UserError(
        "%s: holds %d/%d/%d train/valid/test sequences, not %d/%d/%d%s"
        % (source, *found, *num_sequences, remedy))


def define_flags():
  """Defines the flags; not at import, as other programs share their names."""
  console.define_path("out_dir", None, "The directory to put the files into.")


def main(unused_argv):
  """Calls `download` with the flags, and says what to do next."""
  if not FLAGS.out_dir:
    raise UserError("--out_dir is required: the directory for the files")
  without_mean = download(
      FLAGS.out_dir, os.environ.get("FIVO_PIANOROLL_URL") or DEFAULT_URL)
  if without_mean:
    log.info("Next, add the train mean to those you want to train on:")
  for path in without_mean:
    log.info("  %s -m fivo.data.calculate_pianoroll_mean --in_file=%s",
             shlex.quote(sys.executable), shlex.quote(path))
