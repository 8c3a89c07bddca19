"""The table of bad inputs: what is given, and the one line that answers it.

Every row runs a program from its first line to its exit, in a forked child (see
`programs.py`), in a directory of bad files (see `bad_files.py`). Here is a row
of each kind; what is checked of a format is a table in `tests/formats`.
"""

import hashlib
import os
import pathlib
import subprocess
import sys

import pytest

from fivo.config import catalogue
from tests import bad_files
from tests import programs

_DOWNLOAD = "; bin/download_pianorolls.sh DIR downloads the datasets"
_COPYING = ", ".join(catalogue.names(catalogue.SCHEMES, copies=True))
_URL = ": must be a path on this machine, not a URL"
_NEED_RUN = "; give the directory of a training run, or --wait_for_checkpoint"
_DEFINES = (", which defines its model; leave the flag out, or use another "
            "--logdir")
_WRITABLE = "; must be a directory that can be written to"
_NOT_BINARY = (": has observations other than zeros and ones, which --emission="
               "autoregressive is for; use --emission=independent")
_RESTORE = "; restore it, or delete it to go by flags alone"

# Of flags alone. Each is a command line and the line that it must bring, which
# goes on from the last argument if it begins with a colon; @ stands for the
# directory of the files.
_FLAGS = [
    # Not of the flag's type.
    ("--num_samples=abc", ": must be an integer"),
    ("--learning_rate=fast", ": must be a number"),
    ("--normalize_by_seq_len=maybe", ": must be true or false"),
    ("--num_samples", "Missing value for flag --num_samples"),
    # None of the choices.
    ("--bound=FIVO",
     ": must be one of elbo, iwae, fivo, fivo-aux, sixo; did you mean fivo?"),
    ("--eval_resampling_type=relaxed",
     ": must be one of " + _COPYING),
    ("--ess_threshold=0", "--ess_threshold=0.0: must be greater than 0.0"),
    # Out of range.
    ("--num_samples=0", ": must be at least 1"),
    ("--num_samples=1099511627776", ": must be at most 1000000"),
    ("--batch_size=1000000 --num_samples=1000000",
     ": times --batch_size=1000000 must be at most 2147483647"),
    ("--learning_rate=-1", "--learning_rate=-1.0: must be greater than 0.0"),
    ("--learning_rate=nan", ": must be finite"),
    ("--learning_rate=1e-50",
     ": must be greater than 0.0 when rounded to 32 bits"),
    ("--num_timesteps=10000000", ": must be at most 10000"),
    ("--random_seed=9223372036854775808",
     ": must be at most 9223372036854775807"),
    # No flags at all.
    ("--learning_rte=99",
     "unknown flag --learning_rte; did you mean --learning_rate?"),
    ("--lr=3", "unknown flag --lr; --help lists all flags"),
    ("extra", "unexpected argument 'extra': flags are written --name=value"),
    ("--dataset_path=good.pkl -- --mode=eval",
     "unexpected argument '--mode=eval': flags are written --name=value"),
    ("\u2014num_samples=3", "unexpected argument '\u2014num_samples=3': flags "
     "are written --name=value"),
    ("--num_samples=4 -num_samples=0", "--num_samples=0: must be at least 1"),
    ("--flagfile=missing", "ERROR:: Unable to open flagfile: [Errno 2] No such "
     "file or directory: 'missing'"),
    ("--flagfile=flags.txt", "--num_samples=0: must be at least 1"),
    # Combinations.
    ("--model=vrnn --proposal_type=true-filtering", ": only the ghmm knows its "
     "true conditionals; the vrnn takes prior, filtering or smoothing"),
    ("--model=ghmm --bound=fivo-aux",
     ": the ghmm has no tilt; use one of elbo, iwae, fivo, sixo"),
    ("--model=ghmm --proposal_type=prior",
     ": leaves the ghmm nothing to train; use filtering or smoothing"),
    ("--dataset_path=good.pkl --data_dimension=87",
     ": must be 88 for --dataset_type=pianoroll"),
    ("--task=1", ": needs --master, the address of this task's TensorFlow "
     "server, or --job_name, --ps_hosts and --worker_hosts"),
    ("--master=localhost:2222", ": must be grpc://host:port"),
    ("--job_name=ps --ps_hosts=a:1", "--job_name=ps: needs --worker_hosts too; "
     "a cluster's process has --job_name, --task, --ps_hosts and "
     "--worker_hosts"),
    ("--job_name=ps --ps_hosts=a --worker_hosts=b:1",
     "--ps_hosts=a: 'a' must be host:port"),
    ("--model=srnn --bound=sixo --twist=optimal",
     ": only the ghmm knows its optimal twist; the srnn takes dre or joint"),
    ("--bound=sixo --batch_size=1", ": --twist=dre contrasts the sequences "
     "of a batch; use at least 2"),
    ("--bound=sixo --xla",
     ": cannot compile --bound=sixo; use one of elbo, iwae, fivo, fivo-aux"),
    ("--resampling_type=relaxed --xla", ": cannot compile "
     "--resampling_type=relaxed; use one of " + _COPYING),
    ("--master=grpc://localhost:1 --xla", ": cannot compile variables of "
     "another process; train in one process, or without --xla"),
    ("--resampling_gradients=stop_gradient --resampling_type=relaxed",
     "--resampling_gradients=stop_gradient: needs --resampling_type of "
     "%s, not relaxed" % _COPYING),
    ("--kl_warmup_steps=9 --proposal_type=prior", "--kl_warmup_steps=9: scales "
     "the log ratio of prior and proposal, which does not work with "
     "--proposal_type=prior; leave one of them out"),
    ("--dataset_type=pose --transpose_octaves=1",
     ": transposes pianorolls, not --dataset_type=pose"),
    ("--learning_rate_schedule=cosine",
     ": needs --schedule_steps, the step at which it ends"),
    ("--export_best", "--export_best: depends on the bound on the valid "
     "split; give --eval_every, the steps between its evaluations"),
    ("--model=ghmm --eval_every=5", ": the ghmm has no valid split: its data "
     "is endless; its log lines compare the bound with the exact likelihood; "
     "leave the flag out"),
    ("--mode=sample --sample_wav --logdir=run", "--sample_wav: only speech is "
     "sound; the data is of --dataset_type=pianoroll"),
    # Directories.
    ("--dataset_path=", "--dataset_path is required: a pianoroll pickle"),
    ("--logdir=", "--logdir is empty: must be a directory's name"),
    ("--dataset_path=good.pkl --logdir=\udcff",
     "--logdir=\\udcff: must be UTF-8, as TensorFlow requires"),
    ("--dataset_path=good.pkl --logdir=run[1]", ": must not contain * ? [ \\, "
     "which TensorFlow takes for a pattern when it restores"),
    ("--dataset_path=good.pkl --logdir=file.txt",
     ": @/file.txt is not a directory" + _WRITABLE),
    ("--dataset_path=good.pkl --logdir=gs://bucket/run", _URL),
    ("--dataset_path=s3://bucket/x --dataset_type=speech",
     "--dataset_path=s3://bucket/x" + _URL),
    ("--mode=eval --logdir=file.txt", ": is a file" + _NEED_RUN),
    ("--mode=eval --logdir=mistyped", ": no such directory" + _NEED_RUN),
    ("--mode=eval --logdir=speech", ": has no checkpoint" + _NEED_RUN),
    ("--model=ghmm --mode=sample --logdir=speech",
     ": has no checkpoint" + _NEED_RUN),
    ("--mode=sample --logdir=run --sample_out_dir=file.txt",
     ": @/file.txt is not a directory" + _WRITABLE),
    ("--mode=sample --logdir=run --sample_out_dir=in_the_way",
     ": its samples.npz is not a file, but one is to be written; move it away"),
    ("--model=ghmm --proposal_type=prior --mode=eval --logdir=in_the_way",
     ": its out.npz is not a file, but one is to be written; move it away"),
    ("--log_dir=file.txt", ": @/file.txt is not a directory" + _WRITABLE),
    # What the run in the logdir is not.
    ("--mode=eval --logdir=run --model=srnn",
     ": the run in run has vrnn" + _DEFINES),
]

