# SPDX-License-Identifier: BSD-3-Clause
"""How far the nodes' models are from the optimum."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.figure import Figure

from ..statistics import BAND
from ..style import styled
from quantimed.traces import DISTANCE, Study
from . import common

TITLE = "Distance to the optimum"
CAPTION = ("Root mean square of the nodes' distances to x*, the minimiser of all nodes' mean loss, against time and against iterations, of "
           "runs with --optimum. An exact method falls until float32 holds no more digits; one with a bias of its step, of its data or of "
           "what it weighs nodes by becomes level above that. " + BAND)


@styled
def draw(study: Study) -> Figure | str:
    having = replace(study, runs=[run for run in study.runs if DISTANCE in run.progress])
    groups = common.settings(having)
    if not groups:
        return "no run that counts was made with --optimum"
    return common.over_time_and_iterations(groups, DISTANCE, "distance to x*")
