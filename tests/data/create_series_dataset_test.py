"""Tests of fivo.data.create_series_dataset, on files as people have them."""

import gzip

import numpy as np
import pytest

from fivo.data import create_series_dataset
from fivo.data import series_info
from fivo.system.errors import UserError
from tests import programs

pandas = pytest.importorskip("pandas")

_FRAME = pandas.DataFrame({"x": [1.5, 0.5], "y": [5., 6.]})
_INTEGERS = _FRAME.rename(columns={"x": 0, "y": 1})
_ROWS = [[1.5, 5.], [0.5, 6.]]


def _write(path, content):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(content if isinstance(content, bytes)
                   else content.encode("utf-8"))


def _read(path, fractions=(1., 0., 0.), **kwargs):
  return create_series_dataset.read(str(path), fractions, **kwargs)


# All of these hold _ROWS, in columns x and y.
_NAMED = {
    "pandas": _FRAME.to_csv(index=False), "pandas with index": _FRAME.to_csv(),
    "dates and times": "date,time,x,y\n2020-01-01,12:00,1.5,5\n2020-01-01,12:01"
                       ",0.5,6\n",
    "German dates": "Datum;x;y\n01.02.2020;1,5;5\n02.02.2020;0,5;6\n",
    "R": '"","x","y"\n"1",1.5,5\n"2",0.5,6\n',
    "R write.table": '"x" "y"\n"1" 1.5 5\n"2" 0.5 6\n',
    "R row names": '"","x","y"\n"Mazda RX4",1.5,5\n"Datsun 710",0.5,6\n',
    "quoted decimal commas": 'x,y\n"1,5","5,0"\n"0,5","6"\n',
    "Excel": "sep=;\r\nx;y\r\n1,5;5\r\n0,5;6", "lines": "x,y\n\n1.5,5\n\n0.5,6",
    "Excel, Unicode text": "x\ty\r\n1.5\t5\r\n0.5\t6\r\n".encode("utf-16"),
    "old Mac": "x,y\r1.5,5\r0.5,6\r", "spaces": " x  y\n  1.5   5\n  0.5   6  ",
    "trailing separators under a header": "x,y\n1.5,5,\n0.5,6,\n",
    "units": "Logger X\nSerial;77\nx;y\ns;mV\n1,5;5,0\n0,5;6\n",
    "preamble": "Device,A\nDate,2020-01-01\n\nx,y\n1.5,5\n0.5,6\n",
    "gzip": gzip.compress(b"x,y\n1.5,5\n0.5,6\n"),
}
_NAMELESS = {
    "no header": _FRAME.to_csv(index=False, header=False),
    "an instrument": "# Device 7\n#\n  1.5 \t5\n\n0.5\t6\n\n",
    "decimal commas, tabs": "1,5\t5,0\n0,5\t6\n",
}

# Those of whose lines or columns the log says that they are left out.
_TOLD = ("pandas with index", "dates and times", "German dates", "R",
         "R write.table", "R row names", "units", "preamble")


@pytest.mark.parametrize("name", [*_NAMED, *_NAMELESS])
def test_kinds_of_files(tmp_path, caplog, name):
  _write(tmp_path / "a.csv", _NAMED.get(name) or _NAMELESS[name])
  contents, names = _read(tmp_path / "a.csv")
  assert [sequence.tolist() for sequence in contents["train"]] == [_ROWS]
  assert names == (["x", "y"] if name in _NAMED else None)
  assert bool(caplog.text) == (name in _TOLD)


