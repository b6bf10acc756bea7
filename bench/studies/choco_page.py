# SPDX-License-Identifier: BSD-3-Clause
"""results/choco.md and its figure: what the repetition of ChocoSGD's logistic experiment found. Sentences are said only where
the figures carry them."""
from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from quantimed_report import style

from .choco import CODES, EPOCHS, GAPS, GENERATED, PARTITIONS, POSITIVE, QUICK_EPOCHS, TUNING_SEEDS, Found, Part
from .field_page import brief, table
from .field_results import Outcome, counts_at
from .processes import minutes
from .statistics import Estimate, estimate, know, number, ratios, spread_text
from .study_file import StudyError, as_blocks, read_plain
from .traces import read_trace

TITLE = "# ChocoSGD's logistic experiment, repeated"  # the first line of what is written
MEGA = 1e6
COLOURS = dict(zip(CODES, (style.colour("dsgd"), style.ORANGE, style.BLUE, style.GREEN, style.PURPLE, style.GREY)))
LINES = {"dsgd": style.line_style("dsgd"), "choco-sgd": "-", "dcd-psgd": (0, (4, 1.5)), "ecd-psgd": ":"}
ALIKE, MUCH = 1.1, 100.0  # a final gap at most so many times another's; bytes saved, the abstract's two orders of magnitude
# γ in the authors' file of settings for epsilon, where a message of 2,000 numbers has 20 that are not 0, or 16 levels.
PUBLISHED_GAMMA = {"top-1": 0.04, "rand-1": 0.01, "qsgd-16": 0.34}


@dataclass(frozen=True)
class Curve:
    iteration: np.ndarray
    gap: np.ndarray
    megabytes: np.ndarray  # sent by a node so far, to all of its neighbours


@dataclass(frozen=True)
class Entry:
    """An algorithm with a code, on one partition: its judged runs."""
    outcome: Outcome
    name: str
    optimum: float

    @property
    def part(self) -> Part:
        return self.outcome.part

    @property
    def label(self) -> str:
        if not self.exchanges:
            return "no exchange"
        return f"{self.name}, {'exact' if self.part.code == 'exact' else self.part.options['codec']}"

    @property
    def exchanges(self) -> bool:
        return self.part.code != "alone"

    @property
    def line(self) -> object:
        return LINES[self.name] if self.exchanges else "-."

    @cached_property
    def files(self) -> dict[int, Path]:
        return {seed: self.part.compare / f"{self.name}-seed{seed}.h5" for seed, _ in self.outcome.rows[self.name]["run_ids"]}

    @property
    def bits(self) -> float:
        return number(self.outcome.rows[self.name]["wire_bits"]) if self.exchanges else 0.0

    @cached_property
    def final(self) -> dict[int, float]:
        """The last gap by seed; infinite where a run does not count."""
        found = {}
        for seed, path in self.files.items():
            trace = read_trace(path)
            loss = trace.summary["final_loss"]
            counts = trace.status == "complete" and trace.verdict == "VALID" and math.isfinite(loss)
            found[seed] = loss - self.optimum if counts else math.inf
        return found

    @cached_property
    def to_gaps(self) -> dict[float, dict[str, dict[int, float]]]:
        return {gap: self._to_gap(gap) for gap in GAPS}

    def to_gap(self, gap: float) -> dict[str, dict[int, float]]:
        """Iterations, and 10⁶ bytes of a node, by seed."""
        return self.to_gaps[gap]

    def _to_gap(self, gap: float) -> dict[str, dict[int, float]]:
        target = min(self.outcome.targets, key=lambda t: abs(t - self.optimum - gap))
        found: dict[str, dict[int, float]] = {"iterations": {}, "megabytes": {}}
        for (seed, _), time in zip(self.outcome.rows[self.name]["run_ids"], self.outcome.entry(self.name, "", target)["run_times_s"]):
            iterations, _, megabits = counts_at(self.files[seed], number(time))
            found["iterations"][seed], found["megabytes"][seed] = iterations, megabits / 8
        return found

    @property
    def alpha(self) -> str:
        return self.outcome.alphas[self.name]

    @cached_property
    def gamma(self) -> str:
        line = re.search(r"^gamma = (.*)$", read_plain(self.part.tune / "tuned.ini"), re.MULTILINE)
        pairs = (one.partition("=") for one in (line[1].split(",") if line else ()))
        return {name: value for name, _, value in pairs}.get(self.name, "–") if self.exchanges else "–"

    @property
    def edges(self) -> list[str]:
        """Steps that are the least or the largest that was tried; γ = 1 is the end of what makes sense."""
        found = ["α"] if any(text.startswith(f"{self.name} ") for text in self.outcome.at_edge()) else []
        least = float(self.part.options["epsilon-range"].partition(",")[0])
        return found + (["γ"] if self.gamma != "–" and float(self.gamma) <= 1.001 * least else [])

    def curve(self, seed: int) -> Curve:
        with h5py.File(self.files[seed], "r") as file:
            iteration, loss = file["progress/iteration"][:].astype(int), file["progress/loss"][:]
            sent = np.concatenate([[0.0], np.cumsum(file["rounds/bytes_sent"][:].mean(axis=1))])
        return Curve(iteration, loss - self.optimum, sent[np.minimum(iteration, len(sent) - 1)] / MEGA)


