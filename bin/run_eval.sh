#!/bin/sh
# Evaluates the last checkpoint of run_train.sh on the test set. Further flags
# are passed on and win. For data and logdir see defaults.sh.

. "$(dirname -- "$0")/defaults.sh"
choose_data "$@"

exec "$PYTHON" "$ROOT/run_fivo.py" --mode=eval --split=test --alsologtostderr \
  --logdir="$LOGDIR" --batch_size=4 --num_samples=4 \
  ${DATASET_PATH:+"--dataset_path=$DATASET_PATH"} \
  "$@"
