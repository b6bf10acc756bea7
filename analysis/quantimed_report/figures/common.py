# SPDX-License-Identifier: BSD-3-Clause
"""What figures share: comparable groups of runs, panels, bands and units."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .. import style, words
from ..statistics import BASELINE, CLOCKS, Judged, asked_targets, curves, judge_runs, on_clock, own_clock, shared_clocks, spread
from ..steps import for_all_targets
from quantimed.traces import ROUND_ORDER, Run, Study, phase_order

MAX_PANELS = 6
GRID_POINTS = 200

# Options that may differ between runs that are compared: who ran, what was kept, how it was watched …
OF_THE_RUN = {"budget", "json", "tuned-by", "tuned_by", "allow-large-epsilon", "overwrite", "algorithm", "algorithms", "seed", "seeds", "repeats", "alpha_value", "epsilon_value", "samples_per_node_value", "delivery", "output",
               "sends_early", "weights", "timeline", "quiet", "threads", "evaluations", "target-loss", "cores", "study", "warm-up", "bits",
               "trials", "alpha-range", "epsilon-range", "machine_doubts", "counters", "optimum"}
# … what follows from them: at equal time each algorithm has its own number of iterations …
CONSEQUENCES = ("iterations", "max-time", "horizon")
# … and how an algorithm was tuned: among them every parameter that a row of the program's table has. Its runs with
# different tuning are not each other's repetitions.
TUNING = ("batch", "gradient", "deadline", "deadline-adapt", "deadline-slack", "alpha", "epsilon", "gamma", "momentum", "averaging",
          "outer-step", "local-steps", "rounds", "period", "nesterov", "overlap", "beta", "codec", "machine")
_NAMED_FIRST = ("engine", "dataset", "nodes")


@dataclass(frozen=True)
class Setting:
    """Runs that differ in no more than algorithm and seed, and in tuning from algorithm to algorithm."""

    name: str  # what tells it from the study's other settings
    runs: list[Run]  # with their times by one clock
    clock: str | None = None  # where it is one of several
    by_other_clock: Setting | None = None  # the same runs, where all have that clock, too
    not_counted: list[Run] = field(default_factory=list)  # INVALID or incomplete: nothing of them is drawn, and they never arrived

    @property
    def algorithms(self) -> list[str]:
        return style.in_order([run.algorithm for run in self.runs])

    def of(self, algorithm: str) -> list[Run]:
        return [run for run in self.runs if run.algorithm == algorithm]

    def title(self, width: int) -> str:
        """In lines of `width` letters: a title that is too long would stick out of the figure."""
        seeds = len({run.seed for run in self.runs})
        lost = style.in_order([run.algorithm for run in self.not_counted if run.algorithm not in self.algorithms])
        said = [f"{self.name}; {seeds} seed{'s' * (seeds != 1)}", say_missing(lost)]
        return "\n".join(in_lines(text, width) for text in said if text)

    @cached_property
    def judged(self) -> Judged:
        """Rows are algorithms. Of all runs, as in the tables: without those that do not count their pairs would be missing
        everywhere."""
        return judge_runs([*self.runs, *self.not_counted], lambda run: run.algorithm, asked_targets(self.runs),
                          BASELINE if BASELINE in self.algorithms else self.algorithms[0])

    @property
    def judged_until(self) -> float:
        """s, where arrivals end to count: by the clock that the runs do not have their time by. inf: they count to the end."""
        return self.judged.judged_until(self.judged.clocks[0])

    @property
    def time_label(self) -> str:
        return "virtual time" if self.runs[0].engine == "virtual" else "time"

    @property
    def clock_label(self) -> str:
        """With what its seconds are charged by, where that could be something else."""
        return f"{self.time_label}, {CLOCKS[self.clock]}" if self.clock else self.time_label

    @property
    def rounds_label(self) -> str:
        """With what the durations of /rounds are charged by: by what the runs have their time by, whatever clock is drawn."""
        return rounds_label(self.runs)


def in_lines(text: str, width: int) -> str:
    """At most three lines of `width` letters; a number stays with its unit, and p with what it is."""
    kept = re.sub(r"(?<=[\d=]) (?=[^\W\d]|[\d%])| (?==)", "\u00a0", text)
    return textwrap.fill(kept, width, max_lines=3, placeholder=" …", break_on_hyphens=False)


def rounds_label(runs: Sequence[Run]) -> str:
    """The clock of the durations in /rounds."""
    if runs[0].engine != "virtual":
        return "time"
    clocks = {own_clock(run) for run in runs}
    return "virtual time" + "".join(f", {CLOCKS[clock]}" for clock in clocks if len(clocks) == 1 and clock != "machine")


def settings(study: Study, leave_out: Sequence[str] = ()) -> list[Setting]:
    """The comparisons of a study, the largest first; runs of `scale` and `predict` are not among them.

    `leave_out`: options that may differ within one, several values of one algorithm among them.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in study.runs:
        if run.kind == "run":
            groups.setdefault(tuple(sorted(shared_options(run, leave_out).items())), []).append(run)
    # A curve is of one setting, not of what is best here and there.
    kept = {key: for_all_targets(runs) for key, runs in groups.items()}
    steps_said = {key: "one setting of steps" if len(kept[key]) < len(runs) else "" for key, runs in groups.items()}
    split = [(dict(key) | consequences, part, steps_said[key]) for key, runs in kept.items()
             for consequences, part in by_consequences(runs, [c for c in CONSEQUENCES if c not in leave_out])]
    names = _names([key for key, _, _ in split])
    found = [_on_one_clock(", ".join(filter(None, (name, steps, tuning))), tuned)
             for name, (_, runs, steps) in zip(names, split) for tuning, tuned in _by_tuning(runs) if any(run.counts for run in tuned)]
    return sorted(found, key=lambda setting: (-len(setting.algorithms), -len(setting.runs), _natural(setting.name)))