# Name: the content of a file, how to read it, the values and the names that it
# has, and words of the log.
_READ = {
    "umlauts": ("Temp \u00b0C;Gr\u00f6\u00dfe\r\n1,5;5\r\n0,5;6".encode(
        "cp1252"), {}, _ROWS, ["Temp \u00b0C", "Gr\u00f6\u00dfe"], ""),
    "integer header": (_INTEGERS.to_csv(index=False), {"header": True}, _ROWS,
                       "01", ""),
    "integer header and index": (_INTEGERS.to_csv(), {}, _ROWS, "01",
                                 "left out dates, times or names of rows: ''"),
    "a time column": ("x,t\n1.5,1\n0.5,2\n", {"time_column": "t"},
                      [[1.5], [0.5]], "x", ""),
    "falling times": ("x,t\n1.5,2\n0.5,1\n", {"time_column": "t"},
                      [[1.5], [0.5]], "x", "column 't' do not ascend"),
    "truth": ("x,y\n1.5,TRUE\n.5,FALSE", {}, [[1.5, 1.], [.5, 0.]], "xy", ""),
    "one column": ("0,806\n1,05\n-0,25\n2\n", {},
                   [[.806], [1.05], [-.25], [2.]], None, ""),
    "told thousands are none": ("x\ty\n1,234\t2\n2,500\t3\n", {"decimal": ","},
                                [[1.234, 2.], [2.5, 3.]], "xy", ""),
    "binary": ("0,1\n0,0\n1,1\n", {"header": False},
               [[0., 1.], [0., 0.], [1., 1.]], None, ""),
    "drop_rows": ("x,y\n1.5,5\n,6\n0.5,NA\n2.5,7\n", {"missing": "drop_rows"},
                  [[1.5, 5.], [2.5, 7.]], "xy", ""),
    "interpolate": ("x,y\n1,5\n,\nNaN,6\n2.5,#N/A\n",
                    {"missing": "interpolate"},
                    [[1., 5.], [1.5, 5.5], [2., 6.], [2.5, 6.]], "xy",
                    "['x'] rises by a constant"),
    "drop_columns": ("x,y,who\n1.5,5,a\n0.5,6,a\n",
                     {"drop_columns": ["who", "y"]}, [[1.5], [.5]], "x", ""),
    "drop_constant": ("x,y\n1.5,5\n0.5,5\n", {"drop_constant": True},
                      [[1.5], [.5]], "x", "left out column ['y']"),
    "Unix time": ("t,x\n1600000000,1\n1600000060,3\n1600000120,2\n", {},
                  [[1.6e9, 1.], [1.6e9 + 60, 3.], [1.6e9 + 120, 2.]], "tx",
                  "column ['t'] rises by a constant"),
    "same names": ("x,x.1,x\n1.5,5,1\n0.5,6,3\n", {}, [[1.5, 5., 1.], [
        .5, 6., 3.]], ["x", "x.1", "x.2"], ""),
}


@pytest.mark.parametrize("name", _READ)
def test_read(tmp_path, caplog, name):
  content, kwargs, values, names, words = _READ[name]
  _write(tmp_path / "a.csv", content)
  contents, found = _read(tmp_path / "a.csv", **kwargs)
  assert [sequence.tolist() for sequence in contents["train"]] == [values]
  assert found == (names and list(names))
  assert words in caplog.text if words else not caplog.text


# The content, how to read it, and words of the message.
_REFUSED = [
    ("#\n\nx,y\n1,5\n0.5,off\n", {}, "line 5, column 'y': 'off'"),
    ("t,x\n2020-01-01,1\n2020-01-02,2\n2020-01-03,1\nt,x\n2020-01-01,3\n",
     {}, "line 5, column 't': 't' is neither a date nor a number"),
    ("x,who\n1,a\n2,b\n", {}, "'a' is not a finite number; see --drop_columns"),
    ("x\ty\n1.234,5\t2\n2,5\t3", {}, "'1.234,5' is not a finite"),
    ("x\ty\n1,234\t2\n2,500\t3", {}, "line 2: commas may be decimal"),
    ("x,y\n1,5\n,6\n", {}, "line 3, column 'x': the number is miss"),
    ("x\ty\n1\t\\N\n2\t3\n", {}, "line 2, column 'y': the number is miss"),
    ("x,y\n1,\n,2\n", {"missing": "drop_rows"}, "no complete line"),
    ("x,y\n1,5\n1,2,3\n4,5\n", {}, "line 3: 3 cells; must be 2"),
    ("x\n1\n1e39\n", {}, "line 3, column 'x': '1e39' is not"),
    ("x\n1\n#REF!\n2\n", {}, "line 3, column 'x': '#REF!' is not"),
    ("2019,2020\n.5,1.5\n", {}, "line 1: may be a header or numbers"),
    ("1.5,off\n5.1,7.2\n5.3,7.1\n", {}, "line 1: may be a header or numbers"),
    ("0,806\n0,25\n", {}, "line 1: commas may be decimal; say --decimal=,"),
    ("x,y\n1,5\n2,5\n", {}, "the same throughout in column ['y']"),
    ("x,y\n1,5\n", {"time_column": "t"}, "has no column 't', only ['x', 'y']"),
    ("id,x\na,1\n,2\n", {"id_column": "id"}, "line 3, column 'id': the id is"),
    (b"PK\3\4\0", {}, "line 1: not cells in text (Error: line contains NUL"),
    (b"\x1f\x8b\x08", {}, "a complete gzip"),
    ('x,y\n1,"2\n3,4\n', {}, "line 2: not cells in text (Error: unexp"),
    ("x,y\n1,5\n2,6\n", {"fractions": None},
     "1 sequences for 3 splits; see --sequence_length"),
]


