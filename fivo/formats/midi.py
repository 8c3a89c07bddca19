"""Reads MIDI files as chords on a grid of timesteps."""

import collections
import io

from fivo.formats import reading
from fivo.system.errors import UserError

EXTENSIONS = (".mid", ".midi")

_PERCUSSION_CHANNEL = 9  # Counted from 0.
# Four bytes can delay a note by 2^28 ticks; Wagner's Ring has 10^5 sixteenths.
_MAX_STEPS = 1000 * 1000

# The sorted notes of each timestep, a list of tuples of MIDI notes; the number
# of notes read, and of those left out because they are between two timesteps.
Piece = collections.namedtuple("Piece", ["chords", "num_notes", "num_between"])


def import_mido():
  """Returns the library that parses MIDI files, or raises a `UserError`."""
  return reading.import_extra("mido", "it reads MIDI files", "midi")


def read(path, steps_per_quarter):
  """Reads a MIDI file, of format 0 or 1, as a `Piece`.

  A chord holds the notes that sound when its step begins; a note may begin up
  to a quarter of a step late, or early if it is too short to sound then. Notes
  between two steps, percussion, and silence at both ends are left out.
  """
  mido = import_mido()
  data = reading.read_bytes(path)
  with reading.as_user_error(path, "a complete MIDI file"):
    midi = mido.MidiFile(file=io.BytesIO(data))
  if midi.type == 2:
    raise UserError("%s: is of format 2, several pieces in one; only 0 and 1 "
                    "are read" % path)
  if midi.ticks_per_beat <= 0:
    raise UserError("%s: is timed in seconds (SMPTE), not in quarter notes"
                    % path)
  notes = [note for track in midi.tracks for note in _notes(track)]
  if not notes:
    raise UserError("%s: has no notes outside the percussion channel" % path)
  quantized = list(_quantize(notes, steps_per_quarter, midi.ticks_per_beat))
  if not quantized:
    raise UserError("%s: has only notes between the timesteps" % path)
  first = min(start for _, start, _ in quantized)
  num_steps = max(end for _, _, end in quantized) - first
  if num_steps > _MAX_STEPS:
    raise UserError("%s: has %d timesteps; at most %d are allowed"
                    % (path, num_steps, _MAX_STEPS))
  chords = [set() for _ in range(num_steps)]
  for pitch, start, end in quantized:
    for chord in chords[start - first:end - first]:
      chord.add(pitch)
  return Piece([tuple(sorted(chord)) for chord in chords], len(notes),
               len(notes) - len(quantized))


def _quantize(notes, steps_per_quarter, ticks_per_quarter):
  """Yields (pitch, start, end), in steps, of notes not between two steps."""
  for pitch, start, end in notes:
    # In quarters of a step, times the number of ticks in a quarter note.
    start, end = (4 * tick * steps_per_quarter for tick in (start, end))
    first, stop = ((time - ticks_per_quarter) // (4 * ticks_per_quarter) + 1
                   for time in (start, end))
    if stop <= first and (
        abs(start - 4 * ticks_per_quarter * first) < ticks_per_quarter):
      stop = first + 1
    if first < stop:
      yield pitch, first, stop


def _notes(track):
  """Yields (pitch, start, end), in ticks, of the notes of a track."""
  starts = collections.defaultdict(collections.deque)
  last_end = {}
  tick = 0
  for message in track:
    tick += message.time
    if (message.type not in ("note_on", "note_off")
        or message.channel == _PERCUSSION_CHANNEL):
      continue
    key = message.channel, message.note
    if message.type == "note_on" and message.velocity:
      starts[key].append(tick)
    elif starts[key]:
      # Of two notes of the same pitch, the first to begin is the first to end.
      yield message.note, starts[key].popleft(), tick
      last_end[key] = tick
  for key, left in starts.items():
    for start in left:
      if start >= last_end.get(key, 0):  # Else the earlier one covers it.
        yield key[1], start, tick
