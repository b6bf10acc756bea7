# SPDX-License-Identifier: BSD-3-Clause
"""The summary and the runs as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from .statistics import NO_ESTIMATE, Estimate, own_clock
from .tables import OPTIONS, Row, Table, last, own_time


def to_csv(rows: Sequence[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _csv_value(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _csv_value(value: object) -> object:
    if isinstance(value, float) and math.isnan(value):
        return ""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):  # spreadsheets would carry it out
        return "'" + value
    return value


def summary_rows(found: Sequence[Table]) -> list[dict[str, object]]:
    """A line for each row of a table, target and clock; one without a target where there is none."""
    return [line for table in found for row in table.rows
            for target, clock in [(t, c) for t in table.targets for c in table.judged.clocks] or [(math.nan, "")]
            if math.isnan(target) or row.entry(target) for line in [_summary_row(table, row, target, clock)]]


def _summary_row(table: Table, row: Row, target: float, clock: str) -> dict[str, object]:
    row = row.at(target)
    first, counts = row.runs[0], table.judged.row(row.label, target)
    raced = not math.isnan(target)
    entry = row.entry(target, clock) if raced else None
    # What runs end with is of the clock that they have their time by; asynchronous ones end elsewhere by another.
    has_end = not raced or clock == table.judged.main_clock
    return {"setting": table.label, "dataset": first.dataset, "engine": first.engine, "nodes": first.nodes,
            "algorithm": row.algorithm, **{name.replace("-", "_"): str(first.config.get(name, "")) for name in OPTIONS},
            "target_loss": target, "clock": clock, "fastest": raced and table.judged.race(target, clock).winner == row.label,
            **_spread("time_to_target_s", entry.time if entry else NO_ESTIMATE),
            "resolved": entry.is_resolved if entry else True, "not_after_s": entry.bound if entry and not entry.is_resolved else math.nan,
            **_spread("speed_up", entry.speed_up if entry else NO_ESTIMATE),
            "energy_to_target_j": entry.energy.median if entry else math.nan,
            "arrived": entry.arrived if entry else 0, **_spread("final_loss", row.estimate("final_loss") if has_end else NO_ESTIMATE),
            **_spread("test_accuracy", row.estimate("test_accuracy") if has_end else NO_ESTIMATE),
            "paper_bits_per_coordinate": row.number("paper_bits"), "wire_bits_per_coordinate": row.number("wire_bits"),
            "bytes_sent": row.number("bytes_sent"), "wait_share": row.number("wait_share"),
            **{name: counts[name] for name in ("counted", "invalid", "diverged", "unfinished", "runs")}}


def _spread(name: str, found: Estimate) -> dict[str, object]:
    """[low, high] is the range of up to five pairs, from six on an interval with this coverage."""
    return {f"{name}_median": found.median, f"{name}_low": found.low, f"{name}_high": found.high,
            f"{name}_coverage": found.coverage or math.nan}


def run_rows(found: Sequence[Table]) -> list[dict[str, object]]:
    return [{"file": str(run.path), "setting": table.label, "algorithm": run.algorithm, "dataset": run.dataset,
             "engine": run.engine, "nodes": run.nodes, "seed": run.seed, "repeat": run.repeat, "status": run.status,
             "verdict": run.verdict, "counted": run.counts, "why_not": run.why_not, "replay": run.replay, "target_loss": table.target,
             "clock": own_clock(run), "time_to_target_s": own_time(table, run), "end_time_s": last(run.progress["time"]),
             "final_loss": last(run.progress["loss"]), "test_accuracy": last(run.progress["test_accuracy"]),
             "bytes_sent": run.number("total_bytes"), "commit": run.commit, "created": run.created}
            for table in found for run in table.listed]