@pytest.mark.parametrize("content, kwargs, words", _REFUSED)
def test_refused_in_one_line(tmp_path, content, kwargs, words):
  path = tmp_path / "a.csv"
  _write(path, content)
  with pytest.raises(UserError) as error:
    _read(path, **kwargs)
  message = str(error.value)
  assert message.startswith(str(path)) and words in message
  assert "\n" not in message


def _tables(count):
  return {"%d.csv" % number: "x,y\n%d.5,1\n%d.25,2\n" % (number, number)
          for number in range(count)}


# Files of a folder, how to read it, and the first numbers of the sequences in
# train, valid and test, sorted; or words of the message.
_FOLDERS = [
    ({"Train/1.csv": "x,y\n1.5,2\n3,4\n", "VAL/2.csv": "x,y\n2.5,1",
      "test/deep/3.CSV": "x,y\n3.5,1", "README.txt": "about"},
     {"fractions": None}, [[1.5], [2.5], [3.5]]),
    (_tables(10), {"fractions": None},
     [[0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 7.5, 8.5], [9.5], [6.5]]),
    (_tables(3), {"fractions": (0.8, 0.1, 0.1), "seed": 1},
     [[1.5], [2.5], [0.5]]),
    ({"1.csv": "x,y\n" + "".join(
        "%d.5,%d\n" % (t, t % 3) for t in range(7))}, {"sequence_length": 3},
     [[0.5, 3.5, 6.5]]),
    ({".hidden/1.csv": "x", "._2.csv": "x", "3.csv.gz": gzip.compress(
        b"x\n1\n2\n4")}, {}, [[1.]]),
    # Sequences that are interleaved.
    ({"1.csv": "id,x,y\nb,1.5,2\na,3.5,1\nb,2.5,3\na,1.25,2\n"},
     {"id_column": "id"}, [[1.5, 3.5]]),
    ({"1.csv": "x,y\n1,2", "2.csv": "y,x\n1,2"}, {}, "the columns are ['y'"),
    ({"1.csv": "x,y\n1,2", "2.csv": "1.5,2"}, {}, "the columns are ['0'"),
]


@pytest.mark.parametrize("contents, kwargs, expected", _FOLDERS)
def test_folders(tmp_path, contents, kwargs, expected):
  for path, content in contents.items():
    _write(tmp_path / "a b" / path, content)
  if isinstance(expected, str):
    with pytest.raises(UserError) as error:
      _read(tmp_path / "a b", **kwargs)
    assert expected in str(error.value)
  else:
    assert expected == [sorted(sequence[0, 0] for sequence in sequences)
                        for sequences in _read(
                            tmp_path / "a b", **kwargs)[0].values()]


def test_npz(tmp_path):
  path = tmp_path / "a.npz"
  values = np.random.RandomState(1).normal(size=[30, 2])
  arrays = dict(names=["x", "y"], train_values=values, train_lengths=[3] * 10)
  np.savez(str(path), **arrays)
  contents, names = _read(path, None)
  assert list(map(len, contents.values())) == [8, 1, 1]
  assert names == ["x", "y"]
  np.savez(str(path), VALID_values=values, VALID_lengths=[30], **arrays)
  assert list(map(len, _read(path, None)[0].values())) == [10, 1]


def test_command(tmp_path):
  _write(tmp_path / "a.txt", "# t\nt;temp\n1;1,5\n2;2\n3;0,5\n")
  result = programs.run(
      ["--in=a.txt", "--out_file=a.npz", "--time_column=t", "--splits=1,0,0"],
      "fivo/data/create_series_dataset.py", directory=str(tmp_path))
  assert (result.exit_code, result.stdout) == (0, ""), result.stderr
  assert "train: 1 sequences, 3 timesteps in all." in result.stderr
  assert series_info.read(str(tmp_path / "a.npz")).names == ["temp"]
