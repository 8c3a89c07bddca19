"""Makes the pictures and the sound of docs/first-hour.md.

  python benchmarks/first_hour.py --dataset_path=jsb.pkl --out_dir=docs/images

trains and evaluates small models, in a quarter of an hour on two cores. It
writes `gap.png`, `particles.png`, `chorales.png` and, with `sample_0.png`, a
`sample_0_N.mid` for each continuation. It needs the extra `render`.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../.."))
  from fivo.system import startup
  startup.run(__file__)

import os
import tempfile
import types

from absl import flags
import numpy as np

from fivo import ghmm_runners
from fivo import runners
from fivo.config import checks
from fivo.rendering import figures
from fivo.rendering import plot_training
from fivo.system import console
from fivo.system import files
from fivo.system import log

_GHMM = dict(model="ghmm", random_seed=1, data_from_model=True)
_BOUNDS = ("iwae", "fivo")
_PARTICLES = [2 ** i for i in range(9)]
_NUM_SEQUENCES = 64


def draw_gap(path, work_dir, max_steps):
  """Trains proposals of a Gaussian HMM, and draws how the gap closes."""
  figure, (axis,) = figures.create_panels(1, row_height=4.)
  for proposal_type, bound in (("filtering", "fivo"), ("smoothing", "iwae")):
    logdir = os.path.join(work_dir, proposal_type)
    ghmm_runners.run_train(types.SimpleNamespace(
        logdir=logdir, bound=bound, proposal_type=proposal_type,
        batch_size=16, num_timesteps=10, learning_rate=0.01,
        max_steps=max_steps, summarize_every=max(1, max_steps // 200),
        progress=False, **_GHMM))
    curve = plot_training.read_curves(
        logdir, charts="exact/")["gap_per_timestep"]
    axis.plot(curve.steps, curve.values, label="%s proposal, %s" % (
        proposal_type, bound.upper()))
  axis.axhline(0., **figures.BOUNDARY)
  axis.set_yscale("symlog", linthresh=0.01)
  axis.set_xlabel("step")
  axis.set_ylabel("log p(x) - bound,\nnats per timestep")
  axis.legend()
  figures.save(path, figure)


def draw_particles(path, work_dir):
  """Draws bounds of a Gaussian HMM over N, with the prior as the proposal."""
  figure, (axis,) = figures.create_panels(1, row_height=4.)
  for bound in _BOUNDS:
    results = [
        ghmm_runners.run_eval(types.SimpleNamespace(
            logdir=os.path.join(work_dir, "particles"), bound=bound,
            proposal_type="prior", batch_size=_NUM_SEQUENCES, num_timesteps=50,
            num_samples=num_samples, **_GHMM)) for num_samples in _PARTICLES]
    axis.plot(_PARTICLES, [result["mean"] for result in results], "o-",
              label=bound.upper())
  axis.axhline(np.mean(results[-1]["likelihood"]) / 50, label="log p(x)",
               **figures.BOUNDARY)
  axis.set_xscale("log", base=2)
  axis.set_xticks(_PARTICLES)
  axis.set_xticklabels(_PARTICLES)
  axis.set_xlabel("particles")
  axis.set_ylabel("nats per timestep")
  axis.legend()
  axis.grid(True, alpha=0.3)
  figures.save(path, figure)


def sample_chorales(out_dir, work_dir, dataset_path, max_steps):
  """Trains a VRNN with each of two bounds; draws and plays samples of one."""
  logdirs = [os.path.join(work_dir, "vrnn_" + bound) for bound in _BOUNDS]
  for logdir, bound in zip(logdirs, _BOUNDS):
    runners.run_train(types.SimpleNamespace(
        logdir=logdir, bound=bound, dataset_path=dataset_path,
        max_steps=max_steps, learning_rate=0.0005, random_seed=1,
        summarize_every=max(1, max_steps // 200), progress=False,
        eval_every=max(1, max_steps // 4)))
  plot_training.draw(os.path.join(out_dir, "chorales.png"), logdirs)
  runners.run_sample(types.SimpleNamespace(
      logdir=logdirs[-1], dataset_path=dataset_path, split="test",
      batch_size=1, render=True, sample_out_dir=out_dir, random_seed=1,
      prefix_length=12, sample_length=36))


def define_flags():
  """Defines the flags; not at import, as other programs share their names."""
  console.define_path("dataset_path", None, "The pianoroll file.")
  console.define_path("out_dir", None, "The directory to write into.")
  flags.mark_flags_as_required(["dataset_path", "out_dir"])
  flags.DEFINE_integer(
      "steps", 2000, "The number of training steps of each model.", 1)


def main(unused_argv):
  """Makes everything."""
  log.configure()
  options = flags.FLAGS
  checks.check_rendering("out_dir")
  files.prepare_directory("out_dir", options.out_dir)
  with tempfile.TemporaryDirectory() as work_dir:
    draw_gap(os.path.join(options.out_dir, "gap.png"), work_dir, options.steps)
    draw_particles(os.path.join(options.out_dir, "particles.png"), work_dir)
    sample_chorales(
        options.out_dir, work_dir, options.dataset_path, options.steps)
