"""Statistics of the chords of samples, compared with those of the data.

  python fivo/evaluation/chords.py --dataset_path=jsb.pkl \
    --samples=independent=a/samples.npz --samples=autoregressive=b/samples.npz

prints a row for each split and for each file of samples: the mean number of
notes per timestep; the fraction of intervals between two notes of a chord that
are a semitone, a tritone, or either plus octaves, which harmony avoids; the
total variation distance of all intervals from those of the test split; and the
fraction of chords, not counting silence, that occur in the train split.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import collections
import itertools

from absl import flags
import numpy as np

from fivo.formats import pianorolls
from fivo.system import console
from fivo.system import errors

_HEADER = ("chords of", "timesteps", "notes", "semitones and tritones",
           "distance of intervals", "in the train split")
_OCTAVE = 12
_DISSONANT = (1, 6, 11)  # In semitones, modulo an octave.


class Chords(object):
  """Counts the chords of bool arrays `[T, num_notes]`.

  Attributes:
    counts: How often each tuple of notes occurs, a Counter.
    intervals: A float64 array `[num_notes]` that sums to one: the frequency of
      each distance, in semitones, between two notes of a chord.
  """

  def __init__(self, rolls):
    self.counts = collections.Counter(
        tuple(np.flatnonzero(step)) for roll in rolls for step in roll)
    counts = np.zeros([pianorolls.NUM_NOTES])
    for chord, count in self.counts.items():
      for low, high in itertools.combinations(chord, 2):
        counts[high - low] += count
    self.intervals = counts / max(counts.sum(), 1.)

  def statistics(self, test, train):
    """Compares the chords with those of two splits; returns a row's figures."""
    num_steps = sum(self.counts.values())
    num_notes = sum(len(chord) * n for chord, n in self.counts.items())
    num_chords = num_steps - self.counts[()]
    num_known = sum(n for chord, n in self.counts.items()
                    if chord and chord in train.counts)
    by_octave = np.arange(len(self.intervals)) % _OCTAVE
    return (num_steps, num_notes / num_steps,
            self.intervals[np.isin(by_octave, _DISSONANT)].sum(),
            .5 * np.abs(self.intervals - test.intervals).sum(),
            num_known / max(num_chords, 1))


def define_flags():
  """Defines the flags; not at import, as other programs share their names."""
  console.define_path("dataset_path", None, "The pianoroll file.")
  flags.mark_flag_as_required("dataset_path")
  flags.DEFINE_multi_string(
      "samples", [], "NAME=FILE: a samples.npz and its name. May be "
      "repeated.")


def main(unused_argv):
  """Prints the table in Markdown."""
  options = flags.FLAGS
  contents = pianorolls.load(options.dataset_path)
  chords = collections.OrderedDict(
      (split, Chords(pianorolls.dense_split(
          contents, split, options.dataset_path)))
      for split in ("train", "test"))
  for text in options.samples:
    name, _, path = text.partition("=")
    try:
      samples = np.load(path)["samples"]  # [T, B, N, num_notes].
    except (OSError, ValueError, KeyError) as e:
      raise errors.UserError(
          "--samples=%s: must be NAME=FILE with a samples.npz of "
          "--mode=sample (%s)" % (text, e)) from e
    chords[name] = Chords(
        samples.reshape([len(samples), -1, samples.shape[-1]]) > 0)
  print("| %s |\n%s|" % (" | ".join(_HEADER), "| --- " * len(_HEADER)))
  for name, value in chords.items():
    print("| %s | %d | %.3f | %.3f | %.3f | %.3f |" % (
        (name,) + value.statistics(chords["test"], chords["train"])))
