# SPDX-License-Identifier: BSD-3-Clause
"""One figure a file: TITLE, CAPTION and draw(study), which gives a figure or says why there is none."""

from __future__ import annotations

from types import ModuleType

from . import (accuracy, batch, bits, consensus, curves_iterations, curves_time, distance, gradient_norm, network, overshoot, phases,
               phases_nodes, predicted, profile, rates, scaling, speed_ups, staleness, time_to_targets, timeline)

# In the order of the page.
ALL: tuple[tuple[str, ModuleType], ...] = (
    ("curves-time", curves_time),
    ("time-to-targets", time_to_targets),
    ("speed-ups", speed_ups),
    ("profile", profile),
    ("accuracy", accuracy),
    ("curves-iterations", curves_iterations),
    ("bits", bits),
    ("consensus", consensus),
    ("gradient-norm", gradient_norm),
    ("distance", distance),
    ("phases", phases),
    ("phases-nodes", phases_nodes),
    ("timeline", timeline),
    ("batch", batch),
    ("overshoot", overshoot),
    ("staleness", staleness),
    ("scaling", scaling),
    ("predicted", predicted),
    ("rates", rates),
    ("network", network),
)
