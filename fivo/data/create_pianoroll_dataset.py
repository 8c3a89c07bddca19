"""Makes a pianoroll file, with its train mean, from your own music.

The music is in a folder of MIDI files, at any depth, see
`fivo/formats/midi.py`, or in one other file, see `fivo/formats/note_lists.py`:

  pip install fivo[midi]
  python fivo/data/create_pianoroll_dataset.py --midi_dir=DIR --out_file=X.pkl
  python fivo/data/create_pianoroll_dataset.py --json_file=A --out_file=X.pkl
  python fivo/data/create_pianoroll_dataset.py --mat_file=A --out_file=X.pkl

MIDI files with the same notes count once. If DIR consists of the folders train,
valid and test, these are the splits; otherwise, or with --splits, files are
divided at random. --transpose_to=C brings every piece to C major or C minor;
its key is the one whose profile correlates best with how long each pitch class
sounds (C. Krumhansl, Cognitive Foundations of Musical Pitch, 1990). Notes
outside the piano's, 21 to 108, are left out.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import collections
import os
import pathlib

from absl import flags
import numpy as np

from fivo.data import splits
from fivo.formats import midi
from fivo.formats import note_lists
from fivo.formats import pianorolls
from fivo.formats import writing
from fivo.system import console
from fivo.system import errors
from fivo.system import log
from fivo.system import progress
from fivo.system.errors import UserError

FLAGS = flags.FLAGS

_SOURCES = ("midi_dir", "json_file", "mat_file")
_MIDI_FLAGS = ("steps_per_quarter", "splits", "seed", "skip_damaged")

_TONICS = {
    "C": 0, "C#": 1, "Db": 1, "D": 2, "D#": 3, "Eb": 3, "E": 4, "F": 5, "F#": 6,
    "Gb": 6, "G": 7, "G#": 8, "Ab": 8, "A": 9, "A#": 10, "Bb": 10, "B": 11}
_MAJOR_AND_MINOR_PROFILES = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17))


def read_midi_dir(midi_dir, steps_per_quarter=4, skip_damaged=False):
  """Reads the MIDI files in a folder, as a dictionary from paths to chords."""
  midi.import_mido()
  paths = sorted(
      str(path.relative_to(midi_dir)) for path in pathlib.Path(midi_dir).rglob(
          "[!.]*") if path.suffix.lower() in midi.EXTENSIONS)
  if not paths:
    raise UserError("%s: holds no files that end with %s"
                    % (midi_dir, " or ".join(midi.EXTENSIONS)))
  pieces = {}
  num_damaged = num_notes = num_between = 0
  for path in progress.track(paths, "Reading", unit="files"):
    try:
      piece = midi.read(os.path.join(midi_dir, path), steps_per_quarter)
    except UserError as error:
      if not skip_damaged:
        raise UserError("%s; --skip_damaged leaves such files out"
                        % error) from error
      num_damaged += 1
      log.warning("Left out: %s", error)
      continue
    pieces.setdefault(tuple(piece.chords), path)
    num_notes += piece.num_notes
    num_between += piece.num_between
  num_copies = len(paths) - num_damaged - len(pieces)
  if num_damaged or num_copies:
    log.warning("Of %d files, %d could not be used and %d have the same "
                "notes as another.", len(paths), num_damaged, num_copies)
  if num_between:
    log.info("Left out %d of %d notes, which lie between the timesteps; a "
             "larger --steps_per_quarter keeps them.", num_between, num_notes)
  return {path: list(chords) for chords, path in pieces.items()}


def split_pieces(pieces, fractions=None, seed=0):
  """Divides a dictionary from paths to lists of chords into splits."""
  folders = [path.split(os.sep)[0].lower() for path in pieces]
  if fractions is not None or set(folders) != set(pianorolls.SPLITS):
    return splits.deal(pieces.values(), fractions, seed)
  return {split: [chords for folder, chords in zip(folders, pieces.values())
                  if folder == split] for split in pianorolls.SPLITS}


def estimate_tonic(chords):
  """The pitch class, 0 to 11, of a piece's tonic, see above, or None."""
  durations = np.bincount(
      [note % 12 for chord in chords for note in chord], minlength=12)
  if durations.min() == durations.max():
    return None
  correlations = [[np.corrcoef(np.roll(profile, tonic), durations)[0, 1]
                   for tonic in range(12)]
                  for profile in _MAJOR_AND_MINOR_PROFILES]
  return int(np.argmax(np.max(correlations, axis=0)))


