"""The simulated world and the processes that the tests start lie in `parts`."""

import sys
from pathlib import Path

PARTS = Path(__file__).parent / "parts"
if str(PARTS) not in sys.path:
    sys.path.insert(0, str(PARTS))
