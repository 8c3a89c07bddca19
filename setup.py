"""Packaging of FIVO.

The requirements are no tighter than importing and running the code needs, so
that `pip install .` fits into an existing environment. The exact set that is
tested is `requirements.lock`, which the scripts in `bin/` install.
"""

import setuptools

_REQUIREMENTS = [
    # Graph mode, and C++ kernels that exist nowhere else.
    "tensorflow==1.15.*",
    # The last Sonnet for TensorFlow 1; its modules name our variables.
    "dm-sonnet==1.36",
    # Distributions, ours and Sonnet's. Later ones need TensorFlow 2.
    "tensorflow-probability==0.8.0",
    # From 1.20 on TensorFlow 1.15 fails in `tf.zeros([tf.shape(x)[0], 3])`;
    # 1.15.0 itself sets no upper limit, later patches ask for < 1.19.
    "numpy<1.19",
    # WAV files of samples, spectrograms, note lists of MATLAB files.
    "scipy",
    # Flags and logging.
    "absl-py",
    # The generated code in TensorFlow 1.15 cannot be loaded by newer ones.
    "protobuf<3.21",
]

_EXTRAS = {
    # Bach's chorales, parsed into pianorolls. The newest for Python 3.7.
    "chorales": ["music21==7.3.3"],
    # Time series as pandas, R, Excel and instruments write them.
    "series": ["pandas"],
    # Pianorolls from folders of MIDI files.
    "midi": ["mido"],
    # Samples as pictures and as MIDI files, and plots of training.
    "render": ["matplotlib", "mido"],
    # Bars instead of log lines in long passes over data.
    "progress": ["tqdm"],
    # The plot of bin/run_benchmark.sh.
    "benchmark": ["matplotlib"],
    "test": ["pytest", "pytest-xdist", "pytest-timeout", "hypothesis"],
    # Every release of the linter complains about other things.
    "lint": ["ruff==0.17.6"],
    # Installed first by the scripts in bin/, to install the rest with: the
    # pip that comes with an early 3.7 cannot read today's wheels.
    "bootstrap": ["pip", "setuptools", "wheel"],
}

setuptools.setup(
    name="fivo",
    version="1.0.0",
    description="Filtering variational objectives on TensorFlow 1.15",
    license="Apache-2.0",
    # TensorFlow 1.15 has wheels for no later Python.
    python_requires=">=3.6,<3.8",
    packages=setuptools.find_packages(include=["fivo", "fivo.*"]),
    py_modules=["run_fivo"],
    install_requires=_REQUIREMENTS,
    extras_require=_EXTRAS,
    entry_points={"console_scripts": ["run_fivo = run_fivo:run"]},
    zip_safe=False,
)