def entries_of(found: Found, partition: str) -> list[Entry]:
    return [Entry(one, name, found.optimum[partition]) for one in found.outcomes(partition) for name in one.part.algorithms]


# ---- tables --------------------------------------------------------------------------------------------------------
def text_of(values: Mapping[int, float]) -> str:
    found = estimate(values.values())
    if math.isinf(found.low) or found.count < 2:
        return brief(found.median)
    return f"{brief(found.median)} [{brief(found.low)}–{brief(found.high)}]"


def to_gap_text(one: Entry, gap: float) -> str:
    """Bytes are in proportion to iterations, so their range says nothing new."""
    found = one.to_gap(gap)
    bytes_ = estimate(found["megabytes"].values()).median
    return text_of(found["iterations"]) + ("" if math.isinf(bytes_) or not one.exchanges else f"; {bytes_:.3g} MB")


def section(partition: str, entries: Sequence[Entry]) -> list[str]:
    head = ["algorithm, code", "bits a coordinate", "α", "γ", "final gap", *(f"iterations; bytes to {gap:g}" for gap in GAPS), "runs that do not count"]
    rows = []
    for one in sorted(entries, key=lambda e: estimate(e.final.values()).median):
        row = one.outcome.rows[one.name]
        faults = ", ".join(f"{row[kind]} {kind if kind != 'invalid' else 'INVALID'}" for kind in ("invalid", "diverged", "unfinished")
                           if row[kind])
        steps = [text + (" (edge)" if name in one.edges else "") for name, text in (("α", one.alpha), ("γ", one.gamma))]
        rows.append([one.label, f"{one.bits:.3g}", *steps, text_of(one.final), *(to_gap_text(one, gap) for gap in GAPS), faults or "none"])
    start = number(entries[0].outcome.json["start_loss"]) - entries[0].optimum
    return [f"## {partition.capitalize()}", "", f"f* = {entries[0].optimum:.7f}; the gap at the start is {start:.3g}.", *table(head, rows)]


# ---- what the figures carry ----------------------------------------------------------------------------------------
def find(entries: Sequence[Entry], name: str, code: str) -> Entry:
    return next(one for one in entries if (one.name, one.part.code) == (name, code))


def over(one: Mapping[int, float], other: Mapping[int, float]) -> Estimate:
    return estimate(ratios(one, other).values())


def know_all(by_partition: Mapping[str, Sequence[Entry]]) -> None:
    """What the page may ask of the program, in one question."""
    asked: list[Iterable[float]] = []
    for entries in by_partition.values():
        exact = find(entries, "dsgd", "exact")
        for one in entries:
            asked += [one.final.values(), *(counts.values() for gap in GAPS for counts in one.to_gap(gap).values())]
            asked += [ratios(one.final, other.final).values() for other in entries]
            asked += [ratios(exact.to_gap(gap)["megabytes"], one.to_gap(gap)["megabytes"]).values() for gap in GAPS]
    asked += [ratios(one.final, find(by_partition["shuffled"], one.name, one.part.code).final).values() for one in by_partition["sorted"]]
    know(asked)


def deepest(one: Entry, other: Entry) -> float:
    """The least of the gaps that both reach with all seeds; not a number where there is none."""
    return min((gap for gap in GAPS if all(math.isfinite(n) for e in (one, other) for n in e.to_gap(gap)["iterations"].values())),
               default=math.nan)


def finding(agrees: bool) -> str:
    return "agrees" if agrees else "**does not agree**"


