#!/bin/sh
# Samples from the last checkpoint of run_train.sh: continues test sequences.
# Further flags are passed on and win over the ones here. Which data and which
# logdir: see defaults.sh. What the model is, the logdir knows. Samples are also
# drawn, and written as MIDI or WAV files, if the packages for that are there.

. "$(dirname -- "$0")/environment.sh"
. "$ROOT/bin/defaults.sh"
set_up_environment
choose_data "$@"

RENDER=
FIND="from importlib.util import find_spec as find"
if "$PYTHON" -c "$FIND; exit(not (find('matplotlib') and find('mido')))"; then
  RENDER=--render
fi

exec "$PYTHON" "$ROOT/run_fivo.py" \
  --mode=sample \
  --alsologtostderr \
  --logdir="$LOGDIR" \
  --batch_size=4 \
  --num_samples=4 \
  --split=test \
  ${DATASET_PATH:+"--dataset_path=$DATASET_PATH"} \
  --prefix_length=25 \
  --sample_length=50 \
  ${RENDER:+"$RENDER"} \
  "$@"
