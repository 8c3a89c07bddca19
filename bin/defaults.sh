# The data, logdir and environment shared by the run_*.sh scripts, so that they
# work one after another. POSIX shell, to be sourced. The user may set
#
#   PIANOROLL_DIR   where bin/download_pianorolls.sh put the datasets (default:
#                   ~/pianorolls); without them, the data are Bach's chorales
#   FIVO_DATA_DIR   where the chorales are (default: .data in the checkout)
#   FIVO_LOGDIR     the logdir (the default depends on the data)

. "$(dirname -- "$0")/environment.sh"
set_up_environment

# Prints the value of the flag $1 in the other arguments, in any form that absl
# accepts; fails if the flag is not among them.
flag_value() {
  name=$1 status=1 value=
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $1 in
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

# Sets DATASET_PATH to the file of chorales; makes it unless "$@" has --help.
choose_chorales() {
  directory=$(absolute_path FIVO_DATA_DIR "${FIVO_DATA_DIR:-$ROOT/.data}")
  DATASET_PATH=$directory/chorales.pkl
  if [ -f "$DATASET_PATH" ] || has_flag help "$@"; then return; fi
  lock "$directory" FIVO_DATA_DIR
  if [ ! -f "$DATASET_PATH" ]; then
    note "making $DATASET_PATH from music21's chorales; takes a minute, once"
    # From ROOT, because -m looks into the working directory first.
    (cd "$ROOT" && "$PYTHON" -m fivo.data.create_chorales_dataset \
      --out_file="$DATASET_PATH") ||
      die "could not make $DATASET_PATH: see above"
  fi
  exec 9>&-
}

# Sets DATASET_PATH and LOGDIR for a run with the flags "$@", whose own
# --dataset_path and --logdir win.
choose_data() {
  DATASET_PATH= LOGDIR=/tmp/fivo
  if [ "$(flag_value model "$@")" = ghmm ]; then
    LOGDIR=/tmp/fivo_ghmm  # It draws its data itself.
  elif has_flag dataset_path "$@" || has_flag help "$@"; then
    :
  elif [ -n "${PIANOROLL_DIR:-}" ] || [ -f "${HOME:-}/pianorolls/jsb.pkl" ]
  then
    DATASET_PATH=${PIANOROLL_DIR:-$HOME/pianorolls}/jsb.pkl
  else
    choose_chorales
    LOGDIR=/tmp/fivo_chorales
  fi
  # The programs expand a tilde in this and in PIANOROLL_DIR.
  LOGDIR=${FIVO_LOGDIR:-$LOGDIR}
}

# Replaces this shell with the checkout's program $1, to train; flags in the
# other arguments win.
train_with() {
  program=$1
  shift
  exec "$PYTHON" "$ROOT/$program" --mode=train --logdir="$LOGDIR" \
    --model=vrnn --bound=fivo --summarize_every=100 --batch_size=4 \
    --num_samples=4 --learning_rate=0.0001 \
    ${DATASET_PATH:+"--dataset_path=$DATASET_PATH"} \
    --dataset_type=pianoroll "$@"
}
