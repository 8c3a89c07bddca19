"""MIDI files of pianorolls."""

import numpy as np

from fivo.formats import pianorolls
from fivo.system import files

_TICKS_PER_QUARTER = 480
_VELOCITY = 80
_PIANO = 0  # General MIDI's program number.
# Within a timestep, notes end before others begin; the track ends last of all.
_ORDER = {"note_off": 1, "note_on": 2, "end_of_track": 3}


def notes(roll):
  """The notes of a pianoroll `[T, D]`; a note is held until a break.

  Returns int rows of column, begin and end, in timesteps, ordered by begin.
  """
  sounds = np.asarray(roll) > 0.5
  edges = np.diff(np.pad(sounds.astype(np.int8), [(1, 1), (0, 0)]), axis=0)
  # Transposed, so that the n-th beginning belongs to the n-th end.
  columns, starts = np.nonzero(edges.T == 1)
  _, ends = np.nonzero(edges.T == -1)
  found = np.stack([columns, starts, ends], axis=1)
  return found[np.lexsort((columns, starts))]


def write(path, roll, steps_per_quarter, tempo, prefix_length):
  """Writes a pianoroll `[T, 88]` as a MIDI file of one track.

  The tempo is in quarter notes per minute. The marker "continuation" stands at
  the end of the prefix.
  """
  import mido  # Here, because it is an extra.

  events = [
      (0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))),
      (0, mido.Message("program_change", program=_PIANO)),
      (prefix_length, mido.MetaMessage("marker", text="continuation")),
      # The last timestep may be a rest.
      (len(roll), mido.MetaMessage("end_of_track"))]
  for column, start, end in notes(roll).tolist():
    note = pianorolls.MIN_NOTE + column
    events.append((start, mido.Message(
        "note_on", note=note, velocity=_VELOCITY)))
    events.append((end, mido.Message("note_off", note=note, velocity=0)))
  events.sort(key=lambda event: (event[0], _ORDER.get(event[1].type, 0)))

  ticks_per_step = max(1, _TICKS_PER_QUARTER // steps_per_quarter)
  midi = mido.MidiFile(
      type=0, ticks_per_beat=ticks_per_step * steps_per_quarter)
  track = midi.add_track()
  now = 0
  for step, message in events:
    track.append(message.copy(time=(step - now) * ticks_per_step))
    now = step
  with files.atomic_write(path) as stream:
    midi.save(file=stream)
