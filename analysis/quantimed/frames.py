# SPDX-License-Identifier: BSD-3-Clause
"""Data frames of a study. Columns have the names that the report's tables have; a column's unit is in
`frame.attrs["units"]`, as the trace says it: "s", "bytes", "samples", "1" for what has none.

Every run that can be read has rows, those that do not count among them: `runs` says in `why_not` what is wrong with one,
and is empty there for those that may be averaged.
"""
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np

from .traces import BOTH_CLOCKS, ENERGY, PROGRESS, ReportError, Run, Study, load_study

if TYPE_CHECKING:
    import pandas

Source = Union[str, Path, Study, Run, Iterable[Run]]

IDENTITY = ("file", "algorithm", "engine", "dataset", "nodes", "seed")
# As the trace has it, and as tables do.
NAMES = {"total_bytes": "bytes_sent", "final_test_accuracy": "test_accuracy", "resumptions": "times_resumed"}
# Of /summary, which has no units of its own: by the end of the name.
ENDINGS = {"_s": "s", "_bytes": "bytes", "bytes_sent": "bytes", "_samples": "samples", "mean_batch": "samples", "iterations": "iterations",
           "overwritten_messages": "messages", "dropped_messages": "messages", "bits_per_coordinate": "bits", "bits_of_a_vector": "bits",
           "_j": "J", "cycles": "cycles", "instructions": "instructions", "cache_misses": "misses"}


def _frame(columns: dict[str, object], units: dict[str, str]) -> pandas.DataFrame:
    try:
        import pandas
    except ModuleNotFoundError:
        raise ReportError("data frames need Python's pandas: apt-get install python3-pandas, or pip install pandas") from None
    frame = pandas.DataFrame(columns)
    frame.attrs["units"] = {name: units[name] for name in frame.columns if name in units}
    return frame


def runs_of(source: Source) -> list[Run]:
    if isinstance(source, (str, Path)):
        return load_study(Path(source)).runs
    if isinstance(source, Run):
        return [source]
    return list(source.runs if isinstance(source, Study) else source)


def by_name(source: Source, name: str) -> Run:
    """The run whose trace is called so, with or without .h5."""
    found = [run for run in runs_of(source) if name in (run.name, run.path.name)]
    if len(found) != 1:
        raise ReportError(f"{name}: {'several runs have this name' if found else 'no run of this name'}")
    return found[0]


def identity(run: Run) -> dict[str, object]:
    return {"file": run.path.name, "algorithm": run.algorithm, "engine": run.engine, "dataset": run.dataset, "nodes": run.nodes,
            "seed": run.seed}


def unit_of(name: str) -> str:
    return next((unit for ending, unit in ENDINGS.items() if name.endswith(ending)), "1")


def runs(source: Source, options: bool = False) -> pandas.DataFrame:
    """A row a run: how it ended, and all figures of its summary. options: its options, too, as `option.NAME`."""
    rows = []
    for run in runs_of(source):
        figures = {NAMES.get(name, name): value for name, value in run.summary.items()}
        row = identity(run) | {"status": run.status, "verdict": run.verdict, "why_not": run.why_not, "created": run.created,
                               "software_version": run.software_version, "commit": run.commit} | figures
        if options:
            row |= {f"option.{name}": value for name, value in run.config.items() if name != "ini"}
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name, np.nan) for row in rows] for name in names}
    numbers = {name for row in rows for name, value in row.items() if isinstance(value, (int, float)) and not isinstance(value, bool)}
    return _frame(columns, {name: unit_of(name) for name in numbers if not name.startswith("option.") and name not in IDENTITY})


def curves(source: Source) -> pandas.DataFrame:
    """A row a point of a run's curve. `time_s` is the run's own clock; the clocks of both ways to charge bits, and `energy_j`,
    where it has them."""
    return _long([(run, {"time_s" if name == "time" else f"{name}_s" if name in BOTH_CLOCKS else name: run.progress[name]
                         for name in (*PROGRESS, *BOTH_CLOCKS, ENERGY) if name in run.progress}) for run in runs_of(source)],
                 {"iteration": "iterations", "time_s": "s", ENERGY: "J"} | {f"{name}_s": "s" for name in BOTH_CLOCKS} | {name: "1" for name in PROGRESS[2:]})


