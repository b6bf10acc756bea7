# SPDX-License-Identifier: BSD-3-Clause
"""The studies that are no claim of their own: quantizers, the link, nodes, shards, ReLU, and the tuning."""
from __future__ import annotations

import math
from dataclasses import dataclass, field

from .claims import OURS, RACE_HEAD, race, race_row
from .fairness import Steps, edge, steps_of
from .ledger import Ledger
from .quantizers import variance
from .runner import Job
from .statistics import estimate
from .traces import Results, charged_time, mean_model, read_trace
from .tuning import FINALS, Final, Trial, plateau, ranking, targets_of, trials_of


@dataclass
class Table:
    title: str
    text: str
    head: list[str]
    rows: list[list[str]] = field(default_factory=list)


def summary_cell(jobs: list[Job], ledger: Ledger, name: str, unit: str = "", digits: int = 4) -> str:
    values = {job.run.seed: read_trace(job.path).summary[name] for job in jobs}
    return ledger.median(values, f"/summary {name}", [job.path for job in jobs], unit, digits)[0]


def quantizers(results: Results, ledger: Ledger) -> Table:
    table = Table(
        "Quantizers", "QuanTimed-DSGD on MNIST. Variance: E‖Q(x) − x‖² of the quantizer, written again in NumPy, on the "
        "final mean model of the run, beside the theory's bound. It must not exceed it, and neither says much of the loss.",
        ["codec", "kind", "measured variance", "bound", "measured / bound", "final loss", "bits: paper", "bits: wire",
         "wrong decodings"])
    seen: set[str] = set()
    for study in ("quantizer-steps", "quantizers"):
        for codec in results.values(study, "codec"):
            if codec in seen:
                continue
            seen.add(codec)
            jobs = results.select(study, codec=codec)
            found = {j.run.seed: variance(codec, mean_model(j.path)) for j in jobs if read_trace(j.path).status == "complete"}
            known = {seed: v for seed, v in found.items() if v}
            cells = ["–"] * 4
            if known:
                one = next(iter(known.values()))
                files = [j.path for j in jobs]
                how = "mean over 20 draws of ‖Q(x) − x‖², x = /model/mean"
                cells = [one.kind, ledger.median({s: v.measured for s, v in known.items()}, how, files)[0],
                         f"{one.formula} = {estimate([v.bound for v in known.values()]).median:.3g}",
                         ledger.median({s: v.measured / v.bound for s, v in known.items()}, how + f" over {one.formula}",
                                       files)[0]]
            elif codec.startswith("sparsifier"):
                cells[0] = "M below ‖x‖∞: clamped"
            table.rows.append([codec, *cells, *(summary_cell(jobs, ledger, name) for name in (
                "final_loss", "paper_bits_per_coordinate", "wire_bits_per_coordinate", "decoding_violations"))])
    return table


def modulo(results: Results, ledger: Ledger) -> Table:
    """modulo:1e-3,7 against low-precision:1e-3: the same final models, bit for bit?"""
    table = Table("Seven honest bits", "MNIST, b = 50, T = 300, published steps: indices modulo 2^7, taken nearest to the "
                  "receiver's model. The model is the same where no message was decoded wrongly.",
                  ["algorithm", "codec", "bits: wire", "end time, wire bits", "wrong decodings", "final loss",
                   "same final model, bit for bit"])
    for algorithm in results.algorithms("modulo"):
        plain = {j.run.seed: j for j in results.select("modulo", algorithm=algorithm, codec="low-precision:1e-3")}
        for codec in results.values("modulo", "codec"):
            jobs = results.select("modulo", algorithm=algorithm, codec=codec)
            same = {j.run.seed: float(mean_model(j.path).tobytes() == mean_model(plain[j.run.seed].path).tobytes())
                    for j in jobs if j.run.seed in plain}
            files = [j.path for j in jobs]
            ends, _ = ledger.median({j.run.seed: float(charged_time(j.path, "wire")[-1]) for j in jobs},
                                    "end of the last iteration, by the bits on the wire", files, " s")
            table.rows.append([
                algorithm, codec, summary_cell(jobs, ledger, "wire_bits_per_coordinate"), ends,
                *(summary_cell(jobs, ledger, name) for name in ("decoding_violations", "final_loss")),
                ledger.note(f"{int(sum(same.values()))} of {len(same)}", "runs whose /model/mean is the same bytes",
                            files + [j.path for j in plain.values()], same)])
    return table


