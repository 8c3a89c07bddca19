#!/bin/sh
# Continues test sequences with the last checkpoint of run_train.sh or, with
# --pretrained, with the model of Bach's chorales that comes with the checkout.
# Further flags are passed on and win. For data and logdir see defaults.sh.
# If the packages are installed, samples become pictures, MIDI and WAV files too.

. "$(dirname -- "$0")/defaults.sh"

OUT_DIR= PRETRAINED= RENDER=
for argument do
  shift
  case $argument in
    --pretrained | --pretrained=true) PRETRAINED=yes ;;
    *) set -- "$@" "$argument" ;;
  esac
done
if [ -n "$PRETRAINED" ]; then
  OUT_DIR=${FIVO_LOGDIR:-/tmp/fivo_pretrained}
  LOGDIR=$ROOT/results/models/chorales_vrnn_autoregressive_fivo_n4_seed1
  choose_chorales "$@"
else
  choose_data "$@"
fi

FIND="from importlib.util import find_spec as find"
! "$PYTHON" -c "$FIND; exit(not (find('matplotlib') and find('mido')))" ||
  RENDER=--render

exec "$PYTHON" "$ROOT/run_fivo.py" --mode=sample --alsologtostderr \
  --logdir="$LOGDIR" --batch_size=4 --num_samples=4 --split=test \
  ${OUT_DIR:+"--sample_out_dir=$OUT_DIR"} \
  ${DATASET_PATH:+"--dataset_path=$DATASET_PATH"} \
  --prefix_length=25 --sample_length=50 $RENDER \
  "$@"
