"""Tests of fivo/data/create_pianoroll_dataset.py."""

import json
import os

import numpy as np
import pytest
from scipy import io

from fivo.data import create_pianoroll_dataset as command
from fivo.formats import pianorolls
from fivo.system.errors import UserError
from tests import programs
from tests.formats import midi_test as midi_files_test


def _run(*args):
  return programs.run(
      list(args), program="fivo/data/create_pianoroll_dataset.py")


def _write_folder(directory, count=10):
  """Writes MIDI files of one note each, at several depths."""
  pytest.importorskip("mido")
  names = ["sub dir/%d b.MID", "à/%d\u97f3.mid", "%d.midi"]
  for number in range(count):
    path = directory / (names[number % 3] % number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(midi_files_test.simple(40 + number))
  (directory / "._0.mid").write_bytes(b"Mac OS X")
  (directory / "notes.txt").write_bytes(b"")


def _notes(contents):
  return {split: [sequence[0][0] for sequence in contents[split]]
          for split in pianorolls.SPLITS}


def test_damaged_files_and_copies(tmp_path, caplog):
  _write_folder(tmp_path)
  (tmp_path / "copy of 0.mid").write_bytes(midi_files_test.simple(40))
  (tmp_path / "à" / "bad \u266b.mid").write_bytes(b"MThd")
  with pytest.raises(UserError, match="bad \u266b.mid: .*--skip_damaged"):
    command.read_midi_dir(str(tmp_path))
  pieces = command.read_midi_dir(str(tmp_path), 1, skip_damaged=True)
  assert sorted(pieces.values()) == [[(note,)] for note in range(40, 50)]
  assert list(pieces) == sorted(pieces)
  assert "bad \u266b.mid" in caplog.text
  assert ("Of 12 files, 1 could not be used and 1 have the same notes as "
          "another" in caplog.text)


def test_midi_command(tmp_path):
  folder = tmp_path / "my files"
  _write_folder(folder)
  (folder / "low.mid").write_bytes(midi_files_test.midi(midi_files_test.track(
      midi_files_test.on(0, 60), midi_files_test.on(0, 12),
      midi_files_test.off(96, 60))))
  out_file = str(tmp_path / "x.pkl")
  result = _run("--midi_dir=%s" % folder, "--out_file=" + out_file,
                "--steps_per_quarter=2", "--splits=0.5,0.25,0.25", "--seed=3")
  assert (result.exit_code, result.stdout) == (0, ""), result.stderr
  assert "outside 21 to 108: 12 in 2 steps." in result.stderr
  assert ("x.pkl: 11 sequences (6 train, 2 valid, 3 test), 22 timesteps, "
          "notes 40 to 60." in result.stderr)
  contents = pianorolls.load(out_file)
  assert contents["steps_per_quarter"] == 2
  assert sorted(sum(_notes(contents).values(), [])) == sorted(
      list(range(40, 50)) + [60])
  assert pianorolls.get_mean(contents, out_file, 88).sum() == 1.


@pytest.mark.parametrize("count, fractions, sizes", [
    (10, None, (8, 1, 1)), (2, None, (1, 1, 0)), (7, (1., 0., 0.), (7, 0, 0)),
    (100, (0.5, 0.25, 0.25), (50, 25, 25)), (5, (0.4, 0., 0.6), (2, 0, 3)),
])
def test_sizes_of_splits(count, fractions, sizes):
  pieces = {"%03d" % number: [(number,)] for number in range(count)}
  notes, same, other = (_notes(command.split_pieces(pieces, fractions, seed))
                        for seed in (1, 1, 2))
  assert tuple(map(len, notes.values())) == sizes
  assert sorted(sum(notes.values(), [])) == list(range(count))
  assert notes == same and (count < 9 or notes != other)


def test_folders_that_are_the_splits():
  pieces = {"Test/a.mid": [(0,)], "train/b/c.mid": [(1,)],
            "valid/d.mid": [(2,)]}
  folders = {"train": [1], "valid": [2], "test": [0]}
  assert _notes(command.split_pieces(pieces)) == folders
  assert _notes(command.split_pieces(pieces, (1., 0., 0.))) != folders
  pieces["c.mid"] = [(3,)]
  assert len(command.split_pieces(pieces)["train"]) == 2


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("scale, triad", [
    ((0, 2, 4, 5, 7, 9, 11), (0, 4, 7)), ((0, 2, 3, 5, 7, 8, 11), (0, 3, 7))])
def test_transposition(tonic, scale, triad):
  chords = [(48 + tonic + note,) for note in scale]
  chords += 3 * [tuple(60 + tonic + note for note in triad)]
  assert command.estimate_tonic(chords) == tonic
  moved = command.transpose(chords, 7)
  assert command.estimate_tonic(moved) == 7
  shifts = {new - old for after, before in zip(moved, chords)
            for new, old in zip(after, before)}
  assert len(shifts) == 1 and abs(shifts.pop()) <= 6


def test_a_piece_without_a_key_is_not_transposed():
  for chords in ([()], [tuple(range(60, 72))]):
    assert command.transpose(chords, 3) == chords


def test_json_and_mat_commands(tmp_path):
  matrix = np.zeros([4, 88])
  matrix[:, [39, 43, 46]] = 1  # E flat major.
  io.savemat(str(tmp_path / "a.mat"), {"traindata": matrix})
  (tmp_path / "a.json").write_text(json.dumps({
      "train": [4 * [[60, 64, 67, 5]]], "valid": [[[60]]], "test": []}))
  out_file = str(tmp_path / "x.pkl")
  for flags in (["--json_file=%s" % (tmp_path / "a.json")],
                ["--mat_file=%s" % (tmp_path / "a.mat"), "--transpose_to=C"]):
    result = _run("--out_file=" + out_file, *flags)
    assert result.exit_code == 0, result.stderr
    contents = pianorolls.load(out_file)
    assert contents["train"] == [4 * [(60, 64, 67)]]
    assert pianorolls.get_mean(contents, out_file, 88).sum() == 3.


@pytest.mark.parametrize("args, message", [
    (["--out_file=DIR/x.pkl"],
     "one of --midi_dir, --json_file and --mat_file is required; given: none"),
    (["--out_file=DIR/x.pkl", "--midi_dir=DIR", "--mat_file=x"],
     "is required; given: --midi_dir, --mat_file"),
    (["--out_file=DIR/x.pkl", "--midi_dir=DIR", "--splits=0.5,nan,0.5"],
     "must be three fractions"),
    (["--out_file=DIR/x.pkl", "--midi_dir=DIR"],
     "--midi_dir=DIR: holds no files that end with .mid"),
    (["--out_file=DIR/x.pkl", "--json_file=DIR/a", "--seed=1"],
     "--seed: belongs to --midi_dir, not to --json_file"),
    (["--out_file=DIR/x.pkl", "--json_file=DIR/a"],
     "--json_file=DIR/a: cannot be read (No such file or directory)"),
])
def test_wrong_flags(tmp_path, args, message):
  pytest.importorskip("mido")
  result = _run(*[arg.replace("DIR", str(tmp_path)) for arg in args])
  assert result.exit_code == 1
  assert message.replace("DIR", str(tmp_path)) in result.stderr
  assert result.stderr.count("\n") == 1
  assert not os.path.exists(str(tmp_path / "x.pkl"))
