"""How long a run of the tests may take: `FULL=1` asks for the long counts."""

import os

FULL = os.environ.get("FULL", "") not in ("", "0")