# Of `--dataset_path=`: further flags after a blank.
_DATA = [
    ("missing.pkl", ": no such file" + _DOWNLOAD),
    ("speech", ": not a file; give the path of a pianoroll file in it"),
    ("pipe", ": not a file; give the path of a pianoroll file in it"),
    ("page.pkl", ": holds a web page, not a pianoroll pickle" + _DOWNLOAD),
    ("cut_off.pkl", ": not a complete pickle (EOFError)" + _DOWNLOAD),
    ("list.pkl", ": holds a list of length 3, not a dictionary with the splits "
     "train, valid, test"),
    ("no_train.pkl", ": has no split 'train', only 'valid', 'test'"),
    ("no_mean.pkl", ": has no train_mean; add it with: python "
     "fivo/data/calculate_pianoroll_mean.py --in_file=no_mean.pkl"),
    ("nan_in_mean.pkl", ": train_mean[3] is nan, not in [0, 1]; calculate it "
     "again with: python fivo/data/calculate_pianoroll_mean.py "
     "--in_file=nan_in_mean.pkl"),
    ("note_120.pkl",
     ": split 'train', sequence 0, step 0: note 120 is outside [21, 108]"),
    ("length_0.pkl", ": split 'train', sequence 1 has no timesteps"),
    ("system.pkl", ": refused: it asks for 'posix.system', which no pianoroll "
     "file needs; nothing in it was run" + _DOWNLOAD),
    ("good.pkl --dataset_type=speech", "good.pkl: not a TFRecord file; "
     "create_timit_dataset.py makes those of speech"),
    ("logdirs --dataset_type=speech",
     "logdirs: has no train split, which would be the file logdirs/train"),
    ("speech/good --dataset_type=speech --data_dimension=150",
     "speech/good/train: record 0 has 1600 bytes; must be a multiple of 600: "
     "timesteps of 150 float32 samples, at least one"),
    ("speech/cut_off --dataset_type=speech",
     "speech/cut_off/train: record 0 is cut off; make the file again"),
    ("a\nb\x1b[31m.pkl", "a b\\x1b[31m.pkl: no such file" + _DOWNLOAD),
    ("\u266a \udcff.pkl", "\u266a \\udcff.pkl: no such file" + _DOWNLOAD),
    # No data for the emission.
    ("speech/good --dataset_type=speech --emission=autoregressive",
     "speech/good" + _NOT_BINARY),
    ("good.pkl --dataset_type=pose --emission=autoregressive",
     "good.pkl" + _NOT_BINARY),
    ("real.npz --dataset_type=series --emission=autoregressive",
     "real.npz" + _NOT_BINARY),
]

