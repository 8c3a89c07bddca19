# The Python environment of this checkout, made on first use. POSIX shell; the
# scripts beside this file source it and call set_up_environment, which sets
#
#   PYTHON  an interpreter with the packages of requirements.lock and with this
#           checkout's modules
#   ROOT    the checkout
#
# The user may set
#
#   FIVO_PYTHON       the Python 3.7 to make the environment from
#   FIVO_VENV         where the environment is (default: .venv in the checkout)
#   FIVO_INTERPRETER  an interpreter that has all packages already: it is used
#                     as it is, and nothing is set up

set -eu

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)

# Prints a line on the standard error, where it disturbs no output.
note() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
  note "$*"
  exit 1
}

# Prints the path $2 of the variable or argument $1 without tilde or file://;
# no shell expands that of FIVO_VENV='~/x'.
local_path() {
  case ${2%%://*} in
    "$2" | *[!A-Za-z0-9+.-]*) ;;
    [Ff][Ii][Ll][Ee])
      set -- "$1" "${2#*://}"
      [ "${2#/}" != "$2" ] || die "$1=file://$2: must be file:///PATH" ;;
    *) die "$1=$2: must be a path on this machine, not a URL" ;;
  esac
  case $2 in
    '~' | '~/'*) printf '%s\n' "${HOME:-}${2#?}" ;;
    *) printf '%s\n' "$2" ;;
  esac
}

