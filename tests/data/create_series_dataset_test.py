"""Tests of fivo.data.create_series_dataset, on files as people have them."""

import gzip
import sys

import numpy as np
import pytest

from fivo.data import create_series_dataset
from fivo.data import series_info
from fivo.system.errors import UserError
from tests import programs

pandas = pytest.importorskip("pandas")

_FRAME = pandas.DataFrame({"x": [0.806, 1., -2.5e-3, 1e6],
                           "y": [5.25, 4.125, 3., 0.1]})
_XY = _FRAME.values.tolist()
# Of the long tables below: two sequences.
_ABC = [[1.5, 2.], [2.5, 3.], [0.5, 4.]], [[3.5, 1.], [1.25, 2.]]
_DATES = ["2020-01-0%d 12:00:00" % day for day in range(1, 5)]
_COMMAS = "0,806\n1,05\n-0,25\n2\n"


def _write(path, content):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(content if isinstance(content, bytes)
                   else content.encode("utf-8"))


def _read(path, fractions=(1., 0., 0.), **kwargs):
  return create_series_dataset.read(str(path), fractions, **kwargs)


# Name: the content of a file, how to read it, the values and the names that it
# has, and words of the log.
_READ = {
    "index": (_FRAME.to_csv(), {}, _XY, "xy", "left out column ''"),
    "no index": (_FRAME.to_csv(index=False), {}, _XY, "xy", ""),
    "no header": (_FRAME.to_csv(index=False, header=False), {}, _XY, None, ""),
    "integer header": (_FRAME.rename(columns={"x": 0, "y": 1}).to_csv(
        index=False), {"header": True}, _XY, "01", ""),
    "integer header and index": (_FRAME.rename(
        columns={"x": 0, "y": 1}).to_csv(), {}, _XY, "01", "left out column"),
    "three integers": ("0,1,2\n.5,.5,1.5\n.25,2.5,.5\n", {},
                       [[.5, .5, 1.5], [.25, 2.5, .5]], "012", ""),
    "wavelengths": ("90,100,110\n.5,.25,.4\n.75,2.5,.2\n.5,2.5,.3\n",
                    {"header": True},
                    [[.5, .25, .4], [.75, 2.5, .2], [.5, 2.5, .3]],
                    ["90", "100", "110"], ""),
    "dates as an index": (_FRAME.set_index(pandas.to_datetime(_DATES)).to_csv(),
                          {}, _XY, "xy", "left out column ''"),
    "dates and times": ("date,time,x\n2020-01-01,12:00,1.5\n2020-01-01,12:01,2"
                        "\n", {}, [[1.5], [2.]], "x", "'date', 'time'"),
    "German dates": ("Datum;x\n01.02.2020;1,5\n02.02.2020;2,5\n", {},
                     [[1.5], [2.5]], "x", "'Datum'"),
    "a time column": ("x,t\n1.5,1\n0.5,2\n", {"time_column": "t"},
                      [[1.5], [0.5]], "x", ""),
    "R": ('"","x","y"\n"1",1.5,TRUE\n"2",0.5,FALSE\n', {},
          [[1.5, 1.], [.5, 0.]], "xy", "left out column ''"),
    "R write.table": ('"x" "y"\n"1" 1.5 5\n"2" 0.5 6\n', {},
                      [[1.5, 5.], [.5, 6.]], "xy", "left out column ''"),
    "R row names": ('"","x"\n"Mazda RX4",1.5\n"Datsun 710",0.5\n', {},
                    [[1.5], [.5]], "x", "left out column ''"),
    "R write.csv2": ('"x";"y"\n1,5;5\n0,5;6\n', {}, [[1.5, 5.], [.5, 6.]], "xy",
                     ""),
    "quoted numbers": ('"x","y"\n"1.5","5"\n"0.5","6"\n', {},
                       [[1.5, 5.], [.5, 6.]], "xy", ""),
    "quoted decimal commas": ('x,y\n"1,5","5,25"\n"0,5","6"\n', {},
                              [[1.5, 5.25], [.5, 6.]], "xy", ""),
    "Excel": ("sep=;\r\nTemp \u00b0C;Gr\u00f6\u00dfe\r\n1,5;5\r\n0,5;6".encode(
        "cp1252"), {}, [[1.5, 5.], [.5, 6.]],
              ["Temp \u00b0C", "Gr\u00f6\u00dfe"], ""),
    "Excel, UTF-8": ("\ufeffx;y\r\n1,5;5\r\n0,5;6\r\n", {},
                     [[1.5, 5.], [.5, 6.]], "xy", ""),
    "Excel, Unicode text": ("x\ty\r\n1.5\t5\r\n0.5\t6\r\n".encode("utf-16"), {},
                            [[1.5, 5.], [.5, 6.]], "xy", ""),
    "old Mac": ("x,y\r1.5,5\r0.5,6\r", {}, [[1.5, 5.], [.5, 6.]], "xy", ""),
    "an instrument": ("# Device 7\n#\n  1.5 \t5\n\n0.5\t6\n\n", {},
                      [[1.5, 5.], [.5, 6.]], None, ""),
    "NumPy": ("# x y\n1.5e+00 5\n0.5e+00 6\n", {}, [[1.5, 5.], [.5, 6.]], None,
              ""),
    "units and a preamble": (
        "Logger X\nSerial;77\nt;x\ns;mV\n0,1;1,5\n0,3;2,5\n", {},
        [[.1, 1.5], [.3, 2.5]], "tx", "above line 5, that"),
    "spaces": ("  1.5   5\n  0.5   6  \n", {}, [[1.5, 5.], [.5, 6.]], None, ""),
    "decimal commas, spaces": ("1,5 5,0\n0,5 6\n", {}, [[1.5, 5.], [.5, 6.]],
                               None, ""),
    "decimal commas, tabs": ("1,5\t5\n0,5\t6\n", {}, [[1.5, 5.], [.5, 6.]],
                             None, ""),
    "one column, decimal commas": (
        _COMMAS, {}, [[.806], [1.05], [-.25], [2.]], None, ""),
    "one column with a name, decimal commas": (
        "x\n0,806\n12,5\n", {}, [[.806], [12.5]], "x", ""),
    "told decimal commas": ("12,345\n12,5\n", {"decimal": ","},
                            [[12.345], [12.5]], None, ""),
    "told decimal points": ("12,345\n13,5\n", {"decimal": "."},
                            [[12., 345.], [13., 5.]], None, ""),
    "trailing separators": ("x;y;\n1.5;5;\n0.5;6;\n", {},
                            [[1.5, 5.], [.5, 6.]], "xy", ""),
    "trailing separators under a header": (
        "x,y\n1.5,5,\n0.5,6,\n", {}, [[1.5, 5.], [.5, 6.]], "xy", ""),
    "binary": ("0,1\n0,0\n1,1\n", {"header": False},
               [[0., 1.], [0., 0.], [1., 1.]], None, ""),
    "drop_rows": ("x,y\n1.5,5\n,6\n0.5,NA\n2.5,7\n", {"missing": "drop_rows"},
                  [[1.5, 5.], [2.5, 7.]], "xy", "2 numbers are missing"),
    "interpolate": ("x,y\n1,5\nNaN,6\n2.5,#N/A\n", {"missing": "interpolate"},
                    [[1., 5.], [1.75, 6.], [2.5, 6.]], "xy",
                    "2 numbers are missing"),
    "interpolated lines": ("x,y\n1,5\n,\n2,7\n", {"missing": "interpolate"},
                           [[1., 5.], [1.5, 6.], [2., 7.]], "xy", "2 numbers"),
    "drop_columns": ("x,y,who\n1.5,5,a\n0.5,6,a\n",
                     {"drop_columns": ("who", "y")}, [[1.5], [.5]], "x", ""),
    "drop_constant": ("x,y\n1.5,5\n0.5,5\n", {"drop_constant": True},
                      [[1.5], [.5]], "x", "left out column 'y'"),
    "Unix time": ("t,x\n1600000000,1\n1600000060,3\n1600000120,2\n", {},
                  [[1.6e9, 1.], [1.6e9 + 60, 3.], [1.6e9 + 120, 2.]], "tx",
                  "column 't' rises by a constant"),
    "a preamble of words": ("Device,A\nRate,100\nDate,2020-01-01\n\nt,x\n"
                            "0.5,5\n0.25,7\n", {}, [[.5, 5.], [.25, 7.]], "tx",
                            "above line 6, that"),
    "lines of separators": ("x,y\n1.5,5\n0.5,6\n,\n,\n", {},
                            [[1.5, 5.], [.5, 6.]], "xy", ""),
    "same names": ("x,x\n1.5,5\n0.5,6\n", {}, [[1.5, 5.], [.5, 6.]],
                   ["x", "x.1"], ""),
}


