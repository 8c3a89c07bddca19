#!/bin/sh
# Samples from the last checkpoint of run_train.sh: continues test sequences.
# With --pretrained, from the model of Bach's chorales that comes with the
# checkout, without any training. Further flags are passed on and win. Which data
# and logdir: see defaults.sh. Samples are also drawn, and written as MIDI or WAV
# files, if the packages for that are there.

. "$(dirname -- "$0")/environment.sh"
. "$ROOT/bin/defaults.sh"
set_up_environment

OUT_DIR=
if has_flag pretrained "$@"; then
  for argument; do
    shift
    [ "$argument" = --pretrained ] || set -- "$@" "$argument"
  done
  OUT_DIR=${FIVO_LOGDIR:-/tmp/fivo_pretrained}
  LOGDIR=$ROOT/results/models/chorales_vrnn_fivo_n4_seed1
  choose_chorales
else
  choose_data "$@"
fi

FIND="from importlib.util import find_spec as find"
RENDER=$("$PYTHON" -c "$FIND; exit(not (find('matplotlib') and find('mido')))" &&
  echo --render) || RENDER=

exec "$PYTHON" "$ROOT/run_fivo.py" \
  --mode=sample \
  --alsologtostderr \
  --logdir="$LOGDIR" \
  --batch_size=4 \
  --num_samples=4 \
  --split=test \
  ${OUT_DIR:+"--sample_out_dir=$OUT_DIR"} \
  ${DATASET_PATH:+"--dataset_path=$DATASET_PATH"} \
  --prefix_length=25 \
  --sample_length=50 \
  $RENDER \
  "$@"
