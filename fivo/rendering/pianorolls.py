"""Pictures of pianorolls."""

import numpy as np

from fivo.formats.pianorolls import MIN_NOTE
from fivo.rendering import figures

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# Octaves have a name on the axis each; fewer notes than this, all have.
_MAX_NAMED_NOTES = 14


def pitch_name(note):
  """The name of a MIDI note; 60, the middle C, is C4."""
  return "%s%d" % (_NAMES[note % 12], note // 12 - 1)


def draw(path, prefix, continuations, steps_per_quarter, tempo, title=""):
  """Draws a prefix with its continuations, one below the other.

  Args:
    path: The PNG file to write.
    prefix: An array `[P, 88]`, one where a note sounds.
    continuations: An array `[S, N, 88]`.
    steps_per_quarter: Timesteps in a quarter note.
    tempo: Quarter notes per minute.
    title: What the picture is of.
  """
  num_shown, remark = figures.shown(continuations.shape[1], "continuations")
  lowest, highest = _compass(prefix, continuations[:, :num_shown])
  figure, axes = figures.create_panels(num_shown, sharex=True, sharey=True)
  for n, axis in enumerate(axes):
    _draw_roll(axis, prefix, continuations[:, n], steps_per_quarter)
    axis.set_ylim(lowest - 0.5, highest + 0.5)
    named = _named_notes(lowest, highest)
    axis.set_yticks(named)
    axis.set_yticklabels([pitch_name(note) for note in named])
    axis.set_ylabel("%d" % n)
  axes[-1].set_xlabel("quarter notes")
  quarters_per_second = tempo / 60.
  seconds = axes[0].secondary_xaxis("top", functions=(
      lambda x: x / quarters_per_second, lambda x: x * quarters_per_second))
  seconds.set_xlabel("%s; grey the prefix, blue what was sampled; seconds at "
                     "%g quarter notes per minute" % (title + remark, tempo))
  figures.save(path, figure)


def _draw_roll(axis, prefix, continuation, steps_per_quarter):
  """Draws one panel."""
  from matplotlib.colors import ListedColormap

  roll = np.concatenate([prefix > 0.5, 2 * (continuation > 0.5)])
  axis.imshow(
      roll.T, origin="lower", aspect="auto", interpolation="nearest",
      cmap=ListedColormap(["white", figures.PREFIX_COLOR, "C0"]),
      vmin=0, vmax=2, extent=(
          0., len(roll) / steps_per_quarter,
          MIN_NOTE - 0.5, MIN_NOTE + roll.shape[1] - 0.5))
  axis.axvline(len(prefix) / steps_per_quarter, **figures.BOUNDARY)
  axis.grid(True, alpha=0.3)


def _compass(*rolls):
  """The lowest and the highest MIDI note that sounds, with some room."""
  sounds = np.flatnonzero(
      np.concatenate([(roll > 0.5).reshape(-1, roll.shape[-1])
                      for roll in rolls]).any(axis=0))
  if not sounds.size:
    return MIN_NOTE, MIN_NOTE + rolls[0].shape[-1] - 1
  return MIN_NOTE + sounds[0] - 1, MIN_NOTE + sounds[-1] + 1


def _named_notes(lowest, highest):
  notes = range(lowest, highest + 1)
  if len(notes) <= _MAX_NAMED_NOTES:
    return list(notes)
  return [note for note in notes if note % 12 == 0]
