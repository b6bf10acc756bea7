# SPDX-License-Identifier: BSD-3-Clause
"""How far the nodes' models are from each other."""

from __future__ import annotations

from matplotlib.figure import Figure

from ..statistics import BAND
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Consensus error"
CAPTION = ("Mean squared distance of the nodes' models from their mean, against time and against iterations: how much the "
           "nodes disagree. All start from the same model, where it is 0. " + BAND)


@styled
def draw(study: Study) -> Figure | str:
    groups = [setting for setting in common.settings(study) if setting.runs[0].nodes > 1]
    if not groups:
        return "no run of several nodes counts"
    return common.over_time_and_iterations(groups, "consensus_error", "consensus error")