@pytest.mark.parametrize("name", _READ)
def test_read(tmp_path, caplog, name):
  content, kwargs, values, names, words = _READ[name]
  _write(tmp_path / "a.csv", content)
  contents, found = _read(tmp_path / "a.csv", **kwargs)
  assert [sequence.tolist() for sequence in contents.pop("train")] == [values]
  assert found == (names and list(names)) and not contents
  assert words in caplog.text if words else not caplog.text


# Name: the content, how to read it, and words of the message.
_REFUSED = {
    "text": ("x,y\n1,5\n0.5,off\n", {}, "line 3, column 'y': 'off' is not a"),
    "text after comments": ("#\n\nx,y\n1,5\n0.5,off\n", {}, "line 5, column"),
    "no header": ("1,5\n0.5,off\n", {}, "line 2, column '1': 'off'"),
    "labels": ("x,who\n1,a\n2,b\n", {}, "'a' is not a number; --drop_columns"),
    "labels first": ("who,x\na,1\na,2\n", {}, "column 'who': 'a' is not a"),
    "mixed decimals": ("x;y\n1,5;2.5\n2;3\n", {}, "'1,5' is not a num"),
    "thousands": ("x;y\n1.234,5;2,5\n2;3\n", {}, "'1.234,5' is not a number"),
    "missing": ("x,y\n1,5\n,6\n", {}, "line 3, column 'x': the number is miss"),
    "missing throughout": ("x,y\n1,\n2,NA\n", {"missing": "interpolate"},
                           "column 'y': the number is missing"),
    "no row": ("x,y\n1,\n,2\n", {"missing": "drop_rows"}, "no line is comp"),
    "ragged": ("x,y\n1,5\n1,2,3\n4,5\n", {}, "line 3: 3 cells; must be 2"),
    "infinite": ("x,y\n1,5\n1,-inf\n", {}, "line 3, column 'y': -inf is not"),
    "large": ("x\n1\n1e39\n", {}, "line 3, column 'x': 1e39 is not"),
    "empty": ("\n\n", {}, "is empty"), "comments": ("# 1\n", {}, "is empty"),
    "words": ("some words\nand more\n", {}, "has no line of numbers"),
    "integers": ("0;1\n2;3\n4;5\n", {}, "line 1: 0;1 may be a header or num"),
    "one number or two": ("12,345\n12,5\n", {}, "12,345 may be one number or"),
    "decimal commas between commas": (
        "1,764,0,04\n1,5,0,5\n", {}, "1,764,0,04 may be one number or two"),
    "constant": ("x,y\n1,5\n2,5\n", {}, "column 'y' is the same in all of the"),
    "no such column": ("x,y\n1,5\n", {"time_column": "t"}, "has no column 't', "
                       "only 'x', 'y'"),
    "ids": ("id,x\na,1\n,2\n", {"id_column": "id"}, "the id is missing"),
    "Excel": (b"PK\3\4", {}, "is not text; save a workbook as CSV"),
    "thousands in the first column": ("x;y\n1.234,5;2\n2.345,5;3\n", {},
                                      "'1.234,5' is not a number"),
    "percents": ("x;y\n12%;2\n13%;3\n", {}, "'12%' is not a number"),
    "first line of integers": ("5,7\n5.1,7.2\n5.3,7.1\n5.2,7.7\n", {},
                               "5,7 may be a header or numbers"),
    "bytes": (b"\0\1\2\3", {}, "is not text"),
    "gzip": (b"\x1f\x8b\x08", {}, "not a complete gzip file"),
    "quotes": ('x,y\n1,"2\n3,4\n', {}, "goes on over the end of a line"),
    "one sequence": ("x,y\n1,5\n2,6\n", {"fractions": None},
                     "1 sequences for 3 splits; --sequence_length=T cuts them"),
}


