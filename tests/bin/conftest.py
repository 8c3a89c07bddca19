"""The fixture of the tests of the scripts."""

import pytest

from tests.bin import fake_checkout


@pytest.fixture
def checkout(tmp_path):
  return fake_checkout.FakeCheckout(str(tmp_path))
