# What run_train.sh, run_cluster.sh, run_eval.sh and run_sample.sh have in
# common: the data and the logdir that they use unless told otherwise, so that
# they work one after another; and the flags of training. POSIX shell, to be
# sourced after environment.sh. The user may set
#
#   PIANOROLL_DIR   where bin/download_pianorolls.sh put the datasets (default:
#                   ~/pianorolls); where that has none, the data are Bach's
#                   chorales, parsed on first use
#   FIVO_DATA_DIR   where the chorales are (default: .data in the checkout)
#   FIVO_LOGDIR     the logdir (the default depends on the data: a logdir
#                   belongs to one dataset)

# Prints the value that the other arguments give the flag $1, in any form that
# absl takes; fails if they do not.
flag_value() {
  name=$1
  shift
  status=1
  value=
  while [ $# -gt 0 ]; do
    case $1 in
      --) break ;;
      --"$name"=* | -"$name"=*) value=${1#*=} status=0 ;;
      --"$name" | -"$name") value=${2:-} status=0 ;;
    esac
    shift
  done
  printf '%s\n' "$value"
  return "$status"
}

has_flag() {
  flag_value "$@" >/dev/null
}

# Makes the file of chorales $1 if it is not there.
make_chorales() {
  [ -f "$1" ] && return
  mkdir -p "${1%/*}" && : >>"${1%/*}/.fivo-lock" ||
    die "cannot write into ${1%/*}: name another place in FIVO_DATA_DIR"
  lock "${1%/*}/.fivo-lock"
  if [ ! -f "$1" ]; then
    note "making $1 from music21's Bach chorales; this takes a minute, once"
    # From ROOT, because -m looks into the working directory first.
    (cd "$ROOT" && "$PYTHON" -m fivo.data.create_chorales_dataset \
      --out_file="$1") || die "could not make $1: see above"
  fi
  unlock
}

# Sets DATASET_PATH to the file of chorales, and makes it.
choose_chorales() {
  DATASET_PATH=$(
    absolute_path FIVO_DATA_DIR "${FIVO_DATA_DIR:-$ROOT/.data}")/chorales.pkl
  make_chorales "$DATASET_PATH"
}

# Sets DATASET_PATH and LOGDIR for a run with the flags "$@", whose own
# --dataset_path and --logdir win.
choose_data() {
  if [ "$(flag_value model "$@")" = ghmm ]; then
    DATASET_PATH=  # It draws its data itself.
    LOGDIR=/tmp/fivo_ghmm
  elif has_flag dataset_path "$@" || has_flag help "$@"; then
    DATASET_PATH=
    LOGDIR=/tmp/fivo
  elif [ -n "${PIANOROLL_DIR:-}" ] || [ -f "${HOME:-}/pianorolls/jsb.pkl" ]
  then
    DATASET_PATH=${PIANOROLL_DIR:-$HOME/pianorolls}/jsb.pkl
    LOGDIR=/tmp/fivo
  else
    choose_chorales
    LOGDIR=/tmp/fivo_chorales
  fi
  # Of this and PIANOROLL_DIR the programs expand the tilde.
  LOGDIR=${FIVO_LOGDIR:-$LOGDIR}
}

# Becomes the program $1 of the checkout, with the flags of a training run and
# the other arguments, which win.
train_with() {
  program=$1
  shift
  exec "$PYTHON" "$ROOT/$program" \
    --mode=train \
    --logdir="$LOGDIR" \
    --model=vrnn \
    --bound=fivo \
    --summarize_every=100 \
    --batch_size=4 \
    --num_samples=4 \
    --learning_rate=0.0001 \
    ${DATASET_PATH:+"--dataset_path=$DATASET_PATH"} \
    --dataset_type=pianoroll \
    "$@"
}
