"""Tests of fivo/data/create_chorales_dataset.py."""

import collections
import fractions
import os

import numpy as np
import pytest

from fivo.data import create_chorales_dataset as chorales
from fivo.formats import pianorolls


def _score(*parts):
  """A score of parts of (offset, length, pitches)."""
  music21 = pytest.importorskip("music21")
  score = music21.stream.Score()
  for events in parts:
    part = music21.stream.Part()
    for offset, length, pitches in events:
      event = music21.chord.Chord(pitches) if pitches else music21.note.Rest()
      event.quarterLength = length
      part.insert(offset, event)
    score.insert(0, part)
  return score


def _random_chorale(seed, length=40):
  rng = np.random.RandomState(seed)
  return [tuple(sorted(set(rng.randint(40, 80, size=4).tolist())))
          for _ in range(length)]


@pytest.mark.parametrize("parts, chords", [
    # What sounds at quarter notes.
    ([[(0, 1, [72]), (1, 0.5, [74]), (1.5, 0.5, [76]), (2, 2, [77])],
      [(0, 4, [60])]], [(60, 72), (60, 74), (60, 77), (60, 77)]),
    # A syncopation sounds at the quarter it is held over, an eighth after a
    # quarter at none.
    ([[(0.5, 1, [60]), (1.5, 0.25, [62]), (1.75, 1.25, [64])]],
     [(), (60,), (64,)]),
    # Sorted and distinct, and rests.
    ([[(0, 1, [72]), (1, 1, []), (2, 1, [62])],
      [(0, 1, [72, 67, 48]), (1, 1, []), (2, 1, [50])]],
     [(48, 67, 72), (), (50, 62)]),
    # Grace notes sound at no time.
    ([[(0, 1, [60]), (1, 0, [61]), (1, 1, [62])]], [(60,), (62,)]),
    # Triplets.
    ([[(fractions.Fraction(i, 3), fractions.Fraction(1, 3), [60 + i])
       for i in range(4)]], [(60,), (63,)]),
], ids=["quarters", "syncopation", "rests", "grace", "triplets"])
def test_score_to_chords(parts, chords):
  found = chorales.score_to_chords(_score(*parts))
  assert found == chords
  assert {type(note) for chord in found for note in chord} == {int}


def test_split_of_name_is_fixed():
  # Must never change: results on the test set would not be comparable.
  names = "bwv1.6 bwv10.7 bwv108.6 bwv117.4 bwv112.5 bwv115.6".split()
  assert [chorales.split_of_name(name) for name in names] == [
      "train", "train", "valid", "valid", "test", "test"]


def test_twins_go_together():
  # The same chorale in another key, with a few other chords, and shorter, under
  # names that would go to other splits.
  names = {}
  for i in range(100):
    names.setdefault(chorales.split_of_name("bwv%d" % i), "bwv%d" % i)
  chords = _random_chorale(1)
  transposed = [tuple(note + 2 for note in chord) for chord in chords]
  varied = chords[:30] + _random_chorale(2, 6)
  contents = chorales.split_chorales(collections.OrderedDict([
      (names["train"], chords),
      (names["valid"], transposed),
      (names["test"], varied),
      (names["test"] + "-a", chords[5:]),
      (names["test"] + "-b", _random_chorale(3))]))
  assert contents["train"] == [chords, transposed, varied, chords[5:]]


def test_scores_of_the_corpus():
  pytest.importorskip("music21")
  scores = chorales.find_scores()
  assert len(scores) == 413 and scores == sorted(scores)
  # The second is in five parts.
  paths = [path for path in scores
           if os.path.basename(path) in ("bwv66.6.mxl", "bwv227.3.mxl")]
  assert len(paths) == 2
  parsed = chorales.parse_scores(paths)
  assert list(parsed) == ["bwv66.6"]
  chords = parsed["bwv66.6"]
  assert len(chords) == 36
  # From A major to F sharp major.
  assert (chords[0], chords[-1]) == ((57, 64, 73), (54, 58, 61, 66))


def test_writes_a_pianoroll_file(monkeypatch, tmp_path):
  rolls = collections.OrderedDict(
      ("bwv%d" % i, _random_chorale(i)) for i in range(20))
  monkeypatch.setattr(chorales, "find_scores", lambda: [])
  monkeypatch.setattr(chorales, "parse_scores", lambda _: rolls)
  path = str(tmp_path / "chorales.pkl")
  chorales.create_chorales_dataset(path)
  loaded = pianorolls.load(path)
  for split in pianorolls.SPLITS:  # All are kept in order.
    assert loaded[split] == [chords for name, chords in rolls.items()
                             if chorales.split_of_name(name) == split]
  assert pianorolls.get_mean(loaded, path, 88).any()
