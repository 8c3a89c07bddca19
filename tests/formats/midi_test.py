"""Tests of fivo.formats.midi."""

import struct
import sys

import pytest

from fivo.formats import midi as midi_files
from fivo.system.errors import UserError

# Beats of 96 ticks; a delta time below 128 is one byte.
_TICKS = 96


def track(*events):
  """A track chunk of events, bytes each, that begin with their delta times."""
  data = b"".join(events) + b"\0\xff\x2f\0"
  return b"MTrk" + struct.pack(">I", len(data)) + data


def midi(*tracks, kind=None, ticks=_TICKS):
  """A MIDI file; of format 1 if it has several tracks."""
  kind = int(len(tracks) > 1) if kind is None else kind
  return (b"MThd" + struct.pack(">IHHh", 6, kind, len(tracks), ticks)
          + b"".join(tracks))


def on(delta, note, velocity=64, channel=0):
  return bytes([delta, 0x90 + channel, note, velocity])


def off(delta, note, channel=0):
  return bytes([delta, 0x80 + channel, note, 0])


def simple(note=60):
  """A file with one note of a quarter's length."""
  return midi(track(on(0, note), off(96, note)))


def _read(tmp_path, data, steps_per_quarter=1):
  pytest.importorskip("mido")
  path = tmp_path / "a.mid"
  path.write_bytes(data)
  return midi_files.read(str(path), steps_per_quarter).chords


_SLOW, _FAST = (b"\0\xff\x51\x03" + struct.pack(">I", tempo)[1:]
                for tempo in (2000000, 250000))


@pytest.mark.parametrize("data, chords", [
    (midi(track(on(0, 60), on(0, 64), off(96, 60), off(96, 64), on(96, 67),
                off(96, 67))), [(60, 64), (64,), (), (67,)]),
    # Running status, and velocity zero.
    (midi(track(on(0, 60), bytes([96, 60, 0, 0, 62, 64, 96, 62, 0]))),
     [(60,), (62,)]),
    # Format 1 has one clock.
    (midi(track(), track(on(0, 60), off(96, 60)),
          track(on(96, 72, channel=3), off(96, 72, channel=3))),
     [(60,), (72,)]),
    # Percussion.
    (midi(track(on(0, 36, channel=9) + off(96, 36, channel=9), on(0, 60),
                off(96, 60))), [(60,)]),
    # Tempo.
    (midi(track(_SLOW, on(0, 60), off(96, 60), _FAST, on(0, 62), off(96, 62))),
     [(60,), (62,)]),
    # Silence around the notes, and text in no known encoding.
    (midi(track(b"\0\xff\x03\x04\xe3\x83\x90\xff", on(127, 60), off(96, 60),
                b"\x7f\xff\x06\x00")), [(60,)]),
], ids=["rests", "running", "format1", "drums", "tempo", "silence"])
def test_chords(tmp_path, data, chords):
  assert _read(tmp_path, data) == chords
  assert _read(tmp_path, data, 2) == [chord for chord in chords for _ in "12"]


@pytest.mark.parametrize("start, end, steps", [
    (0, 96, [0]), (0, 119, [0]), (0, 120, [0, 1]), (23, 96, [0]), (24, 100, []),
    (48, 144, [1]), (73, 80, [1]), (72, 80, []), (0, 0, [0]), (30, 31, [])])
def test_what_sounds_as_a_step_begins(tmp_path, start, end, steps):
  data = midi(track(on(0, 50), off(96, 50), off(96, 50)),
              track(on(start, 60), off(end - start, 60)), ticks=96)
  sounding = [step for step, chord in enumerate(_read(tmp_path, data))
              if 60 in chord]
  assert sounding == steps


def test_notes_between_steps_are_counted(tmp_path):
  data = midi(track(on(0, 60), off(48, 60), on(0, 62), off(48, 62)))
  assert _read(tmp_path, data, 2) == [(60,), (62,)]
  assert midi_files.read(str(tmp_path / "a.mid"), 1) == ([(60,)], 2, 1)


@pytest.mark.parametrize("events", [
    [on(0, 60), on(96, 60), off(96, 60)],  # Struck again, ended once.
    [on(0, 60), on(96, 60), off(0, 60), off(96, 60)],
    [on(0, 60), off(96, 60), off(0, 60), on(0, 60), off(96, 60)],
    [on(0, 60), b"\x60\xff\x06\x00\x60\xff\x06\x00"],  # Never ended.
])
def test_notes_that_overlap_themselves(tmp_path, events):
  data = midi(track(*events + [on(0, 70), off(96, 70)]))
  chords = _read(tmp_path, data)
  assert [60 in chord for chord in chords[:2]] == [True, True]
  assert 70 in chords[2]


@pytest.mark.parametrize("data, words", [
    (b"", "EOFError"),
    (simple()[:24], "not a complete MIDI file"),
    (midi(track(on(0, 60)), kind=2), "is of format 2"),
    (midi(track(on(0, 60)), ticks=-6360), "SMPTE"),
    (midi(track()), "has no notes"),
    (midi(track(on(0, 36, channel=9))), "has no notes outside the perc"),
    (midi(track(on(40, 60), off(10, 60))), "has only notes between the"),
    (midi(track(on(0, 60), b"\xff\xff\xff\x7f" + off(0, 60)[1:])),
     "timesteps; at most"),
])
def test_refused_in_one_line(tmp_path, data, words):
  with pytest.raises(UserError) as error:
    _read(tmp_path, data)
  message = str(error.value)
  assert words in message and "\n" not in message
  assert message.startswith(str(tmp_path / "a.mid") + ": ")


def test_without_mido(monkeypatch):
  monkeypatch.setitem(sys.modules, "mido", None)
  with pytest.raises(UserError, match=r"pip install fivo\[midi\]"):
    midi_files.import_mido()