# Of `--dataset_path=good.pkl --logdir=logdirs/`, what its config.json makes the
# program say.
_LOGDIRS = [
    ("foreign",
     "is not a configuration from this program (KeyError: 'options')"),
    ("garbage", "is not a configuration from this program (JSONDecodeError: "
     "Expecting value: line 1 column 1 (char 0))"),
    ("pipe", "cannot be read: not a regular file"),
    ("nan_mean", "is not a configuration from this program (ValueError: "
     "train_mean must be a list of finite numbers)"),
    ("text_size", "has a latent_size, '64', that must be an integer"),
    ("zero_size", "has a latent_size, 0, that must be at least 1"),
    ("nul_path",
     r"has a dataset_path, 'a\x00b', that must not hold a NUL byte"),
    ("null_model", "has a model, None, that needs a value"),
    ("later_format", "is not a configuration from this program (ValueError: "
     "its format is 2, this version reads 1)"),
]

# Of the data commands.
_COMMANDS = [
    ("calculate_pianoroll_mean.py",
     "--in_file is required: the pianoroll file to read"),
    ("calculate_pianoroll_mean.py --in_file=missing.pkl",
     ": no such file" + _DOWNLOAD),
    ("calculate_pianoroll_mean.py --in_file=http://h/jsb.pkl", _URL),
    ("calculate_pianoroll_mean.py --in_file=note_120.pkl",
     ": split 'train', sequence 0, step 0: note 120 is outside [21, 108]"),
    ("calculate_pianoroll_mean.py --in_file=good.pkl --out_file=speech",
     ": not a file; give the path of a file to write"),
    ("calculate_pianoroll_mean.py --in_file=good.pkl --out_file=missing/x.pkl",
     ": there is no directory @/missing"),
    ("create_series_dataset.py --in=missing --out_file=missing/x.npz",
     ": there is no directory @/missing"),
    ("create_timit_dataset.py",
     "--raw_timit_dir is not given; give the directory that holds TIMIT/"),
    ("create_timit_dataset.py --raw_timit_dir=missing --out_dir=out",
     "--raw_timit_dir=missing is not a directory; give the one that holds "
     "TIMIT/"),
    ("create_timit_dataset.py --raw_timit_dir=speech --out_dir=out",
     "--raw_timit_dir=speech holds no TIMIT/TRAIN/*/*/*.WAV; give the "
     "directory that holds TIMIT/, or TRAIN/ and TEST/"),
    ("create_timit_dataset.py --raw_timit_dir=speech --out_dir=out "
     "--valid_frac=1", "--valid_frac=1.0 must be at least 0 and less than 1, "
     "so that files are left to train on"),
    ("create_synthetic_timit.py",
     "--out_dir is not given; give the directory in which to make TIMIT/"),
    ("create_synthetic_timit.py --out_dir=out --num_train=0",
     "--num_train=0 must be from 1 to 87880"),
    ("create_chorales_dataset.py",
     "--out_file is required: the pianoroll file to write"),
    ("download_pianorolls.py",
     "--out_dir is required: the directory for the files"),
]

