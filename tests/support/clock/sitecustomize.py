"""Another time of day for a Python that has this folder in its path: CLOCK, in seconds of 1970.

The kernel's own time, which files get, stays as it is: the clock was set meanwhile.
"""

from __future__ import annotations

import os
import time
from typing import Any

_time, _time_ns, _strftime = time.time, time.time_ns, time.strftime
_ahead = int(os.environ["CLOCK"]) - int(_time())


def _other_strftime(form: str, moment: Any = None) -> str:  # noqa: ANN401 - as time has it
    return _strftime(form, time.localtime(_time() + _ahead) if moment is None else moment)


time.time = lambda: _time() + _ahead
time.time_ns = lambda: _time_ns() + _ahead * 10**9
time.strftime = _other_strftime  # type: ignore[assignment]
