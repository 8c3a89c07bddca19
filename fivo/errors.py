"""The one exception that stands for a mistake of the caller.

`run_fivo.py` and the data commands print its message as one line and exit;
every other exception is a defect of this code and keeps its stack trace.
"""


class UserError(ValueError):
  """A wrong flag, file or combination of them.

  The message is one line: the culprit, its value, and what would be right.
  """
