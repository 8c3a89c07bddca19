"""Tests that the commands of docs/data.md do what it says, on tiny data."""

import json
import os
import re
import shlex

import numpy as np
import pytest

from fivo.data import create_synthetic_timit
from tests import programs
from tests.formats import midi_test as midi_files_test

_PATH = os.path.join(programs.ROOT, "docs", "data.md")
_TINY = ["--latent_size=2", "--batch_size=2", "--num_samples=2",
         "--max_steps=2", "--random_seed=1"]


def _section(title):
  """The commands of a section, a list, and its Python code or None."""
  with open(_PATH, encoding="utf-8") as stream:
    text = stream.read()
  section, = [part for part in text.split("\n## ") if part.startswith(title)]
  commands = re.search(r"```\n(.*?)```", section, re.DOTALL).group(1)
  code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
  return commands.splitlines(), code and code.group(1)


def _write_midi(home):
  pytest.importorskip("mido")
  (home / "midi" / "Ärger").mkdir(parents=True)
  for number in range(6):
    events = [event for step in range(10) for event in (
        midi_files_test.on(0, 50 + number + step),
        midi_files_test.off(96, 50 + number + step))]
    (home / "midi" / "Ärger" / ("%d x.mid" % number)).write_bytes(
        midi_files_test.midi(midi_files_test.track(*events)))


def _write_json(home):
  sequences = [[[60, 64], [-1, -1]] * 15] * 3
  (home / "jsb.json").write_text(json.dumps(
      {split: sequences for split in ("train", "valid", "test")}))


def _write_logs(home):
  (home / "logs").mkdir()
  rng = np.random.RandomState(1)
  for number in range(5):
    (home / "logs" / ("%d.txt" % number)).write_text(
        "# Logger\nTime;Level;Temp\n" + "".join(
            "2020-01-01 00:%02d;%.3f;%d\n" % (t, rng.normal(), t * number % 7)
            for t in range(30)).replace(".", ","))


def _write_table(home):
  rng = np.random.RandomState(1)
  (home / "table.csv").write_text("patient,pulse,pressure\n" + "".join(
      "%s,%g,%g\n" % (("abcde"[number],) + tuple(rng.normal(size=2)))
      for number in range(5) for _ in range(30)))


def _write_speech(home):
  rng = np.random.RandomState(1)
  for subset in ("TRAIN", "TEST"):
    directory = home / "raw" / "timit" / subset / "DR1" / "fabc0"
    directory.mkdir(parents=True)
    for number in range(3):
      create_synthetic_timit.write_sphere(
          str(directory / ("SA%d.wav" % number)),
          rng.normal(size=[6000], scale=99.).astype(np.int16))


def _run(command, code, home):
  """Runs one command, and returns what it prints."""
  words = [word.replace("/tmp/", "~/runs/").replace("~", str(home))
           for word in shlex.split(command)]
  assert words[0] == "python"
  if words[1] == "-c":
    printed = []
    exec(words[2], {"print": printed.append})  # pylint: disable=exec-used
    return str(printed[0])
  if words[1].startswith(str(home)):  # What the page says it is.
    code = code.replace("~", str(home))
    exec(compile(code, _PATH, "exec"), {})  # pylint: disable=exec-used
    return ""
  if any(word.startswith("--max_steps") for word in words):
    words += _TINY
  result = programs.run(words[2:], program=words[1])
  assert result.exit_code == 0, result.stderr
  return result.stdout


_SECTIONS = {
    "Sensor logs": ("logs", _write_logs, 2),
    "One long table": ("table", _write_table, 2),
    "Musicians": ("midi", _write_midi, 88),
    "Existing": ("jsb", _write_json, 88), "Arrays": ("series", None, 3),
    "Speech": ("speech", _write_speech, 200), "Poses": ("pose", None, 3)}


@pytest.mark.parametrize("title", [
    title if not index else pytest.param(title, marks=pytest.mark.slow)
    for index, title in enumerate(_SECTIONS)])
def test_from_data_to_a_sample(tmp_path, title):
  name, write, dimension = _SECTIONS[title]
  commands, code = _section(title)
  assert len(commands) == 5
  if write is not None:
    write(tmp_path)
  for command in commands:
    printed = _run(command, code, tmp_path)
  assert (tmp_path / "runs" / name / "model.ckpt-2.index").exists()
  assert printed == str((50, 2, 2, dimension))
