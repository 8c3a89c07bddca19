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

import collections
import http.client
import os
import shlex
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

if __name__ == "__main__":
  from fivo.system import startup
  startup.begin_imports()

from absl import flags
from absl import logging

from fivo.formats import pianorolls
from fivo.system import console
from fivo.system import files
from fivo.system.errors import UserError

FLAGS = flags.FLAGS

DEFAULT_URL = "http://www-etud.iro.umontreal.ca/~boulanni/"

# `num_sequences` is those of train, valid and test.
Dataset = collections.namedtuple(
    "Dataset", ["file_name", "published_name", "num_sequences"])

DATASETS = (
    Dataset("jsb.pkl", "JSB Chorales.pickle", (229, 76, 77)),
    Dataset("nottingham.pkl", "Nottingham.pickle", (694, 173, 170)),
    Dataset("musedata.pkl", "MuseData.pickle", (524, 135, 124)),
    Dataset("piano-midi.de.pkl", "Piano-midi.de.pickle", (87, 12, 25)),
)

_TIMEOUT_SECONDS = 30.
_CHUNK_BYTES = 1 << 16
# Ten times the largest dataset. An answer without end must not fill the disk.
_MAX_BYTES = 64 << 20


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
  wrong = _describe_wrong_counts(contents, dataset)
  if wrong:  # Somebody's own data: it must not be lost.
    raise UserError("%s: %s; move that file away, or name another directory"
                    % (path, wrong))
  return contents


def _download_one(path, dataset, base_url):
  """Downloads a dataset, puts it at `path`, and returns its contents."""
  url = base_url.rstrip("/") + "/" + urllib.parse.quote(dataset.published_name)
  data = _fetch(url)
  contents = _load(data, dataset, url)
  with files.atomic_write(path) as stream:
    stream.write(data)
  return contents


def _fetch(url):
  """Returns the bytes at `url`, or raises a UserError that names it."""
  try:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
      expected = response.headers.get("Content-Length", "")
      data = _read_limited(response)
  except urllib.error.HTTPError as error:
    raise UserError("%s: the server answered: %d %s"
                    % (url, error.code, error.reason)) from error
  except urllib.error.URLError as error:
    raise UserError("%s: cannot be reached: %s"
                    % (url, error.reason)) from error
  except (OSError, http.client.HTTPException, ValueError) as error:
    # A broken connection; an answer that is not HTTP; a string that is no URL.
    raise UserError("%s: cannot be downloaded: %s"
                    % (url, str(error) or type(error).__name__)) from error
  if len(data) > _MAX_BYTES:
    raise UserError("%s: the answer is larger than %d MB, which no dataset is"
                    % (url, _MAX_BYTES >> 20))
  if expected.isdigit() and len(data) != int(expected):
    raise UserError("%s: the answer is incomplete: %d of %s bytes"
                    % (url, len(data), expected))
  return data


def _read_limited(response):
  """Returns the body of `response`, or more than `_MAX_BYTES` of it."""
  chunks = []
  num_bytes = 0
  while num_bytes <= _MAX_BYTES:
    chunk = response.read(_CHUNK_BYTES)
    if not chunk:
      break
    chunks.append(chunk)
    num_bytes += len(chunk)
  return b"".join(chunks)


def _load(data, dataset, url):
  """Returns the contents of `data`; a UserError names `url`."""
  # Outside out_dir, so that nothing can be left there.
  with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, dataset.file_name)
    with open(path, "wb") as stream:
      stream.write(data)
    try:
      contents = pianorolls.load(path)
    except UserError as error:
      # Without the path, and without the advice to download the file.
      cause = str(error).replace(path + ": ", "").split("; ")[0]
      raise UserError("%s: not a pianoroll file: %s" % (url, cause)) from error
  wrong = _describe_wrong_counts(contents, dataset)
  if wrong:
    raise UserError("%s: %s" % (url, wrong))
  return contents


def _describe_wrong_counts(contents, dataset):
  """Says which numbers of sequences are not the dataset's; "" if all are."""
  num_sequences = tuple(
      len(contents.get(split, ())) for split in pianorolls.SPLITS)
  if num_sequences == dataset.num_sequences:
    return ""
  return "holds %s train/valid/test sequences, not the %s of %s" % (
      "/".join(map(str, num_sequences)),
      "/".join(map(str, dataset.num_sequences)), dataset.published_name)


def _log_next_commands(without_mean):
  """Tells how to add the train mean to those files that lack it."""
  if without_mean:
    logging.info("Next, add the train mean to those you want to train on:")
  for path in without_mean:
    logging.info("  %s -m fivo.data.calculate_pianoroll_mean --in_file=%s",
                 shlex.quote(sys.executable), shlex.quote(path))


def _define_flags():
  """Defines the flags; not at import, where other commands' would collide."""
  console.define_path("out_dir", None, "The directory to put the files into.")


def main(argv):
  """Calls `download` with the flags and the environment."""
  del argv
  if not FLAGS.out_dir:
    raise UserError("--out_dir is required: the directory for the files")
  base_url = os.environ.get("FIVO_PIANOROLL_URL") or DEFAULT_URL
  _log_next_commands(download(FLAGS.out_dir, base_url))


if __name__ == "__main__":
  _define_flags()
  console.run_main(main)