def per_iteration(partition: str, entries: Sequence[Entry]) -> list[list[str]]:
    exact, rows = find(entries, "dsgd", "exact"), []
    for code in PUBLISHED_GAMMA:
        one = find(entries, "choco-sgd", code)
        ratio = over(one.final, exact.final)
        rows.append([f"{partition}: after the same iterations {one.label} is where exact messages are",
                     f"final gap {ratio.text('×')} that of exact", finding(ratio.median <= ALIKE)])
    return rows


def per_byte(partition: str, entries: Sequence[Entry]) -> list[list[str]]:
    exact, rows = find(entries, "dsgd", "exact"), []
    for code in ("top-1", "rand-1"):
        one = find(entries, "choco-sgd", code)
        gap = deepest(one, exact)
        if math.isnan(gap):
            rows.append([f"{partition}: {one.label} saves two orders of magnitude of bits", "no gap of the table is reached by both", "not decided"])
            continue
        ratio = over(exact.to_gap(gap)["megabytes"], one.to_gap(gap)["megabytes"])
        told = "agrees" if ratio.low >= MUCH else "nearly" if ratio.median >= MUCH / 2 else finding(False)
        rows.append([f"{partition}: {one.label} saves two orders of magnitude of bits", f"{ratio.text('×')} fewer bytes to gap {gap:g}", told])
    return rows


def rival_of(one: Entry, entries: Sequence[Entry]) -> Entry:
    """CHOCO-SGD with the same code; with 16 levels where it has none."""
    return find(entries, "choco-sgd", one.part.code if one.part.code in PUBLISHED_GAMMA else "qsgd-16")


def against_baselines(partition: str, entries: Sequence[Entry]) -> list[list[str]]:
    rows = []
    for one in entries:
        if one.name not in ("dcd-psgd", "ecd-psgd"):
            continue
        choco = rival_of(one, entries)
        ratio, bits = over(one.final, choco.final), one.bits / choco.bits
        has_more = one.part.code != choco.part.code
        says = f"final gap {ratio.text('×')} that of {choco.label}" + (f", with {bits:.2g}× its bits" if has_more else "")
        told = ("agrees" if ratio.low > 1 else "within the scatter" if ratio.high > 1 else
                   f"not by iterations, with {bits:.2g}× the bits" if has_more else finding(False))
        rows.append([f"{partition}: CHOCO-SGD outperforms {one.label}", says, told])
    return rows


def gammas(by_partition: Mapping[str, Sequence[Entry]]) -> list[str]:
    def tuned(code: str) -> str:
        return " and ".join(find(entries, "choco-sgd", code).gamma for entries in by_partition.values())
    text = "; ".join(f"{code} {PUBLISHED_GAMMA[code]:g}, here {tuned(code)}" for code in PUBLISHED_GAMMA)
    return ["the authors' γ for epsilon, the same for both partitions", f"{text} ({' and '.join(by_partition)})", "for comparison"]


def both(by_partition: Mapping[str, Sequence[Entry]], value: Callable[[Sequence[Entry]], str]) -> str:
    """One figure for each partition, in their order."""
    return " and ".join(value(entries) for entries in by_partition.values())


def of_iterations(by_partition: Mapping[str, Sequence[Entry]]) -> str:
    def ratio(code: str) -> Callable[[Sequence[Entry]], str]:
        return lambda entries: over(find(entries, "choco-sgd", code).final, find(entries, "dsgd", "exact").final).text("×")
    first = next(iter(by_partition.values()))
    return ("**By iterations**, CHOCO-SGD's final gap over that of exact messages: "
            + "; ".join(f"{find(first, 'choco-sgd', code).part.options['codec']} {both(by_partition, ratio(code))}" for code in PUBLISHED_GAMMA) + ".")


def of_control(by_partition: Mapping[str, Sequence[Entry]]) -> str:
    ratio = both(by_partition, lambda entries: over(find(entries, "choco-sgd", "alone").final, find(entries, "dsgd", "exact").final).text("×"))
    return f"**What the exchange is worth**: the mean of nine models that never mix, tuned as the others, ends at {ratio} the gap of exact messages."


