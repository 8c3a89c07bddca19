"""Tests of what the processes of a cluster know of each other."""

import types

import pytest

from fivo.cluster import state as cluster_state
from fivo.config import config as config_lib
from fivo.system import errors


def _config(**kwargs):
  return config_lib.from_object(types.SimpleNamespace(**kwargs))


class TestTraits(object):

  @pytest.mark.parametrize("chief, worker, line", [
      ({}, dict(latent_size=8), "--latent_size=8: the chief has another"),
      (dict(proposal_type="smoothing"), {}, "--proposal_type=filtering: "),
      ({}, dict(bound="fivo-aux"), "--bound=fivo-aux: "),
      (dict(model="srnn"), dict(model="ghmm"), "--model=ghmm: "),
  ])
  def test_of_another_model(self, chief, worker, line):
    with pytest.raises(errors.UserError) as e:
      cluster_state.check_traits(
          _config(**worker), cluster_state.traits(_config(**chief)))
    assert str(e.value).startswith(line)

  @pytest.mark.parametrize("chief, worker", [
      ({}, dict(bound="iwae", num_samples=7, logdir="/elsewhere")),
      ({}, dict(data_dimension=88)),
      (dict(model="ghmm"), dict(model="ghmm", latent_size=8)),
  ])
  def test_of_the_same_model(self, chief, worker):
    cluster_state.check_traits(
        _config(**worker), cluster_state.traits(_config(**chief)))
