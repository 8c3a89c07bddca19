"""Pictures of pianorolls."""

import numpy as np

from fivo.formats.pianorolls import MIN_NOTE
from fivo.rendering import figures

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# Within a wider compass, only the Cs have a name on the axis.
_MAX_NAMED_NOTES = 14


def pitch_name(note):
  """The name of a MIDI note: C4 of 60."""
  return "%s%d" % (_NAMES[note % 12], note // 12 - 1)


def draw(prefix, continuations, steps_per_quarter, tempo, title=""):
  """Draws a prefix `[P, 88]` with each of its continuations `[S, N, 88]`.

  The tempo is in quarter notes per minute. Gives a figure.
  """
  num_shown, remark = figures.shown(continuations.shape[1], "continuations")
  rolls = [np.concatenate([prefix, continuations[:, n]]) > 0.5
           for n in range(num_shown)]
  lowest, highest = _compass(np.concatenate(rolls))
  named = [note for note in range(lowest, highest + 1)
           if note % 12 == 0 or highest - lowest < _MAX_NAMED_NOTES]
  figure, axes = figures.create_panels(num_shown, sharex=True, sharey=True)
  for n, axis in enumerate(axes):
    _draw_roll(axis, rolls[n], len(prefix), steps_per_quarter)
    axis.set_ylim(lowest - 0.5, highest + 0.5)
    axis.set_yticks(named)
    axis.set_yticklabels([pitch_name(note) for note in named])
    axis.set_ylabel("%d" % n)
  axes[-1].set_xlabel("quarter notes")
  quarters_per_second = tempo / 60.
  seconds = axes[0].secondary_xaxis("top", functions=(
      lambda x: x / quarters_per_second, lambda x: x * quarters_per_second))
  seconds.set_xlabel("%s; grey the prefix, blue what was sampled; seconds at "
                     "%g quarter notes per minute" % (title + remark, tempo))
  return figure


def _draw_roll(axis, roll, prefix_length, steps_per_quarter):
  """Draws the prefix and one of its continuations, a bool array `[T, 88]`."""
  from matplotlib.colors import ListedColormap

  is_sampled = np.arange(len(roll)) >= prefix_length
  axis.imshow(
      (roll * (1 + is_sampled[:, np.newaxis])).T, origin="lower",
      aspect="auto", interpolation="nearest",
      cmap=ListedColormap(["white", figures.PREFIX_COLOR, "C0"]),
      vmin=0, vmax=2, extent=(
          0., len(roll) / steps_per_quarter,
          MIN_NOTE - 0.5, MIN_NOTE + roll.shape[1] - 0.5))
  axis.axvline(prefix_length / steps_per_quarter, **figures.BOUNDARY)
  axis.grid(True, alpha=0.3)


def _compass(roll):
  """Gives the lowest and the highest MIDI note to draw, with some room."""
  sounds = np.flatnonzero(roll.any(axis=0))
  if not sounds.size:
    return MIN_NOTE, MIN_NOTE + roll.shape[1] - 1
  return MIN_NOTE + sounds[0] - 1, MIN_NOTE + sounds[-1] + 1
