"""Downloads the four pianoroll datasets.

They are the ones of Boulanger-Lewandowski et al., "Modeling Temporal
Dependencies in High-Dimensional Sequences: Application to Polyphonic Music
Generation and Transcription" (ICML 2012), as their authors publish them:

  python -m fivo.data.download_pianorolls --out_dir=DIR

`bin/download_pianorolls.sh DIR` does the same, after setting everything up. A
file that is there and good stays as it is; one that is not is replaced only by
a good one. The environment variable FIVO_PIANOROLL_URL names another place that
serves the files under their published names, e.g. `http://host/icml2012` or
`file:///mnt/icml2012`.

The files do not hold the train mean yet: see `calculate_pianoroll_mean.py`.
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
from typing import NamedTuple
from typing import Tuple
import urllib.error
import urllib.parse
import urllib.request

from absl import flags
from absl import logging

from fivo.formats import pianorolls
from fivo.system import console
from fivo.system import files
from fivo.system.errors import UserError

FLAGS = flags.FLAGS

DEFAULT_URL = "http://www-etud.iro.umontreal.ca/~boulanni/"


class Dataset(NamedTuple):
  """A dataset; the numbers of sequences are those of train, valid and test."""

  file_name: str
  published_name: str
  num_sequences: Tuple[int, int, int]


DATASETS = (
    Dataset("jsb.pkl", "JSB Chorales.pickle", (229, 76, 77)),
    Dataset("nottingham.pkl", "Nottingham.pickle", (694, 173, 170)),
    Dataset("musedata.pkl", "MuseData.pickle", (524, 135, 124)),
    Dataset("piano-midi.de.pkl", "Piano-midi.de.pickle", (87, 12, 25)),
)

_TIMEOUT_SECONDS = 30.


def download(out_dir, base_url=DEFAULT_URL):
  """Downloads those datasets that a directory does not hold yet.

  Stops at the first that fails; what was downloaded before stays.

  Args:
    out_dir: The directory, made if it does not exist.
    base_url: The URL of the directory that holds the published files.

  Returns:
    The paths of those files that hold no train mean yet, in the order of
    `DATASETS`: all of them, unless they were there before.

  Raises:
    UserError: If a file cannot be downloaded, is not the dataset it should be,
      or would replace a pianoroll file with other contents, or if `out_dir`
      cannot be made. Names the URL or the path.
    OSError: If the disk refuses a file.
  """
  files.prepare_directory("out_dir", out_dir)
  without_mean = []
  for dataset in DATASETS:
    path = os.path.join(out_dir, dataset.file_name)
    contents = _load_existing(path, dataset)
    if contents is None:
      contents = _download_one(path, dataset, base_url)
      logging.info("%s: downloaded, %d train, %d valid and %d test sequences",
                   path, *dataset.num_sequences)
    else:
      logging.info("%s: is there already", path)
    if pianorolls.MEAN_KEY not in contents:
      without_mean.append(path)
  return without_mean


def _load_existing(path, dataset):
  """Returns the contents of `path`, or None if it holds no pianorolls."""
  if not os.path.exists(path):
    return None
  try:
    contents = pianorolls.load(path)
  except UserError as error:
    logging.info("%s; downloading it again", error)
    return None
  _check_counts(contents, dataset, path,  # Else somebody's own data were lost.
                "; move that file away, or name another directory")
  return contents


def _download_one(path, dataset, base_url):
  """Downloads a dataset, puts it at `path`, and returns its contents."""
  url = base_url.rstrip("/") + "/" + urllib.parse.quote(dataset.published_name)
  try:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
      data = response.read()
  except urllib.error.HTTPError as error:
    raise UserError("%s: the server answered: %d %s"
                    % (url, error.code, error.reason)) from error
  except (OSError, http.client.HTTPException, ValueError) as error:
    raise UserError("%s: cannot be downloaded: %s" % (
        url, getattr(error, "reason", error) or type(error).__name__)
                    ) from error
  try:
    contents = pianorolls.parse(data, url)
  except UserError as error:  # Without the advice to download the file.
    raise UserError(str(error).split("; ")[0]) from error
  _check_counts(contents, dataset, url)
  with files.atomic_write(path) as stream:
    stream.write(data)
  return contents


def _check_counts(contents, dataset, place, remedy=""):
  """Refuses what has not as many sequences as the dataset."""
  num_sequences = tuple(
      len(contents.get(split, ())) for split in pianorolls.SPLITS)
  if num_sequences != dataset.num_sequences:
    raise UserError(
        "%s: holds %s train/valid/test sequences, not the %s of %s%s" % (
            place, "/".join(map(str, num_sequences)), "/".join(
                map(str, dataset.num_sequences)), dataset.published_name,
            remedy))


def define_flags():
  """Defines the flags; not at import, where other commands' would collide."""
  console.define_path("out_dir", None, "The directory to put the files into.")


def main(argv):
  """Calls `download` with the flags, and tells how to go on."""
  del argv
  if not FLAGS.out_dir:
    raise UserError("--out_dir is required: the directory for the files")
  without_mean = download(
      FLAGS.out_dir, os.environ.get("FIVO_PIANOROLL_URL") or DEFAULT_URL)
  if without_mean:
    logging.info("Next, add the train mean to those you want to train on:")
  for path in without_mean:
    logging.info("  %s -m fivo.data.calculate_pianoroll_mean --in_file=%s",
                 shlex.quote(sys.executable), shlex.quote(path))
