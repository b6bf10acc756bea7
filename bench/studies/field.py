# SPDX-License-Identifier: BSD-3-Clause
"""The field of algorithms head to head: each setting of bench/field tuned and compared, into results/field.md.

The program tunes and compares; here is the order and the cost. field_settings.py has the settings, field_page.py the page.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from command_line import Parser
from own_output import may_be_written

from . import field_exact, field_messages, field_minimises, field_real_time
from . import field_settings as settings
from .field_settings import AMB, SETTINGS, TUNING_SEEDS, Part, is_newest, parts
from .job import release_of
from .processes import Processes, ending_well, minutes
from .runner import READ, contents, find_program, only_user_of
from .study_file import StudyError, read_plain, split_list

BESIDE = {"minimises": field_minimises, "real-time": field_real_time, "exact": field_exact, "messages": field_messages}  # pages of their own, beside the field's
PAGES = ("field", *BESIDE)
SHORT, LONG = 0.1, 0.6  # of a run's time: what is measured before the cost is told


# ---- what is run -----------------------------------------------------------------------------------------------------
def configs(part: Part) -> list[object]:
    return [word for path in part.files for word in ("--config", path)]


def is_done(part: Part, command: str, targets: str) -> bool:
    """The program itself keeps what is complete; to be told so by it takes as long as to read all of its traces."""
    mark = part.folder / f"{part.form}-{command}.done"
    return mark.exists() and mark.read_text(encoding="utf-8") == stamp(part, targets)


def stamp(part: Part, targets: str) -> str:
    """All that decides the bits: program, data, options."""
    program = find_program()
    names = {"dataset": "fashion-mnist"} | part.options
    data = contents(program, tuple(f"--{name}={names[name]}" for name in READ if name in names))
    return json.dumps([str(release_of(program)), data, part.options, targets, TUNING_SEEDS, part.seeds], sort_keys=True)


def tune(part: Part, targets: str, processes: Processes) -> None:
    if is_done(part, "tune", targets):
        return
    given = ["--target-loss", targets] if targets else []
    processes.call(f"{part.setting}: tune", ["tune", *configs(part), *given, "--seeds", TUNING_SEEDS, "--threads", 1,
                                             "--output", part.tune, "--quiet"])
    (part.folder / f"{part.form}-tune.done").write_text(stamp(part, targets), encoding="utf-8")


def compare(part: Part, targets: str, processes: Processes) -> None:
    if is_done(part, "compare", targets):
        return
    processes.call(f"{part.setting}: compare", ["compare", "--config", part.tune / "tuned.ini", "--one-setting", "--seeds",
                                                part.seeds, "--threads", 1, "--output", part.compare, "--quiet"])
    (part.folder / f"{part.form}-compare.done").write_text(stamp(part, targets), encoding="utf-8")


def targets_of(part: Part) -> str:
    """What `tune` chose from its own runs, before any run that is judged."""
    for line in read_plain(part.tune / "tuned.ini").splitlines():
        if line.startswith("target-loss = "):
            return line.partition(" = ")[2]
    raise StudyError(f"{part.tune}/tuned.ini: has no target-loss; remove the folder and start again")


# ---- what it costs -------------------------------------------------------------------------------------------------
def measure(part: Part, processes: Processes) -> tuple[float, float]:
    """Processor time to start and load the data, and of a run in the mean over the algorithms: a straight line through
    short comparisons."""
    with tempfile.TemporaryDirectory() as scratch:
        def short(share: float, seeds: str) -> float:
            arguments = ["compare", *configs(part), "--seeds", seeds, "--max-time", share * float(part.options["max-time"]),
                         "--threads", 1, "--quiet", "--output", Path(scratch) / f"{share}-{seeds}"]
            return processes.call(f"{part.setting}: a short run", arguments)

        once, twice, longer = short(SHORT, "1"), short(SHORT, "1-2"), short(LONG, "1")
    seed = max(twice - once, 0.1 * once)
    whole = seed + max(0.0, longer - once) * (1 - SHORT) / (LONG - SHORT)
    return max(0.0, once - seed), whole / sum(2 if is_newest(name) else 1 for name in part.algorithms)


def reckon(found: Sequence[Part], folder: Path, jobs: int, processes: Processes) -> dict[str, float]:
    """Processor seconds by part, measured once for each kind and kept. Who holds which samples, the graph and the speeds make no
    new kind, and neither does a deadline: their runs cost about what their setting's do."""
    file = folder / "cost.json"
    known = json.loads(file.read_text()) if file.exists() else {}

    def kind(part: Part) -> str:
        options = {name: value for name, value in part.options.items() if name not in ("partition", "graph", "speed")}
        return json.dumps([str(release_of(find_program())), options], sort_keys=True)

    kinds = {part.setting: kind(part) for part in found if part.form == "field"}
    new = {key: next(p for p in found if p.form == "field" and kinds[p.setting] == key) for key in kinds.values() if key not in known}
    with ThreadPoolExecutor(jobs) as pool:
        known |= zip(new, pool.map(lambda part: measure(part, processes), new.values()))
    file.write_text(json.dumps(known, indent=1))
    each = {setting: known[key] for setting, key in kinds.items()}
    return {f"{part.setting} {part.form}": 2 * each[part.setting][0] + part.runs * each[part.setting][1] for part in found}


