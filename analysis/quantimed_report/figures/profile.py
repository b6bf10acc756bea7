# SPDX-License-Identifier: BSD-3-Clause
"""Performance profile over all comparisons of a study."""

from __future__ import annotations

import math

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from .. import style
from ..statistics import performance_profile
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Performance profile"
CAPTION = ("A problem is one seed of one setting with one of five targets. The curve is the share of problems that "
           "an algorithm solved within so many times the time of the fastest one; at 1 that is how often it was the "
           "fastest, at the right end how many problems it solved at all.")


@styled
def draw(study: Study) -> Figure | str:
    times = problems(study)
    if len(times) < 2:
        return "no problem that two algorithms were tried on with runs that count"
    figure, ax = plt.subplots()
    curves = performance_profile(times)
    right = 1.1 * max([2.0] + [float(factors[-1]) for factors, _ in curves.values() if factors.size])
    for algorithm, (factors, shares) in curves.items():
        x = np.concatenate([[1.0], factors, [right]])
        y = np.concatenate([[0.0], shares, shares[-1:] if shares.size else [0.0]])
        ax.plot(x, 100 * y, drawstyle="steps-post", color=style.colour(algorithm),
                linestyle=style.line_style(algorithm), label=style.label(algorithm))
    ax.set_xscale("log")
    ax.set_xlim(1 / 1.03, right)
    common.plain_log_ticks(ax.xaxis)
    ax.set_ylim(-2, 102)
    ax.set_xlabel("time, of the fastest algorithm's (×)")
    ax.set_ylabel(f"problems solved (% of {len(next(iter(times.values())))})")
    common.legend_above(ax)
    return figure


def problems(study: Study) -> dict[str, list[float]]:
    """Time to each problem by algorithm: of those problems that every algorithm of the largest setting was tried on."""
    groups = common.settings(study)
    algorithms = groups[0].algorithms if groups else []
    times: dict[str, list[float]] = {algorithm: [] for algorithm in algorithms}
    for setting in groups:
        if set(setting.algorithms) != set(algorithms):
            continue
        for target in setting.judged.targets:
            entries = setting.judged.race(target).entries
            for algorithm in algorithms:
                times[algorithm] += entries[algorithm].times
    return times if any(math.isfinite(t) for row in times.values() for t in row) else {}