def of_bytes(by_partition: Mapping[str, Sequence[Entry]]) -> str:
    def saved(code: str) -> Callable[[Sequence[Entry]], str]:
        def text(entries: Sequence[Entry]) -> str:
            one, exact = find(entries, "choco-sgd", code), find(entries, "dsgd", "exact")
            if math.isnan(gap := deepest(one, exact)):
                return "no gap in common"
            return f"{over(exact.to_gap(gap)['megabytes'], one.to_gap(gap)['megabytes']).median:.3g}× (gap {gap:g})"
        return text
    first = next(iter(by_partition.values()))
    return ("**By bytes**, exact messages take so many times CHOCO-SGD's to the least gap that both reach with all seeds: "
            + "; ".join(f"{find(first, 'choco-sgd', code).part.options['codec']} {both(by_partition, saved(code))}" for code in PUBLISHED_GAMMA) + ".")


def of_baselines(by_partition: Mapping[str, Sequence[Entry]]) -> str:
    texts = []
    for one in next(iter(by_partition.values())):
        if one.name in ("dcd-psgd", "ecd-psgd"):
            texts.append(f"{one.label} " + both(by_partition, lambda entries, one=one: over(
                (here := find(entries, one.name, one.part.code)).final, rival_of(here, entries).final).text("×")))
    still = [f"{one.label} ({partition})" for partition, entries in by_partition.items() for one in entries
             if min(one.final.values()) >= 0.95 * (number(one.outcome.json["start_loss"]) - one.optimum)]
    return ("**DCD-PSGD and ECD-PSGD**, final gap over that of CHOCO-SGD with the same code (256 levels: over its 16): " + "; ".join(texts) + "."
            + (f" No step that was tried ends clearly below the start: {', '.join(still)}." if still else ""))


def of_sorting(by_partition: Mapping[str, Sequence[Entry]]) -> str:
    found = {one.label: over(one.final, find(by_partition["shuffled"], one.name, one.part.code).final) for one in by_partition["sorted"]}
    larger, smaller = ([f"{name} {ratio.text('×')}" for name, ratio in found.items() if is_so(ratio)]
                       for is_so in (lambda r: r.low > 1, lambda r: r.high < 1))
    medians = [ratio.median for ratio in found.values() if math.isfinite(ratio.median)]
    return (f"**Sorted shards against shuffled ones**: final gaps are {min(medians):.3g}× to {max(medians):.3g}× in the median, paired by seed; larger with "
            f"every seed: {', '.join(larger) or 'none'}; smaller with every seed: {', '.join(smaller) or 'none'}.")


# ---- the figure ----------------------------------------------------------------------------------------------------
def draw_panel(axes: Axes, entries: Sequence[Entry], against_bytes: bool) -> None:
    for one in entries:
        if against_bytes and not one.exchanges:
            continue
        curves = [one.curve(seed) for seed in one.files]
        gaps = np.array([np.where(np.isfinite(c.gap) & (c.gap > 0), c.gap, np.nan) for c in curves])
        at = np.median([c.megabytes if against_bytes else c.iteration for c in curves], axis=0)
        shown = slice(1 if against_bytes else 0, None)  # nothing is sent at the start, and the axis is logarithmic
        axes.plot(at[shown], np.median(gaps, axis=0)[shown], color=COLOURS[one.part.code], linestyle=one.line, label=one.label)
        axes.fill_between(at[shown], gaps.min(axis=0)[shown], gaps.max(axis=0)[shown], color=COLOURS[one.part.code], alpha=0.15, linewidth=0)
    axes.set(yscale="log", xlabel="MB sent by a node" if against_bytes else "iterations")
    if against_bytes:
        axes.set_xscale("log")


@style.styled
def draw(by_partition: Mapping[str, Sequence[Entry]]) -> plt.Figure:
    figure = plt.figure(figsize=(2 * style.width(), 2.2 * len(by_partition) + 0.8))
    cells = figure.add_gridspec(len(by_partition) + 1, 2, height_ratios=[*[1.0] * len(by_partition), 0.28])
    grid = [[figure.add_subplot(cells[k, column]) for column in range(2)] for k in range(len(by_partition))]
    lowest, start = math.inf, 0.0
    for row, (partition, entries) in zip(grid, by_partition.items()):
        for axes, against_bytes in zip(row, (False, True)):
            draw_panel(axes, entries, against_bytes)
            axes.set_title(partition)
        row[0].set_ylabel("f(mean model) − f*")
        lowest = min(lowest, *(min(one.final.values()) for one in entries))
        start = max(start, number(entries[0].outcome.json["start_loss"]) - entries[0].optimum)
    for row in grid:
        for axes in row:
            axes.set_ylim(0.7 * lowest, 3 * start)
    below = figure.add_subplot(cells[-1, :])
    below.axis("off")
    below.legend(*grid[0][0].get_legend_handles_labels(), loc="center", ncol=3)
    return figure