@pytest.mark.parametrize("name", _REFUSED)
def test_refused_in_one_line(tmp_path, name):
  content, kwargs, words = _REFUSED[name]
  path = tmp_path / "a.csv"
  _write(path, content)
  with pytest.raises(UserError) as error:
    _read(path, **kwargs)
  message = str(error.value)
  assert message.startswith(str(path)) and words in message
  assert "\n" not in message


def test_without_pandas(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "pandas", None)
  _write(tmp_path / "a.csv", "x\n1\n2\n")
  with pytest.raises(UserError, match=r"pip install fivo\[series\]"):
    _read(tmp_path / "a.csv")


def _long_table():
  """A table whose sequences are interleaved."""
  return "id,t,x,y\n" + "".join("%s,2020-01-0%d,%s,%s\n" % row for row in (
      ("b", 1, 1.5, 2), ("a", 1, 3.5, 1), ("b", 2, 2.5, 3), ("a", 2, 1.25, 2),
      ("b", 3, .5, 4)))


def _tables(count, start=0):
  return {"%d.csv" % number: "x,y\n" + "%d.5,1\n%d.25,2\n" % (number, number)
          for number in range(start, start + count)}


# Name: the files of a folder, how to read it, and the first numbers of the
# sequences in train, valid and test.
_FOLDERS = {
    "splits": ({"Train/1.csv": "x,y\n1.5,2\n3,4\n", "VAL/2.csv": "x,y\n2.5,1",
                "test/deep/3.CSV": "x,y\n3.5,1", "README.txt": "about"},
               {"fractions": None}, [[1.5], [2.5], [3.5]]),
    "a file for each split": (
        {"training.csv": "x,y\n1.5,2\n3,4\n", "dev.tsv": "x\ty\n2.5\t1"},
        {"fractions": None}, [[1.5], [2.5]]),
    "flat": (_tables(10), {"fractions": None},
             [[0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 7.5, 8.5], [9.5], [6.5]]),
    "few": (_tables(3), {"fractions": (0.8, 0.1, 0.1), "seed": 1}, None),
    "compressed": ({"1.csv.gz": gzip.compress(b"x,y\n1.5,2\n3,4\n")}, {},
                   [[1.5]]),
    "cut": ({"1.csv": "x,y\n" + "".join(
        "%d.5,%d\n" % (t, t % 3) for t in range(7))}, {"sequence_length": 3},
            [[6.5, 0.5, 3.5]]),
    "hidden": ({".hidden/1.csv": "x", "._2.csv": "x", "3.csv": "x\n1\n2\n4"},
               {}, [[1.]]),
}