class Meter:
    """How much is done, counted in traces, and how long the rest may take at the pace so far."""

    def __init__(self, found: Sequence[Part], cost: dict[str, float], jobs: int) -> None:
        self.parts, self.cost, self.jobs = list(found), cost, jobs
        self.start, self.first = time.monotonic(), self.finished()
        self.total, self.runs = sum(cost.values()), sum(part.runs for part in found)

    def finished(self) -> float:
        return sum(self.cost[f"{p.setting} {p.form}"] * min(1.0, p.done / p.runs) for p in self.parts)

    def text(self) -> str:
        now, passed = self.finished(), time.monotonic() - self.start
        pace = (now - self.first) / passed if passed > 5 and now > self.first else self.jobs
        done = sum(min(part.done, part.runs) for part in self.parts)
        return f"{done} of {self.runs} runs, {minutes(passed)}, about {minutes((self.total - now) / pace)} left"


def execute(found: Sequence[Part], cost: dict[str, float], jobs: int, processes: Processes) -> None:
    """A setting's commands one after the other, settings beside each other, the longest first."""
    meter = Meter(found, cost, jobs)
    tty = sys.stderr.isatty()

    def tell(text: str) -> None:
        print(f"{chr(13) + chr(27) + '[K' if tty else ''}{text} ({meter.text()})", file=sys.stderr, flush=True)

    def chain(setting: str) -> None:
        own = [part for part in found if part.setting == setting]
        for part in own:
            targets = "" if part.form == "field" else targets_of(own[0])
            tune(part, targets, processes)
            tell(f"{setting}{' with a deadline' if part.form == 'deadline' else ''}: tuned")
            compare(part, targets, processes)
            tell(f"{setting}{' with a deadline' if part.form == 'deadline' else ''}: compared")

    names = list(dict.fromkeys(part.setting for part in found))
    names.sort(key=lambda name: -sum(cost[f"{p.setting} {p.form}"] for p in found if p.setting == name))
    with ThreadPoolExecutor(jobs) as pool:
        chains = [pool.submit(chain, name) for name in names]
        while not all(one.done() for one in chains):
            time.sleep(0.5)
            if failed := next((one for one in chains if one.done() and one.exception()), None):
                processes.stop()
                first = failed.exception()
                assert first
                raise first
            if tty:
                print(f"\r\033[K{meter.text()}"[:118], end="", file=sys.stderr, flush=True)
        for one in chains:
            one.result()
    if tty:
        print("\r\033[K", end="", file=sys.stderr)


