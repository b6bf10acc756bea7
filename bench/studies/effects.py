# SPDX-License-Identifier: BSD-3-Clause
"""The studies that are no claim of their own: quantizers, the link, nodes, shards, ReLU, and the tuning."""
from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from .claims import OURS, RACE_HEAD, race, race_row
from .ledger import Ledger
from .quantizers import variance
from .runner import Job
from .statistics import estimate
from .traces import Results, charged_time, mean_model, read_trace


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
    table = Table("Tuning", "Medians of the final losses of all trials at one virtual time, seeds 101 to 103. Each algorithm has as many "
                  "trials of α, a factor 2 apart; ε stays the published one. The winner, in bold, is what the tuned studies use.",
                  ["data set", "algorithm", "trials: α and final loss", "used"])
    for name in ("mnist", "cifar10", "imagenet", "four-layers"):
        for algorithm in results.algorithms(f"{name}-tune"):
            losses: dict[str, list[float]] = {}
            jobs = results.select(f"{name}-tune", algorithm=algorithm)
            for job in jobs:
                trace = read_trace(job.path)
                losses.setdefault(job.run.setting["alpha"], []).append(
                    trace.summary["final_loss"] if trace.status == "complete" else math.inf)
            medians = {alpha: float(np.median(found)) for alpha, found in losses.items()}
            winner = min(medians, key=lambda alpha: medians[alpha])
            shown = [f"**{alpha}: {loss:.4g}**" if alpha == winner else f"{alpha}: {loss:.4g}" for alpha, loss in medians.items()]
            used = {j.run.options.get("alpha", "") for j in results.select(f"{name}-tuned", algorithm=algorithm)}
            edge = " (at the edge of the trials)" if winner in (list(medians)[0], list(medians)[-1]) else ""
            table.rows.append([name, algorithm, ledger.note("; ".join(shown), "/summary final_loss", [j.path for j in jobs]),
                               ("the winner" if used == {winner} else f"NOT the winner: {', '.join(used)}") + edge])
    return table


def all_tables(results: Results, ledger: Ledger) -> list[Table]:
    one = "MNIST, published steps, one horizon and each run's own curve. "
    tables = [modulo(results, ledger), quantizers(results, ledger),
              settings(results, ledger, "The time of an exchange", "link", "link", one + "T_c from 0 to 10 s."),
              settings(results, ledger, "Nodes", "nodes", "setting", one + "10,000 images shared by 10, 50 or 200 nodes."),
              settings(results, ledger, "Who holds which samples", "partitions", "partition", one),
              settings(results, ledger, "Sigmoid and ReLU", "activations", "activation", one + "ReLU is outside the theory."),
              tuning(results, ledger)]
    return [table for table in tables if table.rows]
