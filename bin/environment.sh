# The Python environment of the checkout ROOT, made on first use. POSIX shell; the
# scripts source it and call set_up_environment, which sets PYTHON to a Python
# with the packages of requirements.lock and this checkout's modules. The user
# may set
#
#   FIVO_PYTHON       the Python 3.7 to make the environment from
#   FIVO_VENV         where the environment is (default: .venv in the checkout)
#   FIVO_INTERPRETER  an interpreter that has all packages: nothing is set up

set -eu

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)

note() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
  note "$*"
  exit 1
}

# Prints $1 with its tilde expanded: no shell does that in FIVO_VENV='~/x'.
expand_tilde() {
  case $1 in
    '~' | '~/'*) printf '%s\n' "${HOME:-}${1#?}" ;;
    *) printf '%s\n' "$1" ;;
  esac
}

# Prints the path $2 of the variable or argument $1 as an absolute path.
absolute_path() {
  case $2 in
    file:///*) printf '%s\n' "${2#file://}" ;;
    *://*) die "$1=$2: must be a path on this machine, not a URL" ;;
    /* | '~' | '~/'*) expand_tilde "$2" ;;
    *) printf '%s\n' "$(pwd)/$2" ;;
  esac
}

# Makes the directory $1, which the variable $2 names, and locks it until
# descriptor 9 is closed; waits while another script has the lock. macOS has none.
lock() {
  mkdir -p "$1" && : >>"$1/.fivo-lock" ||
    die "cannot write into $1: name another place in $2"
  exec 9>>"$1/.fivo-lock"
  flock -n 9 2>/dev/null && return
  [ $? -ne 1 ] || note "waiting for another script that is working in $1"
  flock 9 2>/dev/null || note "$1 has no locks: make sure that no other script" \
    "is working there"
}

# Reads one candidate per line, prints the first that is a CPython 3.7. Only
# running it can tell: a pyenv shim exits with 127 if no such version is selected.
first_python37() {
  while IFS= read -r python; do
    "$python" -c 'import sys
sys.exit((sys.version_info[:2], sys.implementation.name)
         != ((3, 7), "cpython"))' >/dev/null 2>&1 </dev/null || continue
    printf '%s\n' "$python"
    return
  done
  return 1
}

# Lists candidates: names on the PATH, and pyenv's and conda's, selected or not.
installed_pythons() {
  printf '%s\n' python3.7 python3 python \
    "${PYENV_ROOT:-}"/versions/3.7*/bin/python3.7 \
    "${HOME:-}"/.pyenv/versions/3.7*/bin/python3.7
  for conda in mamba micromamba conda "${CONDA_EXE:-}"; do
    "$conda" env list 2>/dev/null </dev/null |
      sed -n 's|^[^#/]*[[:space:]]\(/.*\)$|\1/bin/python|p'
  done
  uv python find --no-project 3.7 2>/dev/null </dev/null
}

# Installs a Python with uv or, since newer uv lacks 3.7, with conda under $1.
install_python() {
  if command -v uv >/dev/null 2>&1; then
    note "getting a Python 3.7 with uv"
    uv python install 3.7 >&2 </dev/null && uv python find --no-project 3.7
  fi
  for conda in mamba micromamba conda "${CONDA_EXE:-}"; do
    command -v "$conda" >/dev/null 2>&1 || continue
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
    expand_tilde "$FIVO_PYTHON" | first_python37 ||
      die "FIVO_PYTHON=$FIVO_PYTHON is not a Python 3.7 that runs"
  else
    installed_pythons | first_python37 || install_python "$1" | first_python37 ||
      die "found no Python 3.7, which TensorFlow 1.15 needs, and no uv or conda" \
        "to get one: install one, e.g. with 'pyenv install 3.7.17' or 'conda" \
        "create -n py37 -c conda-forge python=3.7', or name yours in FIVO_PYTHON"
  fi
}

# The stamp of a complete environment: a moved checkout needs another.
expected_stamp() {
  printf '# For %s, from:\n' "$ROOT"
  cat "$ROOT/requirements.lock"
}

is_complete() {
  [ -x "$1/bin/python" ] &&
    [ "$(expected_stamp)" = "$(cat "$1/.fivo-stamp" 2>/dev/null)" ]
}

# Makes the environment $1 from scratch, without packages. What an interrupted
# set-up left is deleted, but an environment made by others is never emptied.
prepare_environment() {
  if [ ! -e "$1/.fivo-made" ] && [ "$(ls -A "$1")" != .fivo-lock ]; then
    echo "$1/bin/python" | first_python37 >/dev/null ||
      die "$1 was not made by this script and has no Python 3.7: move it away," \
        "or name another place in FIVO_VENV"
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

# Runs `pip install` with the other arguments in the environment $1 only.
pip_install() {
  environment=$1
  shift
  [ -t 2 ] || set -- "$@" -qq
  env -u PIP_TARGET -u PIP_PREFIX -u PIP_ROOT PIP_USER=0 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 "$environment/bin/python" -I -m pip \
    install --require-hashes "$@" >&2 ||
    die "pip could not install requirements.lock (for x86-64 only): see above"
}

# Installs requirements.lock and this checkout into the environment $1.
install_packages() {
  # First the installers themselves: build isolation would fetch unpinned ones.
  awk '/^[^ #]/ { wanted = /^(pip|setuptools|wheel)==/ } wanted' \
    "$ROOT/requirements.lock" >"$1/.fivo-bootstrap"
  pip_install "$1" -r "$1/.fivo-bootstrap"
  pip_install "$1" --no-build-isolation --no-compile -r "$ROOT/requirements.lock"
  packages=$("$1/bin/python" -I -c \
    'import sysconfig; print(sysconfig.get_path("purelib"))')
  printf '%s\n' "$ROOT" >"$packages/fivo.pth"
  # Some packages carry files for other Pythons, which do not compile.
  "$1/bin/python" -I -m compileall -q -j 0 "$packages" >/dev/null 2>&1 || true
}

# Sets PYTHON, after making the environment if necessary.
set_up_environment() {
  if [ -n "${FIVO_INTERPRETER:-}" ]; then
    PYTHON=$(expand_tilde "$FIVO_INTERPRETER")
    command -v "$PYTHON" >/dev/null 2>&1 ||
      die "FIVO_INTERPRETER=$FIVO_INTERPRETER is not a program"
    return
  fi
  venv=$(absolute_path FIVO_VENV "${FIVO_VENV:-$ROOT/.venv}") || exit 1
  PYTHON=$venv/bin/python
  # Settings meant for another Python are not welcome.
  unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PYTHONUSERBASE
  export PYTHONNOUSERSITE=1
  is_complete "$venv" && return
  lock "$venv" FIVO_VENV
  if ! is_complete "$venv"; then
    rm -f "$venv/.fivo-stamp"
    prepare_environment "$venv"
    install_packages "$venv"
    expected_stamp >"$venv/.fivo-stamp"
  fi
  exec 9>&-
}
