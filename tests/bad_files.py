"""A directory of the files that users get wrong, and of hostile ones."""

import gzip
import json
import os
import pickle

import numpy as np
import tensorflow as tf

from fivo.config import stored
from fivo.formats import pianorolls

_GOOD = [[(60, 64), ()], [(60,), (), (72,)]]


class _Call(object):
  """Pickles as a call of a function."""

  def __init__(self, function, *args):
    self._call = function, args

  def __reduce__(self):
    return self._call


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
  good = pickle.dumps(contents, 2)
  mean = contents["train_mean"]
  for name, changes in (
      ("good", {}),
      ("other_mean", {"train_mean": np.full([88], 0.5)}),
      ("nan_in_mean", {"train_mean": np.where(np.arange(88) == 3, np.nan,
                                              mean)}),
      ("short_mean", {"train_mean": mean[:87]}),
      ("text_mean", {"train_mean": "0.25"}),
      ("note_20", {"train": [[(60,)], [(21,), (20,)]]}),
      ("note_120", {"train": [[(120,)]]}),
      ("negative_note", {"train": [[(-60,)]]}),
      ("float_note", {"train": [[(60.5,)]]}),
      ("text_note", {"train": [[("C4",)]]}),
      ("note_for_chord", {"train": [[60]]}),
      ("length_0", {"train": [[(60,)], []]}),
      ("empty_split", {"train": []}),
      ("text_split", {"train": "C4 E4"}),
  ):
    _write_pickle(directory, name, dict(contents, **changes))
  for name, missing in (("no_mean", "train_mean"), ("no_train", "train")):
    _write_pickle(directory, name, {
        key: value for key, value in contents.items() if key != missing})
  laughs = [(60,)]
  for _ in range(40):
    laughs = [laughs, laughs]  # A pickle holds each level once.
  _write_pickle(directory, "laughs", {"train": laughs})
  _write_pickle(directory, "many_references", {"train": [[()] * 6000] * 10000})
  _write_pickle(directory, "list", [1, 2, 3])
  _write_pickle(directory, "no_splits", {"songs": []})
  _write_pickle(directory, "system", {
      "train": _Call(os.system, "touch %s/pwned" % directory)})
  for name, data in (
      ("empty", b""),
      ("page", b"<!DOCTYPE html><p>Not found.</p>"),
      ("text", b"C4 E4 G4\n"),
      ("cut_off", good[:-40]),
      ("gzipped", gzip.compress(good)),
      ("deep", b"\x80\x02}U\x05train" + b"]" * 100000 + b"a" * 99999 + b"s."),
      ("huge_bytes", b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f."),
      ("huge_integer", b"\x80\x02}U\x05train]](\x8b\x00\x00\x10\x00" +
       b"\x7f" * (1 << 20) + b"taas."),
  ):
    _write(os.path.join(directory, name + ".pkl"), data)


def make_speech(directory):
  """Writes directories of TFRecord files of speech."""
  good = np.linspace(-1., 1., 400)
  for name, utterances in (
      ("good", [good]),
      ("nan", [np.where(np.arange(400) == 7, np.nan, good)]),
      ("odd", [good[:-1]]),
      ("length_0", [good, good[:0]]),
  ):
    _write_records(os.path.join(directory, name), utterances)
  _write(os.path.join(directory, "empty", "train"), b"")
  _write(os.path.join(directory, "text", "train"), b"Once upon a time" * 9)
  with open(os.path.join(directory, "good", "train"), "rb") as stream:
    record = bytearray(stream.read())
  _write(os.path.join(directory, "cut_off", "train"), record[:-9])
  record[100] ^= 1
  _write(os.path.join(directory, "flipped_bit", "train"), record)
  for name, text in (("deep", "[" * 100000), ("text", "three")):
    directory_of_statistics = os.path.join(directory, name + "_statistics")
    _write_records(directory_of_statistics, [good])
    _write(os.path.join(directory_of_statistics, "statistics.json"),
           text.encode())


def make_logdirs(directory):
  """Writes logdirs of foreign, damaged and hostile configurations."""
  for name, text in (
      ("foreign", '{"architectures": ["Transformer"]}'),
      ("garbage", "\x00\x01{"),
      ("cut_off", '{"format": 1, "options": {"mod'),
      ("list", "[1, 2]"),
      ("later_format", '{"format": 2, "options": {}, "train_mean": null}'),
      ("deep", "[" * 100000),
      ("text_size", _configuration(latent_size="64")),
      ("zero_size", _configuration(latent_size=0)),
      ("number_path", _configuration(dataset_path=5)),
      ("list_path", _configuration(dataset_path=["a"])),
      ("nul_path", _configuration(dataset_path="a\0b")),
      ("text_bool", _configuration(normalize_by_seq_len="no")),
      ("null_model", _configuration(model=None)),
      ("other_model", _configuration(model="transformer")),
      ("huge_integer", _configuration(num_samples=10 ** 400)),
      ("huge_float", _configuration(learning_rate=10 ** 400)),
      ("nan_mean", _configuration([float("nan")] * 88)),
      ("text_mean", _configuration("mean")),
      ("ragged_mean", _configuration([[0.5], [0.5, 0.5]])),
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


def _write_records(directory, utterances):
  os.makedirs(directory)
  with tf.io.TFRecordWriter(os.path.join(directory, "train")) as writer:
    for utterance in utterances:
      writer.write(np.asarray(utterance).astype("<f4").tobytes())


def _write(path, data):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, "wb") as stream:
    stream.write(data)