def classes(source: Source) -> pandas.DataFrame:
    """A row for each class at each point of a run's curve: its accuracy, on the test set or, where `set` says so, the training
    set, and over how many samples. Runs without classes have no rows."""
    parts = []
    for run in runs_of(source):
        if not (found := run.classes()):
            continue
        points, count = found["accuracy"].shape
        point, label = np.repeat(np.arange(points), count), np.tile(found["label"], points)
        parts.append((run, {"iteration": run.progress["iteration"][point], "time_s": run.progress["time"][point],
                            "set": np.repeat(run.classes_of(), points * count), "label": label,
                            "samples": np.tile(found["samples"], points), "accuracy": found["accuracy"].reshape(-1)}))
    return _long(parts, {"iteration": "iterations", "time_s": "s", "label": "1", "samples": "samples", "accuracy": "1"})


def rounds(source: Source, columns: Iterable[str] = ()) -> pandas.DataFrame:
    """A row for each iteration that a node did: all columns of /rounds, or these. One run of 1,000 iterations of 50 nodes has
    50,000 rows, so choose the runs of a large study first."""
    parts, found_units = [], {"node": "node", "iteration": "iterations"}
    for run in runs_of(source):
        own = units(run, "rounds")
        names = [name for name in own if not columns or name in columns]
        if missing := set(columns) - set(names):
            raise ReportError(f"{run.path}: /rounds has no {', '.join(sorted(missing))}; it has {', '.join(own)}")
        did = ~np.isnan(run.rounds("batch"))  # NaN: the node did not get so far
        tables = {name: run.rounds(name) for name in names}
        iteration, node = np.nonzero(did)
        parts.append((run, {"iteration": iteration, "node": node} | {name: table[did] for name, table in tables.items()}))
        found_units |= {name: own[name] for name in names}
    return _long(parts, found_units)


def network(source: Source) -> pandas.DataFrame:
    """A row a run: what its graph is, and how fast it mixes."""
    rows = [identity(run) | {"graph": run.config.get("graph", ""), "mixing": run.config.get("mixing", "")} | run.network for run in runs_of(source)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _frame({name: [row.get(name, np.nan) for row in rows] for name in names}, {"beta": "1", "spectral_gap": "1"})


def edges(source: Source) -> pandas.DataFrame:
    """A row an entry of W that is not 0: `from_node` and `to_node` are equal on its diagonal. An edge without direction is there
    once."""
    parts = []
    for run in runs_of(source):
        pairs, weights, own = run.edges()
        nodes = np.arange(run.nodes)
        parts.append((run, {"from_node": np.concatenate([pairs[:, 0], nodes]), "to_node": np.concatenate([pairs[:, 1], nodes]),
                            "weight": np.concatenate([weights, own])}))
    return _long(parts, {"weight": "1"})


def units(run: Run, group: str) -> dict[str, str]:
    """Name and unit of each column of a trace's group: progress, rounds, timeline."""
    return run.units(group)


def _long(parts: list[tuple[Run, dict[str, np.ndarray]]], units: dict[str, str]) -> pandas.DataFrame:
    """Below each other, each with its run's identity in front."""
    names = list(dict.fromkeys(name for _, columns in parts for name in columns))
    out: dict[str, object] = {}
    lengths = [len(next(iter(columns.values()))) for _, columns in parts]
    for name in IDENTITY:
        values = np.array([identity(run)[name] for run, _ in parts])
        out[name] = np.repeat(values, lengths) if parts else []
    for name in names:
        out[name] = np.concatenate([columns.get(name, np.full(length, np.nan)) for (_, columns), length in zip(parts, lengths)])
    return _frame(out, units)
