"""The summary and the runs as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from .statistics import Spread, time_to_target
from .tables import OPTIONS, Table, last


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
    rows = []
    for table in found:
        for row in table.rows:
            first = row.runs[0]
            rows.append({"setting": table.label, "dataset": first.dataset, "engine": first.engine, "nodes": first.nodes,
                         "algorithm": row.algorithm, **{name.replace("-", "_"): str(first.config.get(name, "")) for name in OPTIONS},
                         "target_loss": table.target, **_spread("time_to_target_s", row.time, "min", "max"),
                         **_spread("speed_up", row.speed_up, "low95", "high95"), "pairs": row.pairs,
                         **_spread("final_loss", row.final_loss, "min", "max"),
                         **_spread("test_accuracy", row.test_accuracy, "min", "max"),
                         "paper_bits_per_coordinate": row.paper_bits, "wire_bits_per_coordinate": row.wire_bits,
                         "bytes_sent": row.bytes_sent, "wait_share": row.wait_share, "reached": row.reached,
                         "counted": len(row.counted), "runs": len(row.runs)})
    return rows


def _spread(name: str, spread: Spread, low: str, high: str) -> dict[str, object]:
    return {f"{name}_median": spread.median, f"{name}_{low}": spread.low, f"{name}_{high}": spread.high}


def run_rows(found: Sequence[Table]) -> list[dict[str, object]]:
    return [{"file": str(run.path), "setting": table.label, "algorithm": run.algorithm, "dataset": run.dataset,
             "engine": run.engine, "nodes": run.nodes, "seed": run.seed, "repeat": run.repeat, "status": run.status,
             "verdict": run.verdict, "counted": run.counts, "why_not": run.why_not, "target_loss": table.target,
             "time_to_target_s": time_to_target(run.progress, table.target), "end_time_s": last(run.progress["time"]),
             "final_loss": last(run.progress["loss"]), "test_accuracy": last(run.progress["test_accuracy"]),
             "bytes_sent": run.number("total_bytes"), "commit": run.commit, "created": run.created}
            for table in found for run in table.runs]
