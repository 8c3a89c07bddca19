"""A checkout whose Pythons are stubs, to run the scripts in bin/ fast.

The scripts are the real ones; every Python is a shell script that writes down
how it was called. Nothing is installed, and the PATH holds no more than the
commands that the scripts need.
"""

import collections
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

_COMMANDS = ["awk", "bash", "cat", "chmod", "cp", "dirname", "env", "find",
             "flock", "kill", "ls", "mkdir", "perl", "rm", "sed", "sh",
             "sleep"]

# A Python that is 3.7, or not. It appends each call to $STUB_LOG, a line with
# its path, its process id and its arguments, each after a "|", in one write, so
# that those of several processes at once do not mix.
_STUB_PYTHON = r"""#!/bin/sh
case "$*" in *version_info*) exit %(version_status)d ;; esac
line="$0|$$"
for argument in "$@"; do line="$line|$argument"; done
printf '%%s\n' "$line" >>"$STUB_LOG"
case "$*" in
  *"-m venv "*)
    for directory in "$@"; do :; done
    mkdir -p "$directory/bin" "$directory/lib"
    : >"$directory/pyvenv.cfg"
    cp "$0" "$directory/bin/python" ;;
  *purelib*) printf '%%s\n' "${0%%/bin/*}/lib" ;;
esac
%(behaviour)s
"""

Call = collections.namedtuple("Call", ["program", "pid", "arguments"])
Result = collections.namedtuple("Result", ["status", "pid", "stderr"])


class FakeCheckout(object):
  """A copy of bin/ and .ci/ in a directory of its own.

  Attributes:
    root: The checkout. There is a blank in its path.
    environment: The environment variables that the scripts get.
  """

  def __init__(self, directory):
    self.root = os.path.join(directory, "check out")
    self._tools = os.path.join(directory, "tools")
    self._log = os.path.join(directory, "log")
    os.makedirs(self.root)
    os.makedirs(self._tools)
    for name in ("bin", ".ci"):
      shutil.copytree(os.path.join(ROOT, name), self.path(name))
    self.write(self.path("requirements.lock"),
               "numpy==1.18.5 \\\n    --hash=sha256:1\n"
               "pip==24.0 \\\n    --hash=sha256:2\n    # via fivo\n")
    for command in filter(shutil.which, _COMMANDS):
      os.symlink(shutil.which(command), os.path.join(self._tools, command))
    home = os.path.join(directory, "home")
    os.makedirs(home)
    self.environment = {
        "PATH": self._tools, "HOME": home, "STUB_LOG": self._log}

  def path(self, *names):
    return os.path.join(self.root, *names)

  @staticmethod
  def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(path):
      os.remove(path)  # Never write to one of the machine's own commands.
    with open(path, "w") as stream:
      stream.write(text)
    os.chmod(path, mode)
    return path

  def add_command(self, name, text):
    """Puts a shell script on the PATH."""
    return self.write(os.path.join(self._tools, name), "#!/bin/sh\n" + text,
                      0o755)

  def add_python(self, path, is_python37=True, behaviour=""):
    """Makes a stub Python; a `path` without a slash is one on the PATH."""
    return self.write(
        os.path.join(self._tools, path),
        _STUB_PYTHON % {"version_status": 0 if is_python37 else 1,
                        "behaviour": behaviour}, 0o755)

  def add_environment(self, behaviour=""):
    """Makes .venv as a set-up with the stub Python leaves it."""
    self.add_python("python3.7", behaviour=behaviour)
    result = self.run("run_train.sh", "--dataset_path=x")
    os.remove(self._log)
    return result

  def start(self, script, *arguments, **kwargs):
    """Starts a script of bin/; further arguments are those of `Popen`.

    `shell` runs it, instead of itself; `variables` come on top of those of this
    checkout; with `relative` the script is a path to be used as it is.
    """
    shell = kwargs.pop("shell", None)
    environment = dict(self.environment, **kwargs.pop("variables", {}))
    if not kwargs.pop("relative", False):
      script = self.path("bin", script)
    command = [shutil.which(shell)] if shell else []
    return subprocess.Popen(
        command + [script] + list(arguments), env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, universal_newlines=True, **kwargs)

  def run(self, script, *arguments, **kwargs):
    process = self.start(script, *arguments, **kwargs)
    _, stderr = process.communicate(timeout=60)
    return Result(process.returncode, process.pid, stderr)

  def calls(self, *words):
    """The calls of stub Pythons that hold all of `words`, in order."""
    if not os.path.exists(self._log):
      return []
    with open(self._log) as stream:
      fields = [line.rstrip("\n").split("|") for line in stream]
    calls = [Call(field[0], int(field[1]), field[2:]) for field in fields]
    return [call for call in calls
            if all(word in " ".join(call.arguments) for word in words)]