def transpose(chords, to_tonic):
  """Transposes a piece, if it has a tonic, by at most a tritone."""
  tonic = estimate_tonic(chords)
  shift = 0 if tonic is None else (to_tonic - tonic + 6) % 12 - 6
  return [tuple(note + shift for note in chord) for chord in chords]


def create_pianoroll_dataset(contents, out_file, transpose_to=None):
  """Transposes pieces, keeps the notes of a piano, and writes the file."""
  on_piano = range(pianorolls.MIN_NOTE, pianorolls.MAX_NOTE + 1)
  counts = collections.Counter()
  for split in pianorolls.SPLITS:
    for index, chords in enumerate(contents.get(split, ())):
      if transpose_to is not None:
        chords = transpose(chords, transpose_to)
      counts.update(note for chord in chords for note in chord
                    if note not in on_piano)
      contents[split][index] = [
          tuple(note for note in chord if note in on_piano)
          for chord in chords]
  if counts:
    log.warning(
        "Left out notes outside %d to %d: %s.", pianorolls.MIN_NOTE,
        pianorolls.MAX_NOTE, ", ".join(
            "%d in %d steps" % item for item in sorted(counts.items())))
  pianorolls.save_with_mean(out_file, contents)


def define_flags():
  """Defines the flags; not at import, as other programs share their names."""
  console.define_path("midi_dir", None, "The folder of MIDI files to read.")
  console.define_path("json_file", None, "The JSON file to read.")
  console.define_path("mat_file", None, "The MATLAB file to read.")
  console.define_path("out_file", None, "The pianoroll file to write.")
  flags.DEFINE_integer(
      "steps_per_quarter", 4, "The number of timesteps in a quarter note of "
      "MIDI.", lower_bound=1, upper_bound=96)
  flags.DEFINE_enum(
      "transpose_to", None, list(_TONICS),
      "The tonic to transpose every piece to. Default: no transposition.")
  flags.DEFINE_list(
      "splits", None,
      "The fractions of MIDI files in train, valid and test. Default: by "
      "folders of these names, else 0.8,0.1,0.1.")
  flags.DEFINE_integer("seed", 0, "The seed of the random order of MIDI files.")
  flags.DEFINE_bool(
      "skip_damaged", False,
      "Whether to skip MIDI files that cannot be used.")


def _read_source():
  """Reads what the flags name into a dictionary from splits to pieces."""
  given = [name for name in _SOURCES if FLAGS[name].value]
  if len(given) != 1:
    raise UserError("one of --midi_dir, --json_file and --mat_file is required"
                    "; given: %s" % (
                        ", ".join("--" + name for name in given) or "none"))
  name, = given
  for other in _MIDI_FLAGS:
    if FLAGS[other].present and name != "midi_dir":
      raise UserError("--%s: belongs to --midi_dir, not to --%s"
                      % (other, name))
  fractions = FLAGS.splits and splits.parse_fractions(FLAGS.splits)
  with errors.naming_flag(name):
    if name == "json_file":
      return note_lists.read_json(FLAGS.json_file)
    if name == "mat_file":
      return note_lists.read_mat(FLAGS.mat_file)
    pieces = read_midi_dir(
        FLAGS.midi_dir, FLAGS.steps_per_quarter, FLAGS.skip_damaged)
  contents = split_pieces(pieces, fractions, FLAGS.seed)
  return dict(contents, steps_per_quarter=FLAGS.steps_per_quarter)


def main(unused_argv):
  """Makes a pianoroll file according to the flags."""
  if not FLAGS.out_file:
    raise UserError("--out_file is required: the pianoroll file to write")
  with errors.naming_flag("out_file"):
    writing.check_file(FLAGS.out_file)
  contents = _read_source()
  with errors.naming_flag("out_file"):
    create_pianoroll_dataset(
        contents, FLAGS.out_file, _TONICS.get(FLAGS.transpose_to))
