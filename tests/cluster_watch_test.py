"""Tests of finding out which processes of a cluster are gone."""

from fivo import cluster_watch


def test_counts_departures(monkeypatch):
  looks = [True, False, False, True, False, True]

  def answers(unused_address):
    answer = looks.pop(0)
    if not looks:
      watch.stop()
    return answer

  monkeypatch.setattr(cluster_watch, "_SECONDS_BETWEEN_LOOKS", 0.)
  monkeypatch.setattr(cluster_watch, "answers", answers)
  watch = cluster_watch.Watch({"ps 0": "p:1"}, 60.)
  watch.run()
  assert watch.num_departures == 2
  assert watch.lost is None