# ---- the command line ----------------------------------------------------------------------------------------------
def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="bench/field/run", name="field", description="The field of algorithms head to head: every setting of bench/field is tuned with "
        "the same number of trials for each algorithm, then compared on other seeds at equal time. Virtual time: the same bits on "
        "every machine with the same build. Stopped, the same command continues. "
        "Exit status: 0 done, 1 a run failed, 2 bad input, 75 stopped by a signal.")
    p.add_argument("--quick", action="store_true", help="two small settings, few algorithms: minutes, and no finding")
    p.add_argument("--settings", metavar="NAME,NAME", help=f"only these of {', '.join(SETTINGS)}")
    p.add_argument("--pages", metavar="NAME,NAME", help=f"only these of {', '.join(PAGES)} [all; with --settings: field]")
    p.add_argument("--runs", type=Path, metavar="FOLDER", help="traces [runs/field, quick: runs/field-quick]")
    p.add_argument("--output", type=Path, metavar="FILE.md",
                   help="[results/field.md; quick, or not all settings: field.md in --runs]")
    p.add_argument("--jobs", type=int, metavar="N", default=len(os.sched_getaffinity(0)),
                   help="settings at a time [the cores allowed]")
    p.add_argument("--cost", action="store_true", help="say what it would cost, and stop")
    p.add_argument("--report-only", action="store_true", help="run nothing: report on the runs that are there")
    return p


def chosen(args: argparse.Namespace) -> list[str]:
    every = settings.QUICK if args.quick else SETTINGS
    names = split_list(args.settings) if args.settings else list(every)
    for name in names:
        if name not in every:
            raise StudyError(f"--settings {name}: not one of {', '.join(every)}")
    if set(names) <= set(AMB):
        raise StudyError(f"--settings {args.settings}: give at least one beside {' and '.join(AMB)}")
    return list(dict.fromkeys(names))


def chosen_pages(args: argparse.Namespace) -> list[str]:
    names = split_list(args.pages) if args.pages else ["field"] if args.settings else list(PAGES)
    for name in names:
        if name not in PAGES:
            raise StudyError(f"--pages {name}: not one of {', '.join(PAGES)}")
    return list(dict.fromkeys(names))


def say_cost(found: Sequence[Part], cost: dict[str, float], jobs: int) -> None:
    total = sum(cost.values())
    for part in found:
        print(f"  {part.setting:20} {part.form:9} {len(part.algorithms):3} algorithms {part.runs:5} runs "
              f"{minutes(cost[f'{part.setting} {part.form}']):>7} of a core", file=sys.stderr)
    print(f"{sum(part.runs for part in found)} runs: about {minutes(total / jobs)} on {jobs} quiet core{'s' * (jobs > 1)}, "
          "reckoned from short runs", file=sys.stderr, flush=True)


def run_beside(name: str, folder: Path, output: Path, args: argparse.Namespace, processes: Processes) -> None:
    """A page of its own: name it and its traces after the field's."""
    made = BESIDE[name]
    if not args.report_only:
        begin = time.monotonic()
        made.run(folder / name, args.quick, args.jobs, processes)
        print(f"{name}: all runs done after {minutes(time.monotonic() - begin)}", file=sys.stderr)
    made.write_page(folder / name, args.quick, output)
    print(output)


def run_field(args: argparse.Namespace, processes: Processes) -> int:
    from .field_page import TITLE, write_page  # matplotlib is slow to load, and --help does not need it

    if args.jobs < 1:
        raise StudyError(f"--jobs {args.jobs}: give 1 or more")
    names, pages = chosen(args), chosen_pages(args)
    folder: Path = args.runs or Path("runs/field-quick" if args.quick else "runs/field")
    is_whole = not args.quick and names == list(SETTINGS)
    output: Path = args.output or (Path("results/field.md") if is_whole else folder / "field.md")
    if not may_be_written(output, TITLE):
        raise StudyError(f"--output {output}: is not a page that bench/field/run wrote, and is not replaced; name another file")
    beside = {name: output.with_name(f"{output.stem}-{name}.md") for name in pages if name != "field"}
    for name, path in beside.items():
        if not may_be_written(path, BESIDE[name].TITLE):
            raise StudyError(f"{path}: is not a page that bench/field/run wrote, and is not replaced; name another --output")
    with only_user_of(folder):
        if "field" in pages:
            found = parts(names, args.quick, folder)
            if not args.report_only:
                cost = reckon(found, folder, args.jobs, processes)
                say_cost(found, cost, args.jobs)
                if args.cost:
                    return 0
                begin = time.monotonic()
                execute(found, cost, args.jobs, processes)
                print(f"all runs done after {minutes(time.monotonic() - begin)}", file=sys.stderr)
            write_page(found, output, args.quick, names)
            print(output)
        for name, path in beside.items():
            run_beside(name, folder, path, args, processes)
    return 0


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    return ending_well("field", lambda processes: run_field(args, processes))
