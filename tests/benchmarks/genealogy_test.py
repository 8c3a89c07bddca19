"""Tests of benchmarks.genealogy: what the picture shows is what was run."""

import numpy as np
import pytest

from benchmarks import genealogy


@pytest.fixture(scope="module")
def computed():
  return genealogy.compute(num_timesteps=12, num_particles=4, num_filters=3)


def test_without_resampling_paths_are_what_was_proposed(computed):
  _, without, _ = computed
  assert not without.resampled.any()
  np.testing.assert_array_equal(without.trajectories, without.proposed)
  np.testing.assert_array_equal(without.resampled_states, without.proposed)


def test_resampling_moves_particles_where_it_is_marked(computed):
  _, _, particles = computed
  assert 0 < particles.resampled.sum() < 12
  moved = np.any(particles.resampled_states != particles.proposed, axis=1)
  assert not moved[particles.resampled == 0].any()
  assert moved.any()


def test_paths_end_in_the_last_particles_and_pass_through_others(computed):
  _, _, particles = computed
  np.testing.assert_array_equal(
      particles.trajectories[-1], particles.resampled_states[-1])
  for path, survivors in zip(particles.trajectories,
                             particles.resampled_states):
    assert set(path) <= set(survivors)
  assert len(set(particles.trajectories[0])) < 4


def test_draws(computed, tmp_path):
  pytest.importorskip("matplotlib")
  path = tmp_path / "genealogy.png"
  genealogy.draw(str(path), *computed)
  assert path.read_bytes().startswith(b"\x89PNG")
  assert path.stat().st_size < 60000
