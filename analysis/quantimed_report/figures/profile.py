# SPDX-License-Identifier: BSD-3-Clause
"""Performance profile over all comparisons of a study."""

from __future__ import annotations

import math

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from .. import style
from ..statistics import CLOCKS, performance_profile
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Performance profile"
CAPTION = ("A problem is one seed of one setting with one of five targets. The curve is the share of problems that "
           "an algorithm solved within so many times the time of the fastest one; at 1 that is how often it was the "
           "fastest, which need not be clearly so, at the right end how many problems it solved at all. Targets that some "
           "curve reaches before its third point tell nobody apart, and are left out.")


@styled
def draw(study: Study) -> Figure | str:
    times = problems(study)
    if len(times) < 2:
        return "no problem that two algorithms were tried on with runs that count"
    figure, ax = plt.subplots()
    ax.set_title(_title(study), loc="left")
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


def _resolved_targets(setting: common.Setting) -> list[float]:
    return [target for target in setting.judged.targets
            if all(entry.unresolved == 0 for entry in setting.judged.race(target).entries.values())]


def _title(study: Study) -> str:
    groups = common.settings(study)
    used = [setting for setting in groups if set(setting.algorithms) == set(groups[0].algorithms)]
    left_out = sum(len(setting.judged.targets) - len(_resolved_targets(setting)) for setting in used)
    said = [used[0].name if len(used) == 1 else f"{len(used)} settings", f"by {CLOCKS[used[0].clock]}" if used[0].clock else ""]
    said += [f"{left_out} of {sum(len(setting.judged.targets) for setting in used)} targets left out"] * (left_out > 0)
    return common.in_lines("; ".join(filter(None, said)), 48)


def problems(study: Study) -> dict[str, list[float]]:
    """Time to each problem by algorithm: of those problems that every algorithm of the largest setting was tried on."""
    groups = common.settings(study)
    algorithms = groups[0].algorithms if groups else []
    times: dict[str, list[float]] = {algorithm: [] for algorithm in algorithms}
    for setting in groups:
        if set(setting.algorithms) != set(algorithms):
            continue
        for target in _resolved_targets(setting):
            entries = setting.judged.race(target).entries
            for algorithm in algorithms:
                times[algorithm] += entries[algorithm].times
    return times if any(math.isfinite(t) for row in times.values() for t in row) else {}