def settings(results: Results, ledger: Ledger, title: str, study: str, option: str, text: str) -> Table:
    """A row for each setting and target: final losses, and how far ahead we are."""
    table = Table(title, text, [option, "our final loss", "to loss", *RACE_HEAD])
    for value in results.values(study, option):
        jobs = results.select(study, algorithm=OURS, **{option: value})
        if not jobs:
            continue
        final = summary_cell(jobs, ledger, "final_loss")
        found = race(results, study, **{option: value})
        if not found:
            table.rows.append([value, final, "–", *["–"] * len(RACE_HEAD)])
            continue
        table.rows += [[value, final, f"{target:.4g}", *race_row(found, target, ledger)] for target in found.targets]
    return table


def tuning(results: Results, ledger: Ledger) -> Table:
    table = Table("Tuning", "All trials end at one virtual time, seeds 101 to 103. Each algorithm has as many trials: of α and ε, a factor 2 apart "
                  "in α, where it has an ε, and of α alone, a factor 1.22 apart, where it has none. They are chosen as `quantimed tune` does, "
                  "on the clock of the paper's bits. Five targets lie between the start and the best loss of any trial. Of the trials whose "
                  "median final losses miss the fewest of them, run once more with 30 evaluations, the one wins whose median times to the others have the "
                  "least mean (geometric; a time before the third point of a curve counts as that of the point after it; equal ones: the lower "
                  "final loss). The winner, in bold, is what the tuned studies use.",
                  ["data set", "targets", "algorithm", "trials: α, ε and final loss", "those that miss the fewest targets: mean time to the others",
                   "α within 5 % of the least", "used"])
    for name in ("mnist", "cifar10", "imagenet", "four-layers"):
        study = f"{name}-tune"
        targets = ", ".join(f"{target:.4g}" for target in targets_of(results, study))
        ranked = ranking(results, study)
        for algorithm, trials in trials_of(results, study).items():
            finals = ranked[algorithm]
            winner = finals[0].trial.steps if finals else None
            files = [job.path for trial in trials for job in trial.jobs]
            shown = [bold(f"{trial.text}: {f'{trial.loss:.4g}' if math.isfinite(trial.loss) else 'does not count'}", trial.steps == winner)
                     for trial in trials]
            by_time = [bold(f"{final.trial.text}: {time_text(final, finals[0].missed, targets.count(',') + 1)}", final.trial.steps == winner)
                       for final in finals]
            missed = f"{finals[0].missed} missed: " if finals else ""
            table.rows.append([name, targets, algorithm, ledger.note("; ".join(shown), "median of the last /progress/loss", files),
                               ledger.note(missed + "; ".join(by_time), "geometric mean of the median times to the targets", [
                                   job.path for job in results.jobs.get(study + FINALS, []) if job.run.algorithm == algorithm]),
                               plateau(finals) if finals else "–", used_text(results, name, algorithm, trials, winner)])
    return table


def time_text(final: Final, fewest: int, targets: int) -> str:
    if final.missed == targets:
        return f"final loss {final.trial.loss:.4g}"
    return f"{final.time_s:.4g} s" + (f", {final.missed} missed" if final.missed > fewest else "")


def bold(text: str, is_bold: bool) -> str:
    return f"**{text}**" if is_bold else text


def used_text(results: Results, name: str, algorithm: str, trials: list[Trial], winner: Steps | None) -> str:
    judged = list(dict.fromkeys(steps_of(job.run) for job in results.select(f"{name}-tuned", algorithm=algorithm)))
    if winner is None or not judged:
        return "–"
    runs = [job.run for trial in trials for job in trial.jobs]
    at_edge = edge(algorithm, runs, [run for run in runs if steps_of(run) == winner])
    said = "the winner" if judged == [winner] else "NOT the winner: " + "; ".join(", ".join(filter(None, steps)) for steps in judged)
    return said + (f" ({at_edge.partition(': ')[2]})" if at_edge else "")


def all_tables(results: Results, ledger: Ledger) -> list[Table]:
    one = "MNIST, published steps, one horizon and each run's own curve. "
    tables = [modulo(results, ledger), quantizers(results, ledger),
              settings(results, ledger, "The time of an exchange", "link", "link", one + "T_c from 0 to 10 s."),
              settings(results, ledger, "Nodes", "nodes", "setting", one + "10,000 images shared by 10, 50 or 200 nodes."),
              settings(results, ledger, "Who holds which samples", "partitions", "partition", one),
              settings(results, ledger, "Sigmoid and ReLU", "activations", "activation", one + "ReLU is outside the theory."),
              tuning(results, ledger)]
    return [table for table in tables if table.rows]
