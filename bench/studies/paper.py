# SPDX-License-Identifier: BSD-3-Clause
"""The paper, repeated: runs its studies, judges its claims, writes results/paper.md."""
from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from command_line import Parser
from own_output import may_be_written

from .claims import OURS, Claim, all_claims
from .cli import report
from .effects import Table, all_tables
from .fairness import worse_than_best
from .ledger import Ledger, explain
from .runner import BAD_INPUT, INTERRUPTED, Job, Outcome, execute, find_program, only_user_of, plan, write_plan
from .study_file import Study, StudyError, parse_seeds, read_study
from .traces import Results, read_trace
from .tuning import finals_of, ranking

TITLE = "# The paper's claims, run again"  # the first line of what is written
EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
# In the order of the report. The quick form leaves out what is no claim's, or costs most.
STUDIES = ("mnist", "cifar10-two-class", "imagenet-two-class", "four-layers", "mnist-tuned", "cifar10-tuned",
           "imagenet-tuned", "four-layers-tuned", "batch", "averaging-machine", "averaging-real", "modulo", "quantizer-steps",
           "quantizers", "link", "nodes", "partitions", "activations", "mnist-tune", "cifar10-tune", "imagenet-tune",
           "four-layers-tune")
QUICK = ("mnist", "cifar10-two-class", "imagenet-two-class", "four-layers", "imagenet-tuned", "batch", "averaging-machine",
         "averaging-real", "modulo", "quantizers")


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="bench/paper", description="Repeats the experiments of the paper in bench/experiments, and says for each "
        "published claim what was found. Stopped, it goes on where it was. Exit status as of bench/study.")
    p.add_argument("--quick", action="store_true", help="shorter horizons, fewer settings: minutes")
    p.add_argument("--trace", metavar="S3", help="say where a number of the report comes from, and stop")
    p.add_argument("--studies", metavar="NAME,NAME", help="only these; claims without their studies are not judged")
    p.add_argument("--seeds", help="instead of 1-3 (tuning keeps its own)")
    p.add_argument("--runs", type=Path, metavar="FOLDER", help="traces [runs/paper, quick: runs/paper-quick]")
    p.add_argument("--output", type=Path, metavar="FILE.md", help="[results/paper.md, quick: results/paper-quick.md]")
    p.add_argument("--jobs", type=int, metavar="N", default=len(os.sched_getaffinity(0)), help="runs at a time")
    p.add_argument("--report-only", action="store_true", help="run nothing: report on the traces that are there")
    return p


