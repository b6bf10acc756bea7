"""One figure a file: TITLE, CAPTION and draw(study), which gives a figure or says why there is none."""

from __future__ import annotations

from types import ModuleType

from . import curves_iterations, curves_time

# In the order of the page.
ALL: tuple[tuple[str, ModuleType], ...] = (
    ("curves-time", curves_time),
    ("curves-iterations", curves_iterations),
)
