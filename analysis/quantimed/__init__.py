# SPDX-License-Identifier: BSD-3-Clause
"""Traces of quantimed in Python: `import quantimed; study = quantimed.read("runs/mine")`, then `quantimed.runs(study)`,
`curves`, `classes`, `rounds` and `network` as data frames of pandas, with units in their `attrs`."""
from .frames import by_name, classes, curves, edges, network, rounds, runs, units
from .traces import ReportError as ReportError
from .traces import Run, Skipped, Study
from .traces import load_study as read

__all__ = ["ReportError", "Run", "Skipped", "Study", "by_name", "classes", "curves", "edges", "network", "read", "rounds", "runs", "units"]
