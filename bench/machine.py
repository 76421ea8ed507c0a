"""The box that a figure was measured on; a figure without it says nothing."""

import os
import platform
from typing import Any


def machine() -> dict[str, Any]:
    """Describe processors, Python and how busy the box was."""
    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
    }