# What only a graph shows: the last of the lines.
_LATER = [
    ("--mode=eval --logdir=run --dataset_path=other_mean.pkl",
     "--dataset_path=other_mean.pkl: its train_mean is not the one that the "
     "run in run was trained with; use that run's dataset, or another "
     "--logdir"),
    ("--mode=eval --logdir=logdirs/short_mean --dataset_path=good.pkl",
     "--logdir=logdirs/short_mean: has no checkpoint" + _NEED_RUN),
    ("--mode=sample --logdir=run --prefix_length=4", "--prefix_length=4: no "
     "sequence of the train split is that long; must be at most 3"),
]


def _rows(table):
  return [pytest.param(*row, id=ascii(row[0][:50])[1:-1]) for row in table]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
  """The directory in which the rows run, with the run of one step in it."""
  directory = os.path.realpath(str(tmp_path_factory.mktemp("world")))
  bad_files.make_all(directory)
  result = programs.run(
      ["--dataset_path=good.pkl", "--logdir=run", "--max_steps=1",
       "--latent_size=2", "--random_seed=1"], directory=directory)
  assert result.exit_code == 0, result.stderr
  return directory


def _contents(directory):
  """The files in a directory, and what they hold."""
  return {path: path.is_file() and hashlib.sha1(path.read_bytes()).hexdigest()
          for path in pathlib.Path(directory).rglob("*")}


def _line(world, args, line, program=programs.RUN_FIVO):
  """The whole line that a row of a table stands for."""
  line = args[-1] + line if line.startswith(":") else line
  return "%s: %s" % (os.path.basename(program), line.replace("@", world))


def _check_refused(world, args, line, program=programs.RUN_FIVO):
  """Asserts one line, exit code 1, nothing made; returns the result."""
  before = _contents(world)
  result = programs.run(args, program, world)
  assert result.stderr.splitlines()[-1:] == [_line(world, args, line, program)]
  assert result.exit_code == 1
  assert "Traceback" not in result.stderr
  assert result.stdout == ""
  assert _contents(world) == before
  return result


def _check_refused_at_once(*args):
  """As above, in one line, and before any op is made."""
  result = _check_refused(*args)
  assert result.stderr.count("\n") == 1
  assert result.num_ops == 0


def _with_logdir(args):
  """Names a logdir that is not there; the default one may be."""
  return args if any(a.startswith("--logdir=") for a in args) else (
      ["--logdir=new"] + args)


@pytest.mark.parametrize("args, line", _rows(_FLAGS))
def test_flags(world, args, line):
  _check_refused_at_once(world, _with_logdir(args.split()), line)


@pytest.mark.parametrize("args, line", _rows(_DATA))
def test_data(world, args, line):
  path, *flags = args.split(" --")
  line = path + line if line.startswith(":") else line
  _check_refused_at_once(
      world, ["--logdir=new", "--dataset_path=" + path] +
      ["--" + flag for flag in flags], "--dataset_path=" + line)


@pytest.mark.parametrize("name, line", _rows(_LOGDIRS))
def test_logdirs(world, name, line):
  logdir = "--logdir=logdirs/" + name
  _check_refused_at_once(
      world, [logdir, "--dataset_path=good.pkl"],
      "%s: its config.json %s%s" % (
          logdir, line, "" if name == "pipe" else _RESTORE))


@pytest.mark.parametrize("command, line", _rows(_COMMANDS))
def test_data_commands(world, command, line):
  program, *args = command.split()
  _check_refused_at_once(world, args, line, "fivo/data/" + program)


@pytest.mark.parametrize("args, line", _rows(_LATER))
def test_what_a_graph_shows(world, args, line):
  _check_refused(world, args.split(), line)


@pytest.mark.parametrize("args, line", _FLAGS[::30])
def test_in_a_process_of_its_own(world, args, line):
  done = subprocess.run(
      [sys.executable, os.path.join(programs.ROOT, programs.RUN_FIVO)] +
      _with_logdir(args.split()), cwd=world, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True, timeout=60)
  assert (done.returncode, done.stdout, done.stderr) == (
      1, "", _line(world, args.split(), line) + "\n")