def _on_one_clock(name: str, all_runs: list[Run]) -> Setting:
    runs, others = [run for run in all_runs if run.counts], [run for run in all_runs if not run.counts]
    several = len({one for run in runs for one in curves(run)}) > 1
    first, second = (*shared_clocks(runs), None, None)[:2]
    other = Setting(name, on_clock(runs, second), second, None, on_clock(others, second)) if second else None
    return Setting(name, on_clock(runs, first), first if several else None, other, on_clock(others, first))


def shared_options(run: Run, leave_out: Sequence[str] = ()) -> dict[str, str]:
    """What must be equal in runs that are compared."""
    return {name: str(value) for name, value in run.config.items()
            if name not in OF_THE_RUN and name not in TUNING and name not in CONSEQUENCES and name not in leave_out}


def by_consequences(runs: Sequence[Run], names: Sequence[str] = CONSEQUENCES) -> list[tuple[dict[str, str], list[Run]]]:
    """Runs of different horizons are different only where an algorithm has several by one clock: in the time of another its
    automatic one is another. An algorithm that has one is compared with every horizon of the others. With the options that
    tell a group from the others."""
    def key(run: Run) -> tuple[str, ...]:
        return tuple(str(run.config.get(name, "")) for name in names)

    keys: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for run in runs:
        keys.setdefault((run.algorithm, own_clock(run)), set()).add(key(run))
    varied = {algorithm for (algorithm, _), found in keys.items() if len(found) > 1}
    every = sorted({key(run) for run in runs if run.algorithm in varied}, key=lambda one: [_natural(text) for text in one])
    if not varied:
        return [({}, list(runs))]
    apart = [k for k in range(len(names)) if len({one[k] for one in every}) > 1]
    return [({names[k]: one[k] for k in apart},
             [run for run in runs if run.algorithm not in varied or key(run) == one]) for one in every]


def _by_tuning(runs: list[Run]) -> list[tuple[str, list[Run]]]:
    """Groups in which each algorithm has one tuning, and what is special about them.

    An algorithm that was tuned in one way only is compared with every tuning of the others.
    """
    groups: dict[str, list[Run]] = {}
    for algorithm in style.in_order([run.algorithm for run in runs]):
        mine = [run for run in runs if run.algorithm == algorithm]
        varied = [name for name in TUNING if len({str(run.config.get(name)) for run in mine}) > 1]
        for run in mine:
            groups.setdefault(", ".join(words.of(name, run.config.get(name)) for name in varied), []).append(run)
    common = groups.pop("", [])
    return [(tuning, common + tuned) for tuning, tuned in groups.items()] or [("", common)]


