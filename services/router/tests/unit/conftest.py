import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from router_given import Centre


@pytest.fixture
def centre():
    """A pool with the queue `sales` (everyone, 20 s offers, 5 s wrap-up) and nobody logged in."""
    made = Centre()
    made.queue("sales", wrap_up_ms=5_000)
    return made
