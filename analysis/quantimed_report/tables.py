# SPDX-License-Identifier: BSD-3-Clause
"""The summary: a table for each setting, never averaged over different ones; as numbers and as text; spreadsheet.py
has it for other programs.

A setting is all that the algorithms of a comparison share: data, model, network, time model, engine and, in real
time, the machine. Rows are algorithms, or an algorithm with each of the options that it was run with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from . import style, words
from .figures.common import TUNING as OPTIONS
from .figures.common import by_consequences, shared_options, time_unit
from .statistics import (BASELINE, CLOCKS, NO_ESTIMATE, Entry, Estimate, Judged, Race, asked_targets, both_clocks, curves,
                         judge_each, judge_runs, own_clock, read_estimate, read_number)
from .steps import ALL, certificate_of, for_all_targets, targets_of
from quantimed.traces import Run, Skipped, Study


@dataclass(frozen=True)
class Row:
    """An algorithm in a setting."""

    algorithm: str
    options: dict[str, str]  # those that other rows of this algorithm have other values of
    label: str
    runs: list[Run]  # left-out ones included
    counted: list[Run]
    judged: Judged
    steps: dict[float, str] = field(default_factory=dict)  # by target, where each has its own
    target: float | None = None  # … of which this is the one of this target

    def at(self, target: float) -> Row:
        """With the runs and figures of the setting that it has for this target."""
        if not self.steps:
            return self
        own = [run for run in self.runs if _takes_part(run, target)] or self.runs
        return replace(self, runs=own, counted=[run for run in own if run.counts], target=target)

    def estimate(self, key: str) -> Estimate:
        """final_loss or test_accuracy (0 … 1); a run that does not count is the worst."""
        found = read_estimate(self.judged.row(self.label, self.target)[key])
        return found if math.isfinite(found.median) else NO_ESTIMATE

    def number(self, key: str) -> float:
        """Median over the runs that count: paper_bits, wire_bits (a coordinate), bytes_sent (a run), wait_share."""
        return read_number(self.judged.row(self.label, self.target)[key])

    def entry(self, target: float, clock: str | None = None) -> Entry | None:
        """None where it has no run whose steps are for this target."""
        return self.judged.race(target, clock).entries.get(self.label)

    def lost(self) -> dict[str, int]:
        """How many runs of the judged pairs do not count, by why."""
        row = self.judged.rows[self.label]
        return {"INVALID": row["invalid"], "diverged": row["diverged"], "unfinished": row["unfinished"]}


@dataclass(frozen=True)
class Table:
    label: str
    runs: list[Run]
    rows: list[Row]
    judged: Judged
    each_target: bool = False  # every target has the step sizes that are best for it; else a row has one setting
    listed: list[Run] = field(default_factory=list)  # those that no other table lists

    @property
    def counted(self) -> list[Run]:
        return [run for run in self.runs if run.counts]

    @property
    def targets(self) -> list[float]:
        return self.judged.targets

    @property
    def target(self) -> float:
        """Where there is room for one; NaN: none."""
        return self.judged.main_target

    @property
    def baseline(self) -> Row | None:
        return next((row for row in self.rows if row.label == self.judged.baseline and row.counted), None)

    def races(self, clock: str | None = None) -> list[Race]:
        return [self.judged.race(target, clock) for target in self.targets]

    def row(self, label: str) -> Row:
        return next(row for row in self.rows if row.label == label)


def without_copies(study: Study) -> Study:
    """Leaves out runs that are another one to the bit: as pairs of their own they would narrow the intervals."""
    first: dict[tuple[object, ...], Run] = {}
    runs, copies = [], []
    for run in study.runs:
        key = (run.algorithm, run.engine, run.dataset, run.nodes, run.seed, run.kind, run.status, run.verdict,
               run.progress["time"].tobytes(), run.progress["loss"].tobytes())
        if key in first and run.counts:
            copies.append(Skipped(run.path, f"the same run as {first[key].path.name}, to the bit"))
        else:
            first[key] = run
            runs.append(run)
    return replace(study, runs=runs, skipped=study.skipped + copies)


def tables(study: Study, targets: Sequence[float] = ()) -> list[Table]:
    """A table a setting, comparisons first, then the largest first. `targets` empty: those that the runs were given
    (--target-loss), or shares of the fall."""
    groups: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in study.runs:
        groups.setdefault(tuple(sorted(setting(run).items())), []).append(run)
    split = [(dict(key) | by_horizon | by_clock, part) for key, runs in groups.items()
             for by_horizon, same_horizon in by_consequences(runs) for by_clock, part in _by_clock(same_horizon)]
    labels = _labels([key for key, _ in split])
    found = [_tables(label, runs, targets) for label, (_, runs) in zip(labels, split)]
    ordered = sorted(found, key=lambda t: (t[0].runs[0].kind != "run", -len({run.algorithm for run in t[0].counted}),
                                           -len(t[0].counted), t[0].label))
    return [table for same in ordered for table in same]


def _tables(label: str, runs: list[Run], targets: Sequence[float]) -> list[Table]:
    """Of one setting. Where some step sizes are for a target alone: first those that are for all, which is what to quote, then
    what is best for each, as `compare` does."""
    for_all = for_all_targets(runs)
    if len(for_all) == len(runs) or len({certificate_of(run) for run in runs} - {""}) > 1:
        return [_table(label, runs, targets)]
    one = _table(f"{label}, one setting of step sizes for all targets", for_all, targets)
    tuned = sorted({target for run in runs for target in targets_of(run)} - {ALL}, reverse=True)
    if not set(targets) <= set(tuned):  # nobody knows what is best for the others
        return [replace(one, listed=runs)]
    each = _table_of_each(f"{label}, step sizes that were found best for each target", runs, list(targets) or tuned)
    return [one, each]


def _table_of_each(label: str, runs: list[Run], targets: list[float]) -> Table:
    order = style.in_order([run.algorithm for run in runs])
    groups: dict[tuple[str, ...], list[Run]] = {}  # an algorithm, with its other options: all of its steps
    for run in sorted(runs, key=lambda run: (order.index(run.algorithm), _options(run))):
        if any(_takes_part(run, target) for target in targets):
            groups.setdefault((run.algorithm, *_options(run, OWN_STEPS)), []).append(run)
    names = {key: _row_label(key, _differing(key, groups)) for key in groups}
    judged = judge_each([run for group in groups.values() for run in group],
                        lambda run: names[run.algorithm, *_options(run, OWN_STEPS)], _steps,
                        lambda run: [target for target in targets if _takes_part(run, target)], targets, _baseline(groups, names))
    rows = [Row(key[0], _differing(key, groups), names[key], group, [run for run in group if run.counts], judged,
                {target: _steps(run) for run in group for target in targets if _takes_part(run, target)})
            for key, group in groups.items()]
    return Table(label, [run for group in groups.values() for run in group], rows, judged, True,
                 [run for run in runs if ALL not in targets_of(run)])


def _takes_part(run: Run, target: float) -> bool:
    """Steps that nothing is known of are all that their algorithm has."""
    return target in targets_of(run) or not certificate_of(run)


def _steps(run: Run) -> str:
    """alpha 0.4, epsilon 0.3"""
    return ", ".join(f"{name} {run.config.get(name)}" for name in ("alpha", "epsilon")
                     if name == "alpha" or str(run.config.get(name, "1")) != "1")


def setting(run: Run) -> dict[str, str]:
    """What must be equal in runs that are compared, beside a horizon."""
    shared = shared_options(run)
    if run.engine != "virtual":
        shared["cpu"] = str(run.environment.get("cpu", ""))
    return shared | run.contents | {"kind": run.kind}


def _by_clock(runs: list[Run]) -> list[tuple[dict[str, str], list[Run]]]:
    """Runs without a clock in common are no comparison: those charged by the paper's bits and those by the wire's."""
    clocks = [{clock for one in twins for clock in curves(one)} for twins in both_clocks(runs, _tuned)]
    if set.intersection(*clocks):
        return [({}, runs)]
    own = sorted({own_clock(run) for run in runs})
    return [({"bits": clock}, [run for run in runs if own_clock(run) == clock]) for clock in own]


def _tuned(run: Run) -> str:
    return repr((run.algorithm, _options(run)))


_KINDS = {"run": "", "strong": ", strong scaling", "weak": ", weak scaling", "predicted": ", predicted",
          "measured": ", measured for a prediction"}


def _labels(keys: list[dict[str, str]]) -> list[str]:
    """In few words, with more where two would be the same."""
    short = [_short(key) for key in keys]
    labels = []
    for text, key in zip(short, keys):
        same = [other for other, words in zip(keys, short) if words == text]
        differing = sorted(name for name in key if len({other.get(name) for other in same}) > 1)
        labels.append(", ".join([text] + [words.told_apart(name, key[name], {other.get(name, "") for other in same}) for name in differing]))
    return labels


def _short(key: dict[str, str]) -> str:
    return words.place(key["dataset"], key["nodes"], key["engine"]) + _KINDS[key["kind"]]


def _table(label: str, runs: list[Run], targets: Sequence[float]) -> Table:
    order = style.in_order([run.algorithm for run in runs])
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in sorted(runs, key=lambda run: (order.index(run.algorithm), _options(run))):
        groups.setdefault((run.algorithm, *_options(run)), []).append(run)
    names = {key: _row_label(key, _differing(key, groups)) for key in groups}
    judged = judge_runs([run for group in groups.values() for run in group],
                        lambda run: names[run.algorithm, *_options(run)], targets or asked_targets(runs),
                        _baseline(groups, names))
    rows = [Row(key[0], _differing(key, groups), names[key], group, [run for run in group if run.counts], judged)
            for key, group in groups.items()]
    return Table(label, runs, rows, judged, listed=runs)


OWN_STEPS = ("alpha", "epsilon")


def _options(run: Run, but: Sequence[str] = ()) -> tuple[str, ...]:
    return tuple("" if name in but else str(run.config.get(name, "")) for name in OPTIONS)


def _row_label(key: tuple[str, ...], options: dict[str, str]) -> str:
    said = ", ".join(words.of(name, value) for name, value in options.items())
    return style.label(key[0]) + (f" ({said})" if said else "")


def _baseline(groups: Iterable[tuple[str, ...]], names: dict[tuple[str, ...], str]) -> str:
    found = [names[key] for key in groups if key[0] == BASELINE]
    return found[0] if len(found) == 1 else BASELINE


def _differing(key: tuple[str, ...], keys: Iterable[tuple[str, ...]]) -> dict[str, str]:
    same = [other for other in keys if other[0] == key[0]]
    return {name: key[k] for k, name in enumerate(OPTIONS, 1) if len({other[k] for other in same}) > 1}


def own_time(table: Table, run: Run) -> float:
    """To the table's target, by the run's own clock, where the table has it. NaN of a run whose steps are for others."""
    if table.each_target and not _takes_part(run, table.target):
        return math.nan
    return table.judged.time_of(run, table.target, own_clock(run) if own_clock(run) in table.judged.clocks else None)


def last(values: np.ndarray) -> float:
    return float(values[-1]) if len(values) else math.nan


# ---- as people read it ---------------------------------------------------------------------------------------------
def figure(value: float, infinite: str = "missed", digits: int = 4) -> str:
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return infinite
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.{digits}g}"


def between(found: Estimate, infinite: str = "missed", factor: float = 1) -> str:
    return "" if math.isnan(found.low) else f"[{figure(factor * found.low, infinite)}–{figure(factor * found.high, infinite)}]"


def ratio(value: float) -> str:
    if math.isnan(value):
        return "—"
    return figure(value, "∞", 3) if math.isinf(value) or value >= 100 or value < 0.1 else f"{value:.2f}"


def seconds(value: float) -> str:
    """With the prefix that it reads best with: 7.6 ms."""
    if not math.isfinite(value):
        return figure(value, "missed")
    factor, unit = time_unit(value)
    return f"{figure(value * factor)} {unit}"


def _factor(value: float) -> float:
    """To the unit in which `seconds` says it."""
    return time_unit(value)[0] if math.isfinite(value) else 1.0


def in_bytes(value: float) -> str:
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"


@dataclass(frozen=True)
class Column:
    """A column of the summary: its head, and for a row the figure and what stands small below it."""

    name: str
    unit: str
    cell: Callable[[Row, Table], tuple[str, str]]


def columns(table: Table) -> list[Column]:
    """A column for each target, with every clock in it, then the other figures."""
    clocks = [CLOCKS.get(clock, clock) for clock in table.judged.clocks]
    head = clocks[0] + "".join(f"; below: {name}" for name in clocks[1:])
    found = [Column(f"Time to loss {figure(target)}", head, partial(_time, target)) for target in table.targets]
    if table.each_target:
        return [*found, Column("Valid runs", "of all", _valid_settings)]
    by = f", {CLOCKS.get(table.judged.main_clock, table.judged.main_clock)}" if len(clocks) > 1 else ""
    return found + [Column("Final loss", f"median{by}", _final_loss), Column("Test accuracy", f"median{by}", _accuracy),
                    Column("Bits on the wire", "a coordinate", _bits), Column("Valid runs", "of all", _valid)]


def _time(target: float, row: Row, table: Table) -> tuple[str, str]:
    if row.entry(target) is None:
        return "—", ""
    main, small = "", []
    for k, clock in enumerate(table.judged.clocks):
        race, entry = table.judged.race(target, clock), row.entry(target, clock)
        value = f"{race.mark(row.label)} {_entry(entry)}".strip()
        said = [between(entry.time, factor=_factor(entry.time.median))] if entry.is_resolved and not math.isinf(entry.time.low) else []
        if k == 0:
            main = value
            small = said
        else:
            small.append(" ".join([value, *said]))
        if entry.speed_up.kind != "none" and math.isfinite(entry.speed_up.median) and entry.speed_up.median > 0:
            small.append(f"{ratio(entry.speed_up.median)}× {table.judged.baseline}")
    if math.isfinite(joules := row.entry(target).energy.median):
        small.append(f"{figure(joules)} J of whole packages")
    arrived = [row.entry(target, clock).arrived for clock in table.judged.clocks]
    runs = table.judged.row(row.label, target)["runs"]
    if min(arrived) < runs:
        small.append(f"arrived {' / '.join(map(str, arrived if len(set(arrived)) > 1 else arrived[:1]))} of {runs}")
    if target in row.steps:
        small.append(row.steps[target])
    return main, "; ".join(small)


def _entry(entry: Entry) -> str:
    return seconds(entry.time.median) if entry.is_resolved else "< " + seconds(entry.bound)


def _final_loss(row: Row, _: Table) -> tuple[str, str]:
    found = row.estimate("final_loss")
    return figure(found.median), between(found, "—")


def _accuracy(row: Row, _: Table) -> tuple[str, str]:
    found = row.estimate("test_accuracy")
    if math.isnan(found.median):
        return "—", ""
    low = "—" if math.isinf(found.low) else f"{100 * found.low:.1f}"
    return f"{100 * found.median:.1f} %", f"[{low}–{100 * found.high:.1f}]"


def _bits(row: Row, _: Table) -> tuple[str, str]:
    wire, paper, sent = (row.number(key) for key in ("wire_bits", "paper_bits", "bytes_sent"))
    return ("—", "") if math.isnan(wire) else (f"{wire:.2f}", f"{paper:.4g} in the paper; {in_bytes(sent)} a run")


def _valid(row: Row, table: Table) -> tuple[str, str]:
    found = table.judged.rows[row.label]
    return f"{found['counted']} of {found['runs']}", ", ".join(f"{n} {why}" for why, n in row.lost().items() if n)


def _valid_settings(row: Row, table: Table) -> tuple[str, str]:
    """Each setting's runs are in the table once, for however many targets."""
    found = table.judged.settings(row.label)
    return f"{sum(one['counted'] for one in found)} of {sum(one['runs'] for one in found)}", ""


def to_markdown(table: Table) -> str:
    shown = columns(table)
    heads = ["Algorithm"] + [f"{c.name} ({c.unit})" for c in shown]
    lines = [heads, ["---"] * len(heads)]
    lines += [[row.label] + [" ".join(filter(None, c.cell(row, table))) for c in shown] for row in table.rows]
    body = "\n".join("| " + " | ".join(map(markdown_text, line)) + " |" for line in lines)
    return f"{markdown_text(table.label)}; {markdown_text(caption(table))}\n\n{body}\n"


def caption(table: Table) -> str:
    """What holds for all cells."""
    chosen = "as tuned for, each with its own step sizes" if table.each_target else "as given" if table.judged.answer["targets_given"] else "shares of the fall to the best loss of any run"
    targets = f"targets: {chosen}" if table.targets else "no target"
    return f"{targets}; {table.judged.spread}; ✓ the fastest, ≈ too close to call with it"


def markdown_text(text: str) -> str:
    """A trace's text is data: no markup, no new cells or lines."""
    for sign, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("`", "\\`"), ("[", "\\["), ("]", "\\]")):
        text = text.replace(sign, instead)
    return " ".join(text.split())
