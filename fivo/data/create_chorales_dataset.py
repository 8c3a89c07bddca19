"""Makes a pianoroll file of the Bach chorales that come with music21.

  pip install fivo[chorales]
  python fivo/data/create_chorales_dataset.py --out_file=chorales.pkl

Scores in exactly four parts are kept (368 of 413 in music21 7.3.3), as written,
without repeats. A chord holds the notes that sound when a quarter begins.

The hash of a score's name decides its split. So that no test score is known
from training, a score that shares more than half of its six-chord passages with
an earlier one, perhaps in another key, goes to the same split.

Bounds on this dataset are not comparable with those on JSB. Some encodings are
not free for every use, so make the file where you need it.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import hashlib
import math
import multiprocessing
import os
import signal

from absl import flags

from fivo.formats import pianorolls
from fivo.formats import reading
from fivo.formats import writing
from fivo.system import console
from fivo.system import errors
from fivo.system import progress
from fivo.system.errors import UserError

FLAGS = flags.FLAGS

_EXTENSIONS = ("mxl", "xml", "krn")
_PASSAGE_LENGTH = 6
_MAX_PROCESSES = 8


def create_chorales_dataset(out_file):
  """Parses the corpus and writes a pianoroll file, with its train mean."""
  with errors.naming_flag("out_file"):
    writing.check_file(out_file)
  contents = split_chorales(parse_scores(find_scores()))
  with errors.naming_flag("out_file"):
    pianorolls.save_with_mean(out_file, contents)


def find_scores():
  """The sorted paths of the scores of Bach in music21's corpus."""
  corpus = reading.import_extra(
      "music21", "its corpus holds the chorales", "chorales").corpus
  return sorted(str(path) for path in corpus.getComposer("bach", _EXTENSIONS))


def parse_scores(paths):
  """Parses scores in parallel; maps names of those in four parts to chords.

  A name is that of the file without its extension, unless that is taken.
  """
  chorales = {}
  processes = min(os.cpu_count() or 1, _MAX_PROCESSES)
  with multiprocessing.Pool(processes, _start_worker) as pool:
    parsed = progress.track(pool.imap(_parse_score, paths), "Parsing",
                            total=len(paths), unit="scores")
    for path, chords in zip(paths, parsed):
      if chords is not None:
        name = os.path.basename(path)
        stem = os.path.splitext(name)[0]
        chorales[name if stem in chorales else stem] = chords
  return chorales


def _start_worker():
  """Leaves signals that reach all processes to the parent, which ends them."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  signal.signal(signal.SIGHUP, signal.SIG_IGN)
  signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _parse_score(path):
  """The chords of a score in four parts; None for other scores."""
  from music21 import converter  # pylint: disable=import-outside-toplevel
  # music21 would otherwise read and write pickles in /tmp.
  score = converter.parse(path, forceSource=True)
  return score_to_chords(score) if len(score.parts) == 4 else None


def score_to_chords(score):
  """Samples a `music21.stream.Score` at every quarter note."""
  chords = [set() for _ in range(math.ceil(score.highestTime))]
  for note in score.flatten().notes:
    end = note.offset + note.quarterLength  # Grace notes have no length.
    for step in range(math.ceil(note.offset), math.ceil(end)):
      chords[step].update(pitch.midi for pitch in note.pitches)
  return [tuple(sorted(chord)) for chord in chords]


def split_chorales(chorales):
  """Divides a dictionary from names to chords into splits, see above."""
  contents = {split: [] for split in pianorolls.SPLITS}
  earlier = []  # The passages and the split of each chorale.
  for name, chords in chorales.items():
    passages = _passages(chords)
    twins = (split for others, split in earlier if
             2 * len(passages & others) > min(len(passages), len(others)))
    split = next(twins, None) or split_of_name(name)
    earlier.append((passages, split))
    contents[split].append(chords)
  return contents


def split_of_name(name):
  """The split of a chorale that has no twin."""
  digest = hashlib.sha256(name.encode("utf-8")).digest()
  fraction = int.from_bytes(digest[:4], "big") / 2. ** 32
  return ("train" if fraction < 0.6 else
          "valid" if fraction < 0.8 else "test")


def _passages(chords):
  """The set of the passages of chords, as if all in the same key."""
  passages = (chords[start:start + _PASSAGE_LENGTH]
              for start in range(len(chords) - _PASSAGE_LENGTH + 1))
  return {tuple(tuple(note - passage[0][0] for note in chord)
                for chord in passage)
          for passage in passages if all(passage)}


def define_flags():
  """Defines the flag; not at import, as other programs have it too."""
  console.define_path("out_file", None, "The pianoroll file to write.")


def main(unused_argv):
  """Calls `create_chorales_dataset` with the flag."""
  if not FLAGS.out_file:
    raise UserError("--out_file is required: the pianoroll file to write")
  create_chorales_dataset(FLAGS.out_file)
