# SPDX-License-Identifier: BSD-3-Clause
"""How far the mean model is from a stationary point."""

from __future__ import annotations

from matplotlib.figure import Figure

from ..statistics import BAND
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Gradient norm"
CAPTION = ("Squared norm of the gradient of the training loss, over all data, at the mean model, against time and against "
           "iterations; 0 is a stationary point. " + BAND)


@styled
def draw(study: Study) -> Figure | str:
    groups = common.settings(study)
    if not groups:
        return common.NO_RUNS
    return common.over_time_and_iterations(groups, "gradient_norm_squared", "squared gradient norm")