@pytest.mark.parametrize("name", _FOLDERS)
def test_folders(tmp_path, name):
  contents, kwargs, expected = _FOLDERS[name]
  for path, content in contents.items():
    _write(tmp_path / "a b" / path, content)
  found = [[sequence[0, 0] for sequence in sequences]
           for sequences in _read(tmp_path / "a b", **kwargs)[0].values()]
  if expected is None:
    assert sorted(map(len, found)) == [1, 1, 1]
  elif name in ("flat", "cut"):
    assert [sorted(numbers) for numbers in found] == [
        sorted(numbers) for numbers in expected]
  else:
    assert found == expected


def test_ids(tmp_path):
  _write(tmp_path / "a.csv", _long_table())
  contents, names = _read(tmp_path / "a.csv", id_column="id", seed=1)
  assert sorted(s.tolist() for s in contents["train"]) == sorted(_ABC)
  assert names == ["x", "y"]


@pytest.mark.parametrize("contents, words", [
    ({"readme.md": ""}, "holds no files that end with .csv"),
    ({"1.csv": "x,y\n1,2", "2.csv": "y,x\n1,2"}, "2.csv: the columns are y, x"),
    ({"1.csv": "x,y\n1,2", "2.csv": "x,z\n1,2"}, "2.csv: the columns are x, z"),
    ({"1.csv": "x,y\n1,2", "2.csv": "1.5,2"}, "2.csv: the columns are 0, 1"),
])
def test_refused_folders(tmp_path, contents, words):
  for path, content in contents.items():
    _write(tmp_path / path, content)
  with pytest.raises(UserError) as error:
    _read(tmp_path)
  assert words in str(error.value)


@pytest.mark.parametrize("splits, num_found", [
    (["train"], [8, 1, 1]), (["train", "valid", "test"], [10, 10, 10])])
def test_npz(tmp_path, splits, num_found):
  values = np.random.RandomState(1).normal(size=[30, 2])
  path = str(tmp_path / "a.npz")
  np.savez(path, names=["x", "y"], **{
      split + name: array for split in splits
      for name, array in (("_values", values), ("_lengths", [3] * 10))})
  contents, names = _read(path, None)
  assert list(map(len, contents.values())) == num_found
  assert names == ["x", "y"]


def test_values_are_pandas(tmp_path):
  frame = pandas.DataFrame(np.random.RandomState(1).normal(
      scale=1e3, size=[500, 3]))
  frame.to_csv(str(tmp_path / "a.csv"), index=False)
  contents, _ = _read(tmp_path / "a.csv")
  np.testing.assert_array_equal(
      contents["train"][0], pandas.read_csv(str(tmp_path / "a.csv")).values)


def test_command(tmp_path):
  for number in range(10):
    _write(tmp_path / "logs" / ("%d.txt" % number), "# t\nt;temp;level\n" + (
        "".join("%d;%d,5;%d\n" % (t, t * number % 7, number)
                for t in range(5))))
  out_file = str(tmp_path / "a.npz")
  result = programs.run(
      ["--in=%s" % (tmp_path / "logs"), "--out_file=" + out_file,
       "--time_column=t"], "fivo/data/create_series_dataset.py")
  assert (result.exit_code, result.stdout) == (0, ""), result.stderr
  assert "8 sequences of 40 timesteps to train" in result.stderr
  with np.load(out_file) as arrays:
    assert arrays["names"].tolist() == ["temp", "level"]
  assert series_info.read(out_file).names == ["temp", "level"]
  for args, words in (
      (["--in=x"], "--out_file is required"), (["--out_file=x"], "--in is"),
      (["--in=a.npz", "--out_file=x", "--noheader"], "has no cells"),
      (["--in=/missing", "--out_file=x"], "--in=/missing: no such file"),
      (["--in=x", "--out_file=x", "--splits=1,1,1"], "--splits=1,1,1: must")):
    result = programs.run(args, "fivo/data/create_series_dataset.py")
    assert result.exit_code == 1 and words in result.stderr
    assert result.stderr.count("\n") == 1