# ---- the page ------------------------------------------------------------------------------------------------------
def reservations(found: Found, by_partition: Mapping[str, Sequence[Entry]]) -> list[str]:
    edges = [f"{one.label} ({partition}, {' and '.join(one.edges)})" for partition, entries in by_partition.items() for one in entries if one.edges]
    texts = [
        "The paper's step falls as m a/(t + b), with a and b tuned; here it is constant, since `tune` searches numbers. A constant step "
        "leaves a floor that a falling one goes below: final gaps are those of the best trade between the floor and the way there, and "
        "are no measure of how far an algorithm could get.",
        "What was tuned is the last gap, as in the paper (there: after ten passes). Iterations and bytes to the larger gaps are of these "
        "same runs, and steps tuned for those gaps would reach them earlier: the exact messages', too.",
        "Equal budgets are equal numbers of trials. CHOCO-SGD has two steps to find with them and the others one, so that its grid is "
        "coarser. The ranges (the files below) were chosen after single runs and a first search on the tuning seeds, in which most of "
        "CHOCO-SGD's trials with 1 % diverged; the judged seeds had no part in that.",
        "Exact messages are `dsgd`, W x − α g; the authors' code has W (x − α g), here `dsgd-atc`. CHOCO-SGD compresses before it mixes, "
        "as its Algorithm 2; the authors' code mixes first (here `--overlap 1`).",
        "DCD-PSGD and ECD-PSGD are in the authors' file with unbiased codes: a random 1 % times 100, and 16 levels. Their errors may be "
        "larger than the message, and the program refuses them. DCD-PSGD is tried with CHOCO-SGD's own codes instead, which shorten every "
        "message, and both with 256 unbiased levels, which is more bits than CHOCO-SGD has. So nothing here is said of the paper's own "
        "variants, for which the authors' file has steps of 1e-15 (DCD, random) and of 1e-12 to 1e-6 (ECD), where nothing moves.",
        "Bytes are those of the wire, headers included: 32 bits a value and about 9 more for its index, where the paper may count otherwise, so that the largest 1 % can save no more than 78× an iteration "
        "and a random 1 % no more than 100×; "
        "16 levels take 6 bits with the sign and a norm, not 4. What a receiver can draw from the seed (a random 1 %'s indices) is not sent.",
        "f* and the gap are of the mean model, as in the paper. No node has that model: while γ is small, each node's own is further from f*.",
        f"{found.parts[0].iterations:,} iterations are few: ten passes over rcv1 are 22,490 on nine nodes, over epsilon 444,440. What compression costs "
        "is in the bound a term that falls as 1/T², the gradients' noise one that falls as 1/T, so that an excess over exact messages should "
        "shrink in longer runs. Where this page does not agree with the paper, that is the first thing to try.",
        "Few seeds, one size, one drawn set of rows: ranges say how runs scatter over shards and samples, and nothing of other data.",
        "Bytes are of one node to both of its neighbours, as though each had a link of its own. A broadcast would halve all of them alike.",
    ]
    if found.data.given == GENERATED:
        texts.append("Single runs, not tuned, sorted, seed 7, of 10,000 iterations (α = 1.3) and 40,000 (α = 0.6): exact 0.0059 and 0.0023, top-k:0.01 (γ = 0.05) "
                     "0.0135 and 0.0040, random-k:0.01 (γ = 0.015) 0.0295 and 0.0117. So the excess over exact falls from 0.0076 to 0.0018 and from 0.024 to "
                     "0.0094, but as a ratio from 2.3 to 1.8 and from 5.0 to 5.2: for a random 1 % not yet.")
    if found.data.given.startswith(POSITIVE):
        texts.append("The rows are generated: the sparsity pattern and the sizes of numbers are `sparse-logistic`'s, all numbers are taken positive, and "
                     "new labels are drawn. `sparse-logistic` itself will not do: there (a, y) is as likely as (−a, 1 − y), so that labels say nothing "
                     "of y a, on which alone the loss depends, and shards sorted by label are as good as shuffled. rcv1 is larger "
                     "(20,242 × 47,236, 74 values a row), and no plane parts these classes as well as its.")
    if found.data.samples % int(found.parts[0].options["nodes"]):
        texts.append("The nodes do not divide the samples: a few are left out, and f* is that of seed 1's, so gaps below about 1/m are not resolved.")
    if edges:
        texts.append("At the edge of the steps that were tried, so that a better one may lie beyond: " + ", ".join(edges) + ".")
    return [f"- {text}" for text in texts]