# The same as an absolute path, which need not exist.
absolute_path() {
  expanded=$(local_path "$@") || exit 1
  case $expanded in
    /*) printf '%s\n' "$expanded" ;;
    *) printf '%s\n' "$(pwd)/$expanded" ;;
  esac
}

# Holds the lock file $1 until `unlock`, or until this process and the children
# that inherited descriptor 9 have ended, in whatever way they end.
lock() {
  exec 9>>"$1"
  if command -v flock >/dev/null 2>&1; then
    code=0
    flock -n 9 2>/dev/null || code=$?
    [ "$code" -ne 0 ] || return 0
    [ "$code" -ne 1 ] ||  # Others are of errors.
      note "waiting for another script that is at work in ${1%/*}"
    flock 9 2>/dev/null && return
  elif command -v perl >/dev/null 2>&1; then  # macOS has no flock command.
    perl -e 'open(my $file, ">&=", 9) && flock($file, 2) || exit 1' && return
  else
    return 0
  fi
  note "the file system of ${1%/*} has no locks: see to it that no other" \
    "script is at work there"
}

unlock() {
  exec 9>&-
}

# ------------------------------------------------------------- Finding Python

# Whether $1 is a CPython 3.7. Only running it tells: a pyenv shim of that name
# exits with 127 when no such version is selected.
is_python37() {
  "$1" -c 'import sys
sys.exit((sys.version_info[:2], sys.implementation.name)
         != ((3, 7), "cpython"))' >/dev/null 2>&1 </dev/null
}

# Reads one candidate a line, prints the first that is a Python 3.7.
first_python37() {
  while IFS= read -r candidate; do
    if is_python37 "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  return 1
}

# The names are tried as they are, pyenv's versions without being selected.
installed_pythons() {
  printf '%s\n' python3.7 python3 python
  for pyenv in "${PYENV_ROOT:-}" "${HOME:-}/.pyenv"; do
    for version in "$pyenv"/versions/3.7*; do
      printf '%s\n' "$version/bin/python3.7"
    done
  done
}

# Conda and its kin, those that are here.
conda_commands() {
  for conda in mamba micromamba conda "${CONDA_EXE:-}"; do
    if command -v "$conda" >/dev/null 2>&1; then
      printf '%s\n' "$conda"
    fi
  done
}

conda_pythons() {
  conda_commands | while IFS= read -r conda; do
    "$conda" env list 2>/dev/null </dev/null |
      sed -n 's|^[^#/]*[[:space:]]\(/.*\)$|\1/bin/python|p'
  done
}

uv_pythons() {
  if command -v uv >/dev/null 2>&1; then
    uv python find --no-project 3.7 2>/dev/null </dev/null
  fi
}

# The newer uv releases have no 3.7 to offer.
install_python_with_uv() {
  if command -v uv >/dev/null 2>&1; then
    note "getting a Python 3.7 with uv"
    uv python install 3.7 >&2 </dev/null && uv_pythons
  fi
}

# Installs below the environment $1.
install_python_with_conda() {
  conda_commands | while IFS= read -r conda; do
    note "getting a Python 3.7 with $conda"
    rm -rf "$1/.python"
    "$conda" create --yes --prefix "$1/.python" --channel conda-forge \
      python=3.7 pip >&2 </dev/null || continue
    printf '%s\n' "$1/.python/bin/python"
    break
  done
}

# Prints the Python 3.7 to make the environment $1 from.
find_python37() {
  if [ -n "${FIVO_PYTHON:-}" ]; then
    python=$(local_path FIVO_PYTHON "$FIVO_PYTHON") || exit 1
    is_python37 "$python" ||
      die "FIVO_PYTHON=$FIVO_PYTHON is not a Python 3.7 that runs"
    printf '%s\n' "$python"
    return
  fi
  for source in installed_pythons conda_pythons uv_pythons \
      install_python_with_uv install_python_with_conda; do
    "$source" "$1" | first_python37 && return
  done
  die "found no Python 3.7, which TensorFlow 1.15 needs, and no uv or conda" \
    "that gets one: install one, e.g. with 'pyenv install 3.7.17' or 'conda" \
    "create -n py37 -c conda-forge python=3.7', or name yours in FIVO_PYTHON"
}

# ----------------------------------------------------- Making the environment

# What the stamp of an environment says once that is complete: for which
# checkout it is (a moved one needs another) and from which lock file.
expected_stamp() {
  printf '# For %s, from:\n' "$ROOT"
  cat "$ROOT/requirements.lock"
}

is_complete() {
  [ -x "$1/bin/python" ] &&
    [ "$(expected_stamp)" = "$(cat "$1/.fivo-stamp" 2>/dev/null)" ]
}

# Makes the environment $1 a new one without packages. What an interrupted
# set-up left is not worth repairing: pip cannot tell half a package. But an
# environment that others made is never emptied; they may have more in it.
prepare_environment() {
  if [ ! -e "$1/.fivo-made" ] && [ "$(ls -A "$1")" != .fivo-lock ]; then
    is_python37 "$1/bin/python" || die "$1 was not made by this script and" \
      "has no Python 3.7: move it away, or name another place in FIVO_VENV"
    note "installing the packages of requirements.lock into $1"
    return
  fi
  : >"$1/.fivo-made"
  find "$1/" -mindepth 1 -maxdepth 1 ! -name '.fivo-*' -exec rm -rf {} +
  python=$(find_python37 "$1") || exit 1
  note "setting up $1 from $python; this takes a minute, once"
  "$python" -I -m venv "$1" >&2 ||
    die "$python has no working venv module; on Debian, install python3.7-venv"
}

# Runs pip in the environment $1 with the other arguments.
run_pip() {
  environment=$1
  shift
  [ -t 2 ] || set -- "$@" -qq
  # Whatever the user has set to lead packages elsewhere must not do so here;
  # -I does for PYTHONPATH and the like.
  env -u PIP_TARGET -u PIP_PREFIX -u PIP_ROOT PIP_USER=0 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 "$environment/bin/python" -I -m pip \
    "$@" >&2
}

# Installs the packages of requirements.lock into the environment $1.
install_packages() {
  # First what installs the rest: the pip of an early 3.7 cannot read today's
  # wheels, and build isolation would fetch versions that nobody pinned.
  awk '/^[^ #]/ { wanted = /^(pip|setuptools|wheel)==/ } wanted' \
    "$ROOT/requirements.lock" >"$1/.fivo-bootstrap"
  run_pip "$1" install --require-hashes -r "$1/.fivo-bootstrap" &&
    run_pip "$1" install --require-hashes --no-build-isolation --no-compile \
      -r "$ROOT/requirements.lock" ||
    die "pip could not install requirements.lock into $1: see above" \
      "(TensorFlow 1.15 is published for x86-64 only)"
}

# Makes the modules of this checkout importable in the environment $1, and
# compiles its packages: without bytecode every start takes seconds longer.
finish_environment() {
  packages=$("$1/bin/python" -I -c \
    'import sysconfig; print(sysconfig.get_path("purelib"))')
  printf '%s\n' "$ROOT" >"$packages/fivo.pth"
  # Some packages carry files for other Pythons, which do not compile.
  "$1/bin/python" -I -m compileall -q -j 0 "$packages" >/dev/null 2>&1 || true
}

# Sets PYTHON, after making the environment where that is not done yet.
set_up_environment() {
  if [ -n "${FIVO_INTERPRETER:-}" ]; then
    PYTHON=$(local_path FIVO_INTERPRETER "$FIVO_INTERPRETER") || exit 1
    command -v "$PYTHON" >/dev/null 2>&1 ||
      die "FIVO_INTERPRETER=$FIVO_INTERPRETER is not a program"
    return
  fi
  venv=$(absolute_path FIVO_VENV "${FIVO_VENV:-$ROOT/.venv}") || exit 1
  PYTHON=$venv/bin/python
  # Python code of others, meant for another Python, is no more welcome here
  # than it is to the -I of the set-up.
  unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PYTHONUSERBASE
  export PYTHONNOUSERSITE=1
  is_complete "$venv" && return
  mkdir -p "$venv" && : >>"$venv/.fivo-lock" ||
    die "cannot write into $venv: name another place in FIVO_VENV"
  lock "$venv/.fivo-lock"
  if ! is_complete "$venv"; then
    rm -f "$venv/.fivo-stamp"
    prepare_environment "$venv"
    install_packages "$venv"
    finish_environment "$venv"
    expected_stamp >"$venv/.fivo-stamp"
  fi
  unlock
}
