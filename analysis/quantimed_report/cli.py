# SPDX-License-Identifier: BSD-3-Clause
"""quantimed-report: the command line."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from command_line import Parser

if TYPE_CHECKING:  # not before it is known that all packages are here
    from quantimed.traces import Run, Study

DONE, INTERNAL_ERROR, BAD_INPUT = 0, 1, 2
PACKAGES = {name: f"python3-{name}" for name in ("h5py", "numpy", "matplotlib", "jinja2", "markupsafe")}
QUIET_SECONDS = 2.0


def target_losses(text: str) -> list[float]:
    values = []
    for part in text.split(","):
        try:
            values.append(float(part))
        except ValueError:
            values.append(math.nan)
        if not (math.isfinite(values[-1]) and values[-1] > 0):
            raise argparse.ArgumentTypeError(f"'{part}' is no loss; give numbers above 0, for instance 2,1.8,0.5")
    return values


def inches(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1 <= value <= 40:
        raise argparse.ArgumentTypeError(f"'{text}' is no width; give inches from 1 to 40, for instance 3.5 or 6.5")
    return value


def parser() -> argparse.ArgumentParser:
    made = Parser(
        prog="quantimed-report",
        description="Turns folders of quantimed's traces into figures, tables and a page to browse: index.html needs no "
                    "network and starts with who was fastest. Runs that are INVALID, diverged or unfinished are listed, "
                    "never averaged in.",
        epilog="Exit status: 0 done, 1 a figure failed, 2 bad usage or input.")
    made.add_argument("study", nargs="+", metavar="STUDY_DIR", type=Path,
                      help="what `quantimed compare`, `scale` or `predict` wrote; folders below it are read too")
    made.add_argument("--output", metavar="DIR", type=Path, help="where to write [STUDY_DIR/report]")
    made.add_argument("--perfetto", metavar="FILE.json", type=Path,
                      help="also write a run's timeline for Perfetto or chrome://tracing")
    made.add_argument("--otf2", metavar="FOLDER", type=Path, help="also write it as an OTF2 archive, for Vampir or Scalasca")
    made.add_argument("--run", metavar="NAME", help="which run: its trace's file name [the first that counts]")
    made.add_argument("--target", metavar="LOSS,LOSS", type=target_losses, default=[],
                      help="the losses that times are compared at [--target-loss of the runs, or 50, 75, 90, 95 and 99 %% "
                           "of the fall from the start to the best loss of any run]")
    made.add_argument("--no-pdf", action="store_true", help="figures as PNG alone: faster")
    look = made.add_argument_group("figures for a paper")
    look.add_argument("--only", metavar="NAME,NAME", default=[], type=lambda text: text.split(","),
                      help="these figures, by the names of their files, as curves-time")
    look.add_argument("--width", metavar="INCHES", type=inches, help="of a figure [3.5, or that of --style]")
    look.add_argument("--font", metavar="FAMILY", help="serif, sans-serif or the name of a font")
    look.add_argument("--style", metavar="FILE.mplstyle", type=Path, help="settings of matplotlib's that win over the report's own")
    look.add_argument("--no-title", action="store_true", help="no titles within figures; their captions stand in the page")
    return made


class ProgressLine:
    """One line on a terminal, once it has taken long enough to wonder."""

    def __init__(self) -> None:
        self.start, self.shown = time.monotonic(), False

    def show(self, text: str) -> None:
        if sys.stderr.isatty() and time.monotonic() - self.start > QUIET_SECONDS:
            sys.stderr.write(f"\r\x1b[K{text} …")
            sys.stderr.flush()
            self.shown = True

    def clear(self) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")


def main(argv: Sequence[str] | None = None) -> int:
    options = parser().parse_args(argv)
    try:
        import numpy  # noqa: F401  before h5py, which fails without it in words of its own
        from quantimed.traces import ReportError  # the first to need packages that may not be here
        try:
            return _report(options)
        except ReportError as error:
            return _say(str(error))
    except ModuleNotFoundError as error:
        name = (error.name or "").split(".")[0]
        if name not in PACKAGES:
            raise
        return _say(f"needs Python's {name} for {sys.executable}; on Debian: apt-get install {PACKAGES[name]}")
    except KeyboardInterrupt:
        return _say("stopped")


def _say(text: str) -> int:
    print(f"quantimed-report: {' '.join(printable(text).split())}", file=sys.stderr)
    return BAD_INPUT


def printable(text: str) -> str:
    """A trace's text without what would steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _report(options: argparse.Namespace) -> int:
    from own_output import may_be_written

    from . import style
    from .otf2_archive import require_writable, write_otf2
    from .perfetto import write_perfetto
    from .report import build_report, chosen_figures
    from quantimed.traces import ReportError, Study, load_study

    if options.run is not None and options.perfetto is None and options.otf2 is None:
        raise ReportError(f"--run {options.run}: is the run that --perfetto or --otf2 draws; add --perfetto FILE.json or --otf2 FOLDER, or leave it out")
    if options.perfetto is not None and not may_be_written(options.perfetto, '{"traceEvents":'):
        raise ReportError(f"--perfetto {options.perfetto}: is not a timeline that this report wrote, and is not replaced; "
                          "name another file")
    if options.otf2 is not None:
        require_writable(options.otf2)
    try:  # before anything that takes long
        style.wear(style.Look(options.width, options.font, options.style, not options.no_title))
    except style.StyleError as error:
        raise ReportError(str(error)) from None
    chosen_figures(options.only)

    warnings.filterwarnings("ignore", message="Glyph")  # a data set's name in a script that the font has not
    line = ProgressLine()
    studies = []
    for folder in options.study:
        line.show(f"reading {folder}")
        studies.append(load_study(folder))
    study = studies[0]
    if len(studies) > 1:
        if options.output is None:
            raise ReportError("several folders need --output, the folder for the report on all of them")
        study = Study(_common_folder(options.study), [run for one in studies for run in one.runs],
                      [skipped for one in studies for skipped in one.skipped])
    report = build_report(study, options.output or options.study[0] / "report", not options.no_pdf, line.show,
                          options.target, options.only)
    if options.perfetto is not None:
        line.show("timeline")
        write_perfetto(_chosen(study, f"--perfetto {options.perfetto}", options.run), options.perfetto)
    if options.otf2 is not None:
        line.show("OTF2 archive")
        write_otf2(_chosen(study, f"--otf2 {options.otf2}", options.run), options.otf2)
    line.clear()
    print(printable(f"{report.page}: {count_of(report.counted, 'run')} counted, {report.left_out} left out, {count_of(report.drawn, 'figure')}. "
                    f"{report.sentence}"))
    for failure in report.failed:
        print(f"quantimed-report: figure {printable(failure)}", file=sys.stderr)
    return INTERNAL_ERROR if report.failed else DONE


def count_of(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _common_folder(folders: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([folder.resolve() for folder in folders]))


def _chosen(study: Study, option: str, name: str | None) -> Run:
    from quantimed.traces import ReportError

    chosen = [run for run in study.runs if (run.counts if name is None else name in (run.name, run.path.name))]
    if not chosen:
        asked = "no run counts" if name is None else f"--run {name}: no such run in this study"
        raise ReportError(f"{option}: {asked}; name one with --run, for instance {study.runs[0].path.name}")
    return chosen[0]


def program() -> None:
    """As `pip install` calls it."""
    from whole_output import end_with
    end_with(main)
