#!/bin/sh
# Trains a VRNN with the FIVO bound.
# Further flags are passed on and win over the ones here. Which data and which
# logdir: see defaults.sh.

. "$(dirname -- "$0")/environment.sh"
. "$ROOT/bin/defaults.sh"
set_up_environment
choose_data "$@"

exec "$PYTHON" "$ROOT/run_fivo.py" \
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
