"""Tests of the server of a process of a cluster."""

import pytest

from fivo.cluster import server


@pytest.mark.parametrize("before, after", [
    ({}, {"no_proxy": "::1,a,b"}),
    ({"no_proxy": "x,b"}, {"no_proxy": "x,b,::1,a"}),
    ({"NO_PROXY": "x"}, {"NO_PROXY": "x", "no_proxy": "x,::1,a,b"}),
])
def test_bypasses_proxies(monkeypatch, before, after):
  environ = dict(before)
  monkeypatch.setattr(server.os, "environ", environ)
  for _ in range(2):
    server.bypass_proxies(["b:1", "a:2", "a:3", "[::1]:4"])
  assert environ == after
