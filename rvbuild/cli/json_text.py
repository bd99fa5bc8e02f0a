"""What a program reads on standard output.

Knows: JSON. Must not know: what is told.
"""

from __future__ import annotations

import json
import os
import sys


def print_json(value: object) -> None:
    """Write a document, its keys sorted."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True) + os.linesep)