def calibrated(program: Path, folder: Path) -> Path:
    """This machine's costs, measured once, alone."""
    machine = folder / "machine.ini"
    if not machine.exists():
        command = [str(program), "calibrate", "--dataset", "mnist", "--quiet", "--output", str(machine)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise StudyError(f"averaging-machine: {done.stderr.strip() or 'calibrate failed'}")
    return machine


def load(args: argparse.Namespace, folder: Path, program: Path) -> list[Study]:
    names = [n.strip() for n in args.studies.split(",")] if args.studies else list(QUICK if args.quick else STUDIES)
    studies = []
    for name in names:
        if name not in STUDIES:
            raise StudyError(f"--studies {name}: not one of {', '.join(STUDIES)}")
        study = read_study(EXPERIMENTS / f"{name}.ini", args.quick)
        if "machine" in study.sections[""]:
            study.sections[""]["machine"] = str(calibrated(program, folder))
        studies.append(study)
    return studies


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def markdown_table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["", "| " + " | ".join(map(cell, head)) + " |", "|" + "---|" * len(head),
            *("| " + " | ".join(map(cell, row)) + " |" for row in rows), ""]


def claim_section(number: int, claim: Claim, at: Path) -> list[str]:
    lines = [f"## {number}. “{claim.title}”: {claim.finding}", "", f"Setting: {claim.setting}.", "",
             f"Rule: {claim.rule}.", *markdown_table(claim.head, claim.rows)]
    if claim.remark:
        lines += [claim.remark, ""]
    for figure in claim.figures:
        lines += [f"![{claim.title}: {figure.stem}]({figure.relative_to(at.parent)})", ""]
    return lines


def compose(claims: list[Claim], tables: list[Table], at: Path, facts: str, distrust: list[str]) -> str:
    lines = [TITLE, "", facts, "",
             "Each figure is a median over seeds, each ratio paired by seed. [a–b] is the range of up to five seeds, from six "
             "on an interval that holds the true median with 95 % or more; *missed*: the target was not reached in the time of the runs. "
             "Of two runs that both missed it nothing is known; they speak for nobody. "
             "[S…] says where a figure comes "
             f"from: `bench/paper --trace S3{' --quick' if at.stem.endswith('quick') else ''}`.",
             "Where two figures stand with / between them, the first is on the clock that charges the paper's bits, the second "
             "on the one that charges the wire's. *Paper* bits charge s bits a coordinate, *wire* bits every bit that was sent. *Published* steps are those of "
             "the authors' experiments; *tuned* ones come from the same number of trials for every algorithm.",
             *markdown_table(["", "claim", "finding", "why"],
                             [[str(k), c.title, f"**{c.finding}**", c.found] for k, c in enumerate(claims, 1)])]
    for number, claim in enumerate(claims, 1):
        lines += claim_section(number, claim, at)
    lines += ["# Effects of single settings", ""]
    for table in tables:
        lines += [f"## {table.title}", "", table.text, *markdown_table(table.head, table.rows)]
    return "\n".join(lines + distrust)


def facts(jobs: dict[str, list[Job]], outcome: Outcome, quick: bool, studies: str = "", output: Path | None = None) -> str:
    every = {job.path: job for found in jobs.values() for job in found}
    commits = sorted({read_trace(path).commit for path in every})
    machines = sorted({read_trace(path).machine for path in every})
    form = "`make paper QUICK=1`: short horizons and few settings, a smoke test more than a finding" if quick else "`make paper`"
    if studies:
        form = f"`bench/paper --studies {studies}{' --quick' if quick else ''}{f' --output {output}' if output else ''}`"
    time_text = f" in {outcome.seconds:.0f} s" if outcome.ran and not outcome.kept else ""
    return (f"Made by {form}: {len(every)} runs{time_text}, program at commit {', '.join(commits)}, on {'; '.join(machines)}. 50 nodes in virtual "
            f"time unless said otherwise; {OURS} is the paper's.")


def distrusted(jobs: dict[str, list[Job]]) -> list[str]:
    """Runs that diverged or whose verdict is not VALID: they are in the figures, so a reader must know of them."""
    lines: dict[str, int] = {}
    for job in {job.path: job for found in jobs.values() for job in found}.values():
        trace = read_trace(job.path)
        if trace.status != "complete" or trace.verdict != "VALID":
            why = re.sub(r"\d+", "some", trace.verdict.partition(";")[0])
            setting = "".join(f" {k}={v}" for k, v in job.run.setting.items())
            key = f"{job.run.study}, {job.run.algorithm}{setting}: {trace.status}, {why}"
            lines[key] = lines.get(key, 0) + 1
    if not lines:
        return ["# Runs to distrust", "", "None: every run is complete and VALID.", ""]
    return ["# Runs to distrust", "", *(f"- {key} ({count} runs)" for key, count in lines.items()), ""]


def check_steps(studies: list[Study], results: Results) -> None:
    """Refuses to judge steps that are not the best of the trials that are said to have chosen them, where these are here."""
    for study in studies:
        tuning = Path(study.text("tuned-by"))
        if results.has(tuning.stem):
            best = {algorithm: finals[0].trial.steps for algorithm, finals in ranking(results, tuning.stem).items() if finals}
            if text := worse_than_best(study, tuning.name, best):
                raise StudyError(f"{study.path}: {text}")


def repeat(args: argparse.Namespace) -> int:
    output: Path = args.output or Path("results/paper-quick.md" if args.quick else "results/paper.md")
    sources = output.with_suffix("") / "sources.json"
    if args.trace:
        print(explain(sources, args.trace))
        return 0
    if not may_be_written(output, TITLE):
        raise StudyError(f"--output {output}: is not a page that bench/paper wrote, and is not replaced; name another file")
    if args.jobs < 1:
        raise StudyError(f"--jobs {args.jobs}: give 1 or more")
    from .plots import draw  # not before the command line was good; before the work, which a missing matplotlib would lose

    folder: Path = args.runs or Path("runs/paper-quick" if args.quick else "runs/paper")
    seeds = parse_seeds(args.seeds, "--seeds") if args.seeds else None
    program, begin = find_program(), time.monotonic()
    with only_user_of(folder):
        studies = load(args, folder, program)
        jobs = plan([(s, s.runs(None if s.name.endswith("-tune") else seeds)) for s in studies], folder, program)
        for study in studies:
            write_plan(study, jobs[study.name], folder)
        outcome = Outcome()
        tunings = [study for study in studies if study.text("finals")]

        def run(names: list[str]) -> bool:
            if args.report_only:
                return True
            outcome.add(execute([job for name in names for job in jobs[name]], program, args.jobs, True))
            return not outcome.exit_status

        # Steps that are not the best of their trials are not judged; so the trials are first.
        finals = run([study.name for study in tunings])
        if finals and tunings:
            again = [finals_of(study, Results(jobs)) for study in tunings]
            jobs |= plan(again, folder, program)
            for study, _ in again:
                write_plan(study, jobs[study.name], folder)
            finals = run([study.name for study, _ in again])
        if finals:
            check_steps(studies, Results(jobs))
            run([study.name for study in studies if study not in tunings])
        report(outcome, folder)
        if outcome.exit_status:
            return outcome.exit_status
        results, ledger = Results(jobs, {study.name: study.targets() for study in studies}), Ledger()
        claims, tables = all_claims(results, ledger), all_tables(results, ledger)
        try:
            sources.parent.mkdir(parents=True, exist_ok=True)
            draw(claims, results, sources.parent)
            output.write_text(compose(claims, tables, output, facts(jobs, outcome, args.quick, args.studies, args.output),
                                      distrusted(jobs)) + "\n", encoding="utf-8")
            ledger.write(sources)
        except OSError as error:
            raise StudyError(f"{output}: {error.strerror}; choose another --output") from None
    for number, claim in enumerate(claims, 1):
        print(f"{number}. {claim.title}: {claim.finding}\n   {claim.found}")
    print(f"{output} after {time.monotonic() - begin:.0f} s")
    return 0


def main(argv: list[str]) -> int:
    try:
        return repeat(parser().parse_args(argv))
    except StudyError as error:
        print(f"paper: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        return 0
    except OSError as error:
        print(f"paper: {error.filename or 'system'}: {error.strerror}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:  # before or after the runs; during them it is execute's
        return INTERRUPTED
