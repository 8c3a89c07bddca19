"""Tests of MIDI files of pianorolls: read back, they are the array."""

import numpy as np
import pytest

from fivo.formats import midi as midi_files
from fivo.formats import pianorolls
from fivo.rendering import midi


def test_what_sounds_on_is_one_note():
  roll = np.zeros([6, 3])
  roll[1:4, 2] = 1.
  roll[5, 2] = 1.
  roll[1, 0] = 1.
  np.testing.assert_array_equal(
      midi.notes(roll), [[0, 1, 2], [2, 1, 4], [2, 5, 6]])


@pytest.mark.parametrize("steps_per_quarter", [1, 7, 480])
def test_note_for_note(tmp_path, steps_per_quarter):
  """By the library that players of MIDI files use, on its own clock."""
  mido = pytest.importorskip("mido")
  roll = (np.random.RandomState(2).uniform(size=[40, 88]) < 0.2) * 1.
  roll[-1] = 0.  # It ends with a rest.
  path = str(tmp_path / "x.mid")
  midi.write(path, roll, steps_per_quarter, tempo=90., prefix_length=25)
  file = mido.MidiFile(path)
  seconds_per_step = 60. / 90. / steps_per_quarter
  now, sounding, found, markers = 0., {}, [], {}
  for message in file:
    now += message.time
    step = now / seconds_per_step
    if message.type == "note_on" and message.velocity:
      assert message.note not in sounding
      sounding[message.note] = step
    elif message.type in ("note_on", "note_off"):
      found.append((message.note - 21, sounding.pop(message.note), step))
    elif message.type == "marker":
      markers[message.text] = step
  assert not sounding
  expected = midi.notes(roll)
  assert len(expected) > 400
  np.testing.assert_allclose(
      sorted(found), expected[np.lexsort((expected[:, 1], expected[:, 0]))],
      atol=1e-3)
  assert markers == {"continuation": pytest.approx(25., abs=1e-3)}
  # The rest at the end is kept.
  assert file.length == pytest.approx(40 * seconds_per_step)
  # As a dataset is.
  piece = midi_files.read(path, steps_per_quarter)
  np.testing.assert_array_equal(
      pianorolls.to_dense(piece.chords, 21, 88), roll[:-1])
  assert piece.num_notes == len(expected)
