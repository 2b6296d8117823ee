import pytest
from virtual_loop import VirtualTime


@pytest.fixture
def event_loop_policy():
    return VirtualTime()