def facts(found: Found, source: str, command: str, first: Entry) -> list[str]:
    trace = read_trace(next(iter(first.files.values())))
    part = found.parts[0]
    epochs = QUICK_EPOCHS if found.is_quick else EPOCHS
    return [f"Made by `{command}`: {sum(p.runs for p in found.parts)} runs in virtual time, program at commit {trace.commit}, on {trace.machine}; "
            f"{minutes(found.processor_s)} of processor time, so half of that on two quiet cores."
            + (" **Quick: small data, few trials and seeds: this shows that all of it works, and is no finding.**" if found.is_quick else ""),
            "", f"{source[0].upper()}{source[1:]}. {found.data.description[0].upper()}{found.data.description[1:]}.", "",
            "What is repeated: section 5.3 of Koloskova, Stich and Jaggi, *Decentralized stochastic optimization and gossip algorithms with "
            "compressed communication* (ICML 2019): logistic regression with λ = 1/m on a ring of 9 with weights 1/3, from 0, one sample a gradient, "
            f"{epochs} passes over the data ({part.iterations:,} iterations of each node), shards shuffled and sorted by label.", "",
            f"Every algorithm and code got {part.options['trials']} trials, γ included, on seeds {TUNING_SEEDS}, separately for the two partitions, by the "
            f"loss after the last iteration; judged are seeds {part.seeds}. *Equal are the iterations*, since the paper's axes are iterations "
            "and bits; what differs is what a message costs: the table's bits a coordinate. Gaps are f(mean model) − f*, f* by Newton's method. "
            f"Medians, {spread_text(len(first.files))}; *missed*: not in these iterations; a gap counts as reached when the loss stays below it."]


def check_tuned(entries: Sequence[Entry]) -> None:
    for one in entries:
        if "step sizes: tuned with equal budgets" not in read_plain(one.part.compare / "table.md"):
            raise StudyError(f"{one.part.compare}: its steps were tuned for something else; remove {one.part.folder}, and run again")


def write_page(found: Found, output: Path, source: str, command: str) -> None:
    by_partition = {partition: entries_of(found, partition) for partition in PARTITIONS}
    for entries in by_partition.values():
        check_tuned(entries)
    know_all(by_partition)
    picture = output.with_suffix(".png")
    output.parent.mkdir(parents=True, exist_ok=True)
    figure = draw(by_partition)
    style.save_png(figure, picture)
    style.close(figure)
    claims = [row for part in (per_iteration, per_byte, against_baselines) for partition, entries in by_partition.items() for row in part(partition, entries)]
    lines = [TITLE, "", *facts(found, source, command, by_partition["shuffled"][0]), "", "# What was found", "",
             "Shuffled and sorted, ratios paired by seed:", "",
             *(f"- {text(by_partition)}" for text in (of_control, of_iterations, of_bytes, of_baselines, of_sorting)), "", "# Against the paper", "",
             "On the left: *outperforms* and *two orders of magnitude* are the abstract's words, that a curve follows that of exact messages is "
             "what its first term says of the rate, and γ is of the authors' published settings (github.com/epfml/ChocoSGD, "
             f"`code/experiment_epsilon_final.py`); their figures were not measured. *Agrees* that gaps are equal: at most {ALIKE:g}× in the median; "
             f"that bits are saved: {MUCH:g}× or more with every seed, *nearly* from {MUCH / 2:g}× on; that one outperforms: with every seed.",
             *table(("of the paper", "here", ""), [*claims, gammas(by_partition)]),
             "# The runs", "", f"![Gap against iterations and against bytes]({picture.name})", ""]
    for partition, entries in by_partition.items():
        lines += section(partition, entries)
    lines += ["# Reservations", "", *reservations(found, by_partition), "", "# The files", "",
              "Read one after the other, later lines win; `bench/choco/run` adds the data, `--partition`, `--iterations` and targets.", ""]
    lines += as_blocks((path for part in found.parts for path in part.files), "bench/choco")
    output.write_text("\n".join(lines), encoding="utf-8")
