"""The summary: a table for each setting, never averaged over different ones; as numbers and as text; spreadsheet.py
has it for other programs.

A setting is all that the algorithms of a comparison share: data, model, network, time model, engine and, in real
time, the machine. Rows are algorithms, or an algorithm with each of the options that it was run with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np

from . import style
from .figures.common import OF_THE_RUN as OF_THE_RUN
from .figures.common import TUNING as OPTIONS
from .statistics import BASELINE, Spread, bootstrap_median, common_target, median, paired_speed_ups, time_to_target
from .traces import Run, Skipped, Study


@dataclass(frozen=True)
class Row:
    """An algorithm in a setting. Spreads of times and losses are ranges, that of the speed-up is a 95 % interval."""

    algorithm: str
    options: dict[str, str]  # those that other rows of this algorithm have other values of
    runs: list[Run]  # left-out ones included
    counted: list[Run]
    time: Spread  # s
    speed_up: Spread  # over the baseline, paired by seed
    pairs: int
    final_loss: Spread
    test_accuracy: Spread  # 0 … 1
    paper_bits: float  # a coordinate
    wire_bits: float
    bytes_sent: float  # of one run, median
    wait_share: float
    reached: int

    @property
    def label(self) -> str:
        said = ", ".join(f"{name} {value}" for name, value in self.options.items())
        return style.label(self.algorithm) + (f" ({said})" if said else "")


@dataclass(frozen=True)
class Table:
    label: str
    target: float  # loss; NaN where there is none
    runs: list[Run]
    rows: list[Row]

    @property
    def counted(self) -> list[Run]:
        return [run for run in self.runs if run.counts]

    @property
    def baseline(self) -> Row | None:
        found = [row for row in self.rows if row.algorithm == BASELINE and row.counted]
        return found[0] if len(found) == 1 else None

    def by_time(self) -> list[Row]:
        """The rows whose median run reached the target, the fastest first."""
        return sorted((row for row in self.rows if math.isfinite(row.time.median)), key=lambda row: row.time.median)


def with_target(study: Study, target: float) -> Study:
    """As if every run had been given --target-loss `target`."""
    return replace(study, runs=[replace(run, summary={**run.summary, "target_loss": target}) for run in study.runs])


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


def tables(study: Study) -> list[Table]:
    """A table a setting, comparisons first, then the largest first."""
    groups: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in study.runs:
        groups.setdefault(tuple(sorted(_setting(run).items())), []).append(run)
    labels = _labels([dict(key) for key in groups])
    found = [_table(label, runs) for label, runs in zip(labels, groups.values())]
    return sorted(found, key=lambda t: (t.runs[0].kind != "run", -len({run.algorithm for run in t.counted}),
                                        -len(t.counted), t.label))


def _setting(run: Run) -> dict[str, str]:
    shared = {name: str(value) for name, value in run.config.items() if name not in OF_THE_RUN and name not in OPTIONS}
    if run.engine != "virtual":
        shared["cpu"] = str(run.environment.get("cpu", ""))
    return shared | {"kind": run.kind}


_KINDS = {"run": "", "strong": ", strong scaling", "weak": ", weak scaling", "predicted": ", predicted",
          "measured": ", measured for a prediction"}


def _labels(keys: list[dict[str, str]]) -> list[str]:
    """In few words, with more where two would be the same."""
    short = [_short(key) for key in keys]
    labels = []
    for text, key in zip(short, keys):
        same = [other for other, words in zip(keys, short) if words == text]
        differing = sorted(name for name in key if len({other.get(name) for other in same}) > 1)
        labels.append(", ".join([text] + [f"{name} {key[name]}" for name in differing]))
    return labels


def _short(key: dict[str, str]) -> str:
    clock = "virtual time" if key["engine"] == "virtual" else "real time"
    return f"{PurePath(key['dataset']).name}, {key['nodes']} node{'s' if key['nodes'] != '1' else ''}, {clock}{_KINDS[key['kind']]}"


def _table(label: str, runs: list[Run]) -> Table:
    target = common_target(runs)
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.algorithm, *(str(run.config.get(name, "")) for name in OPTIONS)), []).append(run)
    order = style.in_order([key[0] for key in groups])
    keys = sorted(groups, key=lambda key: (order.index(key[0]), key))
    baselines = [key for key in keys if key[0] == BASELINE]
    baseline = groups[baselines[0]] if len(baselines) == 1 else []
    rows = [_row(key[0], _differing(key, keys), groups[key], baseline, target) for key in keys]
    return Table(label, target, runs, rows)


def _differing(key: tuple[str, ...], keys: Iterable[tuple[str, ...]]) -> dict[str, str]:
    same = [other for other in keys if other[0] == key[0]]
    return {name: key[k] for k, name in enumerate(OPTIONS, 1) if len({other[k] for other in same}) > 1}


def _row(algorithm: str, options: dict[str, str], runs: list[Run], baseline: list[Run], target: float) -> Row:
    counted = [run for run in runs if run.counts]
    times = [time_to_target(run.progress, target) for run in counted]
    ratios = paired_speed_ups(runs, baseline, target)
    return Row(algorithm=algorithm, options=options, runs=runs, counted=counted,
               time=range_of(times) if not math.isnan(target) else range_of([]),
               speed_up=bootstrap_median(ratios), pairs=len(ratios),
               final_loss=range_of([float(run.progress["loss"][-1]) for run in counted]),
               test_accuracy=range_of([float(run.progress["test_accuracy"][-1]) for run in counted]),
               reached=sum(map(math.isfinite, times)),
               **{name: median([run.number(of) for run in counted]) for name, of in
                  (("paper_bits", "paper_bits_per_coordinate"), ("wire_bits", "wire_bits_per_coordinate"),
                   ("bytes_sent", "total_bytes"), ("wait_share", "wait_share"))})


def range_of(values: Sequence[float]) -> Spread:
    """Median, least and most; NaN are left out."""
    sample = np.asarray(values, dtype=float)
    sample = sample[~np.isnan(sample)]
    if sample.size == 0:
        return Spread(math.nan, math.nan, math.nan)
    return Spread(median(sample), float(sample.min()), float(sample.max()))


def last(values: np.ndarray) -> float:
    return float(values[-1]) if len(values) else math.nan


# ---- as people read it ---------------------------------------------------------------------------------------------
def figure(value: float, infinite: str = "missed", digits: int = 4) -> str:
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return infinite
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.{digits}g}"


def between(spread: Spread) -> str:
    if math.isnan(spread.low):
        return ""
    return f"{figure(spread.low)}–{figure(spread.high)}"


def ratio(value: float) -> str:
    if math.isnan(value):
        return "—"
    return figure(value, "∞", 3) if math.isinf(value) or value >= 100 or value < 0.1 else f"{value:.2f}"


def ratios(spread: Spread) -> str:
    return "" if math.isnan(spread.low) else f"{ratio(spread.low)}–{ratio(spread.high)}"


def seconds(value: float) -> str:
    return figure(value) + (" s" if math.isfinite(value) else "")


@dataclass(frozen=True)
class Column:
    """A column of the summary: its head, and for a row the figure and what stands small below it."""

    name: str
    unit: str
    cell: Callable[[Row, Table], tuple[str, str]]


def _percent(spread: Spread) -> Spread:
    return Spread(100 * spread.median, 100 * spread.low, 100 * spread.high)


def _bracket(text: str) -> str:
    return f"[{text}]" if text else ""


def _speed_up(row: Row, table: Table) -> tuple[str, str]:
    if table.baseline is row:
        return "1×", "the baseline"
    if row.pairs == 0:
        return "—", "no pairs" if table.baseline else f"no {style.label(BASELINE)} here"
    interval = ratios(row.speed_up)
    pairs = f"{row.pairs} pair{'s' if row.pairs != 1 else ''}"
    return (ratio(row.speed_up.median) + ("×" if math.isfinite(row.speed_up.median) else ""),
            f"{_bracket(interval)} {pairs}" if interval else f"{pairs}: no interval")


def _accuracy(row: Row, _: Table) -> tuple[str, str]:
    spread = _percent(row.test_accuracy)
    return (f"{spread.median:.1f} %", _bracket(f"{spread.low:.1f}–{spread.high:.1f}")) if spread.median >= 0 else ("—", "")


def _bits(row: Row, _: Table) -> tuple[str, str]:
    if math.isnan(row.wire_bits):
        return "—", ""
    return f"{row.wire_bits:.2f}", f"{row.paper_bits:.4g} in the paper; {row.bytes_sent / 1e6:.4g} MB a run"


def _reached(row: Row, _: Table) -> tuple[str, str]:
    left_out = len(row.runs) - len(row.counted)
    return f"{row.reached} of {len(row.runs)}", f"{left_out} left out" if left_out else ""


COLUMNS = (
    Column("Time to target", "median [least–most]", lambda row, _: (seconds(row.time.median), _bracket(between(row.time)))),
    Column(f"Speed-up over {style.label(BASELINE)}", "median [95 % interval]", _speed_up),
    Column("Final loss", "median [least–most]",
           lambda row, _: (figure(row.final_loss.median), _bracket(between(row.final_loss)))),
    Column("Test accuracy", "median [least–most]", _accuracy),
    Column("Bits on the wire", "a coordinate", _bits),
    Column("Reached", "runs", _reached),
)


def to_markdown(table: Table) -> str:
    target = "no target" if math.isnan(table.target) else f"target: loss {figure(table.target)}"
    heads = ["Algorithm"] + [f"{c.name} ({c.unit})" for c in COLUMNS]
    lines = [heads, ["---"] * len(heads)]
    lines += [[row.label] + [" ".join(filter(None, c.cell(row, table))) for c in COLUMNS] for row in table.rows]
    body = "\n".join("| " + " | ".join(map(markdown_text, line)) + " |" for line in lines)
    return f"{markdown_text(table.label)}; {target}\n\n{body}\n"


def markdown_text(text: str) -> str:
    """A trace's text is data: no markup, no new cells or lines."""
    for sign, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("`", "\\`"), ("[", "\\["), ("]", "\\]")):
        text = text.replace(sign, instead)
    return " ".join(text.split())
