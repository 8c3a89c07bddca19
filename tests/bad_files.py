"""A directory of the files that users get wrong, and messages about them."""

import json
import os
import pickle

import numpy as np
import pytest
import tensorflow as tf

from fivo.config import stored
from fivo.formats import pianorolls
from fivo.system.errors import UserError

_GOOD = [[(60, 64), ()], [(60,), (), (72,)]]


class _Call(object):
  """Pickles as a call of a function."""

  def __init__(self, function, *args):
    self._call = function, args

  def __reduce__(self):
    return self._call


def message_of(function, *args):
  """The message of the `UserError` that a call raises, one line."""
  with pytest.raises(UserError) as error:
    function(*args)
  message = str(error.value)
  assert "\n" not in message
  return message


def make_all(directory):
  """Writes everything below into a directory."""
  make_pianorolls(directory)
  make_speech(os.path.join(directory, "speech"))
  make_logdirs(os.path.join(directory, "logdirs"))
  np.savez(os.path.join(directory, "real.npz"), train_lengths=[2, 1],
           train_values=[[.5], [-3.], [1.]])
  _write(os.path.join(directory, "file.txt"), b"A file.")
  _write(os.path.join(directory, "flags.txt"), b"--num_samples=0\n")
  os.mkfifo(os.path.join(directory, "pipe"))
  for name in ("samples.npz", "out.npz"):
    os.makedirs(os.path.join(directory, "in_the_way", name))


def make_pianorolls(directory):
  """Writes pianoroll files; the name of each says what is wrong with it."""
  contents = {split: _GOOD for split in pianorolls.SPLITS}
  contents["train_mean"] = np.full([88], 0.25)
  for name, changes in (
      ("good", {}),
      ("other_mean", {"train_mean": np.full([88], 0.5)}),
      ("nan_in_mean", {"train_mean": np.where(np.arange(88) == 3, np.nan, 0.)}),
      ("note_120", {"train": [[(120,)]]}),
      ("length_0", {"train": [[(60,)], []]}),
  ):
    _write_pickle(directory, name, dict(contents, **changes))
  for name, missing in (("no_mean", "train_mean"), ("no_train", "train")):
    _write_pickle(directory, name, {
        key: value for key, value in contents.items() if key != missing})
  _write_pickle(directory, "list", [1, 2, 3])
  _write_pickle(directory, "system", {
      "train": _Call(os.system, "touch %s/pwned" % directory)})
  _write(os.path.join(directory, "page.pkl"), b"<p>Not found.</p>")
  _write(os.path.join(directory, "cut_off.pkl"), pickle.dumps(contents)[:-40])


def make_speech(directory):
  """Writes directories of TFRecord files of speech."""
  path = os.path.join(directory, "good", "train")
  os.makedirs(os.path.dirname(path))
  with tf.io.TFRecordWriter(path) as writer:
    writer.write(np.linspace(-1., 1., 400, dtype="<f4").tobytes())
  with open(path, "rb") as stream:
    _write(os.path.join(directory, "cut_off", "train"), stream.read()[:-9])


def make_logdirs(directory):
  """Writes logdirs of foreign and damaged configurations."""
  for name, text in (
      ("foreign", '{"architectures": ["Transformer"]}'),
      ("garbage", "\x00\x01{"),
      ("later_format", '{"format": 2, "options": {}, "train_mean": null}'),
      ("text_size", _configuration(latent_size="64")),
      ("zero_size", _configuration(latent_size=0)),
      ("nul_path", _configuration(dataset_path="a\0b")),
      ("null_model", _configuration(model=None)),
      ("nan_mean", _configuration([float("nan")] * 88)),
      ("short_mean", _configuration([0.25] * 87)),
  ):
    _write(os.path.join(directory, name, stored.FILE_NAME), text.encode())
  os.makedirs(os.path.join(directory, "pipe"))
  os.mkfifo(os.path.join(directory, "pipe", stored.FILE_NAME))


def _configuration(train_mean=None, **options):
  return json.dumps(
      {"format": 1, "options": options, "train_mean": train_mean})


def _write_pickle(directory, name, contents):
  _write(os.path.join(directory, name + ".pkl"), pickle.dumps(contents, 2))


def _write(path, data):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, "wb") as stream:
    stream.write(data)
