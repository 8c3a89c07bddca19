"""Programs that stand for `run_fivo.py`: they log as it does, at once."""

import os

_TRAINS = r"""
import re, sys, time
flags = dict(re.findall(r"--(\w+)=(\S*)", " ".join(sys.argv[1:])))
print("flags: " + " ".join(sys.argv[1:]))
if flags.get("mode") == "eval":
  print("Model restored from step 1, evaluating.", flush=True)
  time.sleep(0.05 * int(flags["eval_repeats"]))
  print("test elbo ll/t: -1., iwae ll/t: -1. fivo ll/t: -1.")
  sys.exit()
last, every = int(flags["max_steps"]), int(flags["summarize_every"])
for step in range(1, last + 1):
  time.sleep(0.001)
  if step in (1, last) or (step - 1) % every == 0:
    print("Step %d, fivo bound per timestep: -1." % step, flush=True)
"""


def write(directory, text=_TRAINS):
  """Writes a program `run_fivo.py` into a directory."""
  path = os.path.join(str(directory), "run_fivo.py")
  with open(path, "w") as stream:
    stream.write(text)
  return path


def shell_command(*lines):
  """A shell command that prints lines."""
  return "printf '%%s\\n' %s" % " ".join("'%s'" % line for line in lines)