def _natural(name: str) -> list[tuple[float, str]]:
    """Sorts 60 before 120."""
    return [(float(word), "") if word.isdigit() else (math.inf, word) for word in re.split(r"(\d+)", name)]


def _names(keys: list[dict[str, str]]) -> list[str]:
    every = {name for key in keys for name in key}
    differing = {name for name in every if len({key.get(name, "") for key in keys}) > 1}
    names = []
    for key in keys:
        said = [words.of(name, key[name]) for name in sorted(differing - set(_NAMED_FIRST)) if name in key]
        names.append(", ".join([words.place(key["dataset"], key["nodes"], key["engine"]), *said]))
    return names


Draw = Callable[[Axes, Setting], None]


def panels(groups: Sequence[Setting], *draws: Draw, height: float = 2.2, title_width: int = 48) -> Figure:
    """Each of `draws` for each setting, one below the other; settings that do not fit are counted."""
    shown = groups[:max(1, MAX_PANELS // len(draws))]
    rows = len(shown) * len(draws)
    figure, axes = plt.subplots(rows, 1, squeeze=False, figsize=(style.width(), height * rows + 0.3))
    for k, (setting, draw) in enumerate((setting, draw) for setting in shown for draw in draws):
        ax = axes[k, 0]
        ax.set_title(setting.title(title_width) if k % len(draws) == 0 else "", loc="left")
        draw(ax, setting)
    if len(groups) > len(shown):
        say_left_out(axes[-1, 0], f"{len(groups) - len(shown)} more settings are not shown")
    return figure


def over_time_and_iterations(groups: Sequence[Setting], column: str, label: str) -> Figure:
    """A column of /progress, on logarithmic axes where it is positive."""
    def draw(ax: Axes, setting: Setting, x: str, log: bool) -> None:
        for algorithm in setting.algorithms:
            band(ax, setting.of(algorithm), x, column, log)
        log_when_positive(ax)
        ax.set_ylabel(label)
        ax.set_xlabel(f"{setting.clock_label} (s)" if x == "time" else "iterations of a node")
        if log:
            ax.set_xscale("log")
            plain_log_ticks(ax.xaxis)

    figure = panels(groups, lambda ax, setting: draw(ax, setting, "time", True),
                    lambda ax, setting: draw(ax, setting, "iteration", False), height=1.8)
    legend_above(figure.axes[0])
    return figure


def say_left_out(ax: Axes, text: str) -> None:
    """Below all axes, where nothing else is."""
    ax.figure.supxlabel(text, x=0.99, ha="right", fontsize=6, color=style.GREY)


def say_missing(algorithms: Sequence[str]) -> str:
    """Of algorithms that were run, but have nothing to show: a line for a title."""
    return "no runs that count: " + ", ".join(style.label(each) for each in algorithms) if algorithms else ""


def band(ax: Axes, runs: Sequence[Run], x: str, y: str, log: bool = False) -> bool:
    """Median and band over runs of one algorithm, on a common grid that ends where the shortest run does.

    `log`: without the start, for a logarithmic axis.
    """
    curves = [(run.progress[x], run.progress[y]) for run in runs
              if len(run.progress[x]) > 1 and np.all(np.isfinite(run.progress[y]))
              and (not log or run.progress[x][1] > 0)]
    if not curves:
        return False
    algorithm = runs[0].algorithm
    grid = common_grid([xs[1:] if log else xs for xs, _ in curves], log)
    median, low, high = spread(np.array([np.interp(grid, xs, ys) for xs, ys in curves]))
    ax.plot(grid, median, color=style.colour(algorithm), linestyle=style.line_style(algorithm),
            label=style.label(algorithm))
    if len(curves) > 1:
        ax.fill_between(grid, low, high, color=style.colour(algorithm), alpha=0.18, linewidth=0)
    return True


def common_grid(columns: Sequence[np.ndarray], log: bool = False) -> np.ndarray:
    """The points of the runs themselves where all have the same, or else evenly spaced ones."""
    first = columns[0]
    if len(first) <= 4 * GRID_POINTS and all(np.array_equal(first, other) for other in columns[1:]):
        return first
    return (np.geomspace if log else np.linspace)(max(xs[0] for xs in columns), min(xs[-1] for xs in columns),
                                                  GRID_POINTS)


def log_when_positive(ax: Axes) -> None:
    """A logarithmic y axis where all that is drawn is positive."""
    drawn = [line.get_ydata() for line in ax.get_lines()]
    if drawn and all(np.all(np.asarray(values, dtype=float) > 0) for values in drawn):
        ax.set_yscale("log")
        plain_log_ticks(ax.yaxis)


def plain_log_ticks(axis: object) -> None:
    """1, 2, 5, 10 … instead of powers, as far as they are legible."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    if low > 0 and high / low < 1e3:
        many = high / low > 20
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if many else (1, 1.5, 2, 3, 4, 5, 7)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def legend_above(ax: Axes, columns: int = 2) -> None:
    """The legend of all axes of the figure of `ax` above them, each name once; the figure grows by as much. The last step of a
    drawing."""
    found: dict[str, object] = {}
    for each in ax.figure.axes:  # panels may be of other algorithms
        for handle, label in zip(*each.get_legend_handles_labels()):
            found.setdefault(label, handle)
    if columns == 2 and len(found) > 6 and max(map(len, found)) <= 16:
        columns = 3
    show_legend(ax.figure, list(found.values()), list(found), columns=columns)


def show_legend(figure: Figure, handles: Sequence[object], labels: Sequence[str], columns: int) -> None:
    if not handles:
        return
    needed = 0.1 + 0.135 * math.ceil(len(handles) / columns)  # inches
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + needed)
    figure.get_layout_engine().set(rect=(0, 0, 1, height / (height + needed)))
    figure.legend(handles, labels, loc="upper center", ncol=columns, columnspacing=1.2, borderpad=0.2)


def pooled(runs: Sequence[Run], column: str, most: int = 400_000) -> np.ndarray:
    """A column of /rounds over all runs, nodes and iterations, without NaN; evenly thinned where there is too much."""
    each, parts = max(1, most // max(1, len(runs))), []
    for run in runs:
        values = run.rounds(column).ravel()
        values = values[np.isfinite(values)]
        parts.append(values[::max(1, -(-values.size // each))].astype(float))
    return np.concatenate(parts) if parts else np.empty(0)


def ecdf(ax: Axes, values: np.ndarray, algorithm: str) -> None:
    """The share of `values` that are at most x, in %, drawn through at most GRID_POINTS quantiles."""
    shares = np.linspace(0, 1, GRID_POINTS + 1)
    ax.plot(np.quantile(values, shares, method="inverted_cdf"), 100 * shares, color=style.colour(algorithm),
            linestyle=style.line_style(algorithm), label=style.label(algorithm), drawstyle="steps-post")
    ax.set_ylim(-2, 102)


def mean_phases(runs: Sequence[Run]) -> dict[str, float]:
    """s an iteration, means over runs, nodes and iterations, in the order in which a node goes through them."""
    order = phase_order(runs[0])
    return {phase: float(np.mean([np.nanmean(run.rounds(f"{phase}_time")) for run in runs])) for phase in order}


def stacked_bar(ax: Axes, at: float, phases: dict[str, float], factor: float, **look: object) -> float:
    """A horizontal bar of an iteration's phases; gives where it ends."""
    left = 0.0
    for phase, seconds in phases.items():
        ax.barh(at, factor * seconds, left=left, color=style.PHASE_COLOURS[phase], edgecolor="white", linewidth=0.3,
                **look)
        left += factor * seconds
    return left


def phase_legend(ax: Axes, seen: Sequence[dict[str, float]]) -> None:
    """Above the axes, of phases that can be seen in some bar."""
    took = [phase for phase in ROUND_ORDER
            if any(phases[phase] > 0.001 * sum(phases.values()) for phases in seen)]
    show_legend(ax.figure, [Patch(facecolor=style.PHASE_COLOURS[phase]) for phase in took], took, columns=4)


def time_unit(seconds: float) -> tuple[float, str]:
    """The factor from seconds and the name of the unit in which `seconds` reads best."""
    for factor, name in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return factor, name
    return (1e9, "ns") if seconds > 0 else (1.0, "s")


NO_RUNS = "no run of a comparison counts: all are unfinished, diverged or INVALID, or none was made"
