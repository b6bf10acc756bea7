# SPDX-License-Identifier: BSD-3-Clause
"""results/field.md: what the comparisons of the field found. Sentences are said only where the figures carry them."""
from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  after the back end has been chosen

from . import field_settings as settings  # noqa: E402
from .field_beside import of_no_commit  # noqa: E402
from .field_results import COUNTS, Outcome, Paired, against_first, factors, pair_deadlines, within  # noqa: E402
from .field_settings import AMB, SETTINGS, Part  # noqa: E402
from .field_findings import sentences  # noqa: E402
from .statistics import number, read_estimate  # noqa: E402
from .study_file import StudyError, as_blocks, read_plain  # noqa: E402

TITLE = "# The field, head to head"  # the first line of what is written
LEFT_OUT = ("The program has more algorithms than are compared here (`quantimed info --algorithms`), among them AD-PSGD, SwarmSGD, RelaySGD, "
            "SWIFT, R-FAST and AMB-DG: of those this page says nothing. Of directed and changing graphs one is here (one-peer), on which not all of these algorithms run. "
            "By the paper's bits, which charge packed messages less, the runs of a setting are judged until the first of them ends, sooner than "
            "by the bits on the wire, for which alone the steps were tuned: a target that is missed there may only come too late.")
BESIDE = ("Beside this page: [what each method minimises](field-minimises.md), [exact methods and their distance to the optimum](field-exact.md), "
          "[few bits and few messages](field-messages.md), "
          "[Anytime Minibatch against QuanTimed-DSGD on both clocks](field-real-time.md).")
TAUS = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    return ["", line(head), "|" + "---|" * len(head), *map(line, rows), ""]


def brief(value: float) -> str:
    return "missed" if math.isinf(value) else "–" if math.isnan(value) else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def p_text(p: float) -> str:
    return "–" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


# ---- one setting ---------------------------------------------------------------------------------------------------
def ranking_row(one: Outcome, place: int, name: str) -> list[str]:
    race, entry, row = one.main, one.entry(name), one.rows[name]
    against = next((a for a in race["against"] if a["name"] == name), None)
    mark = "✓ " if name == race["winner"] else "≈ " if name in race["close"] or (name == race["first"] and not race["winner"]) else ""
    early = "< " if entry["unresolved"] else ""
    behind = "first" if name == race["first"] else "–"
    if against:
        behind = f"{read_estimate(against['ratio']).text('×')}, p {p_text(number(against['p_holm']))}"
    counts = one.median_counts[name]
    paper = one.time(name, "paper").text() if "paper" in one.clocks else "–"
    faults = ", ".join(f"{row[kind]} {kind if kind != 'invalid' else 'INVALID'}" for kind in ("invalid", "diverged", "unfinished") if row[kind])
    return [str(place) if entry["arrived"] else "–", name, f"{mark}{early}{one.time(name).text()}", f"{entry['arrived']} of {row['runs']}",
            behind, paper, *(brief(counts[kind].median) for kind in COUNTS),
            read_estimate(row["final_loss"]).text(), faults or "none"]


SHOWN = ("dataset", "partition", "nodes", "samples-per-node", "model", "batch", "graph", "speed", "link")
RANKING = ("", "algorithm", "time to the target, s", "arrived", "behind the first", "the same by the paper's bits, s",
           "iterations", "gradients", "Mbit sent", "final loss", "runs that do not count")


def with_others(part: Part) -> list[str]:
    """Who runs there and who does not, where the program refuses some."""
    said = [line.strip("# ") for line in read_plain(settings.FOLDER / f"{part.setting}.ini").splitlines() if line.startswith("#")]
    lines = [*([" ".join(said[1:]), ""] if said[1:] else []),
             f"Not all of the base's algorithms run here, and a place in this ranking is one among those that do. Only here: {', '.join(part.only_here) or 'none'}. "
             "The program refuses:", ""]
    return [*lines, *(f"- {settings.refusal(part, name)}" for name in part.left_out), ""]


def setting_section(one: Outcome) -> list[str]:
    part = one.part
    text = read_plain(part.files[0] if part.setting == "base" else settings.FOLDER / f"{part.setting}.ini")
    title = text.splitlines()[0].strip("# ")
    lines = [f"## {part.setting}", "", title, "", *(with_others(part) if part.own_algorithms else ()),
             f"{', '.join(f'{name} {part.options[name]}' for name in SHOWN)}.", "",
             f"Target: loss {one.target:g} ({', '.join(f'{t:g}' for t in one.targets)} are all), start {number(one.json['start_loss']):.3g}, "
             f"best of any run {number(one.json['best_loss']):.3g}; {one.part.options['max-time']} s for each.",
             *table(RANKING, [ranking_row(one, k, name) for k, name in enumerate(one.names(), 1)])]
    for headline in one.json["headlines"]:
        lines += [f"By the {'paper’s count of bits' if headline['clock'] == 'paper' else 'bits on the wire'}, over all targets: "
                  f"{headline['text']}" + (f" {headline['misses']}" if headline["misses"] else ""), ""]
    if one.not_judged():
        lines += [f"Not judged, half of the runs or more are INVALID or unfinished: {', '.join(one.not_judged())}.", ""]
    if edge := one.at_edge():
        lines += [f"Chosen α at the edge of what was tried, so a better one may lie beyond: {', '.join(edge)}.", ""]
    return lines


# ---- all settings --------------------------------------------------------------------------------------------------
def draw_profile(found: dict[str, list[float]], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4), constrained_layout=True)
    most = max([value for values in found.values() for value in values if math.isfinite(value)] + [2.0]) * 1.1
    colours = plt.get_cmap("tab20").colors
    for k, (name, values) in enumerate(sorted(found.items(), key=lambda pair: (-within(pair[1], 2) / len(pair[1]), pair[0]))):
        steps = sorted(value for value in values if math.isfinite(value))
        x = [1.0, *steps, most]
        y = [within(values, tau) / len(values) for tau in x]
        axes.step(x, y, where="post", label=name, color=colours[(2 * k) % 20 + (k >= 10)], linestyle=("-", "--", "-.", ":")[k % 4], linewidth=1.4)
    axes.set(xscale="log", xlim=(1, most), ylim=(0, 1.03), xlabel="τ: time to the target over that of the first",
             ylabel="share of settings within τ")
    axes.set_xticks([tau for tau in (1, 1.5, 2, 3, 5, 10, 20, 50) if tau <= most], minor=False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def profile_section(outcomes: Sequence[Outcome], output: Path) -> list[str]:
    found = factors(outcomes)
    picture = output.with_suffix("") / "profile.png"
    mostly = [name for name in found if 2 * len(found[name]) > len(outcomes)]
    draw_profile({name: found[name] for name in mostly}, picture)
    order = sorted(found, key=lambda name: (name not in mostly, [-within(found[name], tau) / len(found[name]) for tau in TAUS], name))
    partly = "" if all(len(values) == len(outcomes) for values in found.values()) else (
        " An algorithm counts in the settings in which it is compared, and *of* says in how many that is; the order is by the share of those, with those last, "
        "and not in the figure, that are compared in half of the settings or fewer: a share of so few says nothing.")
    wins = {name: sum(one.main["winner"] == name for one in outcomes) for name in found}
    rows = [[name, str(len(found[name])), str(wins[name]), *(str(within(found[name], tau)) for tau in TAUS),
             str(sum(map(math.isinf, found[name])))] for name in order]
    return ["# Performance profile", "",
            f"Of {len(outcomes)} settings, in how many an algorithm's median time to the target is within a factor τ of the least "
            "one. The column 1 counts who is first, also where that is too close to call; *clearly first* counts only what the "
            "test carries. The settings are neighbours of one base and no sample of all problems: a count of "
            f"{len(outcomes)} has no error bar, and differences of one or two settings say nothing.{partly}",
            *table(["algorithm", "of", "clearly first", *(f"τ = {tau:g}" for tau in TAUS), "missed"], rows),
            f"![performance profile]({picture.relative_to(output.parent)})", ""]


def grid_section(outcomes: Sequence[Outcome]) -> list[str]:
    """Who is where, at one look."""
    every = list(dict.fromkeys(name for one in outcomes for name in one.names()))
    rows = []
    for name in every:
        cells = []
        for one in outcomes:
            here = name in one.names()
            mark = "**" if here and one.main["winner"] == name else ""
            cells.append(f"{mark}{brief(one.time(name).median)}{mark}" if here else "not judged" if one.runs(name) else "does not run" if name in one.part.left_out else "–")
        rows.append([name, *cells])
    return ["# All settings at one look", "",
            "Median time to each setting's own target, s, by the bits on the wire. Bold: clearly the fastest there. Columns have "
            "targets of their own, so compare within a column alone."
            + (" *does not run*: the program refuses the algorithm there, for a reason that the setting's section has; –: it is not compared there." if any(one.part.left_out for one in outcomes) else ""),
            *table(["algorithm", *(one.part.setting for one in outcomes)], rows)]


def deadline_section(pairs: Sequence[tuple[Outcome, Outcome]], paired: Sequence[Paired], firsts: Sequence[Paired]) -> list[str]:
    by_paper = {(p.setting, p.algorithm): p for p in pair_deadlines(pairs, "paper")}
    lines = ["# What a deadline adds", "",
             "Each algorithm with batches and with a deadline that gives the same mean batch, each with its own steps from as many "
             "trials, on the same seeds and to the same target (chosen in the search with batches). *Gain* is the time with batches "
             f"over the time with the deadline, paired by seed; p is corrected for all {len(paired)} pairs and both directions "
             "together. *Over the first* is the time of who is first above (QuanTimed-DSGD and AMB have a deadline by nature, the "
             "others took batches there) over that of the algorithm with a deadline. Counts are medians of a node, to the target: with batches → with the deadline.", ""]
    for without, having in pairs:
        rows = []
        for one in (p for p in paired if p.setting == without.part.setting):
            a, b = without.median_counts[one.algorithm], having.median_counts[one.algorithm]
            gain = one.gain.text("×") if one.gain.median > 0 else "both missed in most pairs" \
                if math.isinf(without.time(one.algorithm).median) else "missed with the deadline"
            rows.append([one.algorithm, without.time(one.algorithm).text(), having.time(one.algorithm).text(), gain, p_text(one.p),
                         one.finding, first_text(firsts, one), paper_text(by_paper.get((one.setting, one.algorithm))), *(f"{brief(a[kind].median)} → {brief(b[kind].median)}" for kind in COUNTS), faults_text(having, one.algorithm)])
        lines += [f"## {without.part.setting}, loss {without.target:g}",
                  *table(["algorithm", "with batches, s", "with a deadline, s", "gain", "p", "the deadline is", f"over the first, {without.main['first'] or 'nobody'}",
                          "gain by the paper's bits", "iterations", "gradients",
                          "Mbit sent", "runs that do not count"], rows)]
        if edge := having.at_edge():
            lines += [f"Chosen α at the edge of what was tried: {', '.join(edge)}.", ""]
        if having.target != without.target:
            raise StudyError(f"{having.part.compare}: has target {having.target:g} and not {without.target:g}; remove the folder, and run again")
    return lines


def first_text(firsts: Sequence[Paired], mine: Paired) -> str:
    found = next((p for p in firsts if (p.setting, p.algorithm) == (mine.setting, mine.algorithm)), None)
    return f"{found.gain.text('×')}, {found.finding}" if found and found.gain.median > 0 else "–"


def paper_text(found: Paired | None) -> str:
    return f"{found.gain.text('×')}, {found.finding}" if found and found.gain.median > 0 else "–"


def faults_text(one: Outcome, name: str) -> str:
    row = one.rows[name]
    count = row["invalid"] + row["diverged"] + row["unfinished"]
    return f"{count} of {row['runs']}" if count else "none"


def amb_section(one: Outcome) -> list[str]:
    names = [name for name in ("quantimed-dsgd", "amb") if name in one.rows]
    deadlines = {name: one.deadline(name) for name in names}
    if len(set(deadlines.values())) != 1:
        raise StudyError(f"{one.part.compare}: the deadlines differ ({deadlines}), so nothing can be compared; give deadline in amb.ini")
    rows, race = [], one.main
    for name in names:
        counts, row = one.median_counts[name], one.rows[name]
        rows.append([name, one.time(name).text(), one.time(name, "paper").text() if "paper" in one.clocks else "–",
                     read_estimate(row["final_loss"]).text(), read_estimate(row["test_accuracy"]).text(),
                     f"{one.iterations(name):.0f}", f"{number(row['wire_bits']):.3g}",
                     *(brief(counts[kind].median) for kind in COUNTS), faults_text(one, name)])
    return [f"## {one.part.setting}", "", *(line.strip("# ") for line in read_plain(settings.FOLDER / f"{one.part.setting}.ini").splitlines()
                                            if line.startswith("#")), "",
            f"{', '.join(f'{key} {one.part.options[key]}' for key in SHOWN)}.",
            *table(["algorithm", f"time to loss {one.target:g}, s", "by the paper's bits, s", "final loss", "test accuracy", "iterations in all",
                    "wire bits a coordinate", "iterations to it", "gradients", "Mbit sent", "runs that do not count"], rows),
            f"Deadline {deadlines[names[0]]:g} s for both. {one.json['spread']}. "
            + (f"To this target {race['winner']} is clearly the first. " if race["winner"] else "To this target it is too close to call. ")
            + " ".join(f"Over all targets: {h['text']}" for h in one.json["headlines"] if h["clock"] == one.clock), ""]


AMB_TEXT = ["# Anytime Minibatch against QuanTimed-DSGD", "",
            "Both compute until the same deadline on the same speeds, and mix afterwards. They do not minimise the same: "
            "QuanTimed-DSGD divides a node's gradient by the node's own number of samples, so every node weighs alike and it goes "
            "for the mean of the nodes' objectives (up to the bias of its step); Anytime Minibatch weighs a node by how many samples it finished, so it goes for "
            "the objective weighted by the nodes' speeds. Shards that are all alike hide it. Here the slow nodes alone hold some "
            "labels, and the loss is that of all samples with equal weights, which is what QuanTimed-DSGD minimises: this table "
            "says who is better at that, and not who is better at its own. They also send differently: codes, and exchanges in an "
            "iteration (bits a coordinate are of all of them). The weights show only where a run comes near its optimum; before that, who "
            "averages over more samples or exchanges more may be ahead on either loss; [What each method minimises](field-minimises.md) shows "
            "them where all runs come near. With a link that costs time "
            "they differ in the number of iterations, too; with a free link and exact models the weights, the number of exchanges and "
            "the order of gradient and averaging are all that differs.", ""]


def cost_section(found: Sequence[Outcome]) -> list[str]:
    rows, uneven = [], []
    for one in found:
        counts = {name: one.trial_count(name) for name in one.rows}
        if len(set(counts.values())) > 1:
            uneven.append(f"{one.part.setting} ({', '.join(f'{k} {v}' for k, v in counts.items())})")
        bad = [t for t in one.trials if t.status != "complete" or t.verdict != "VALID"]
        worst = ", ".join(f"{name} {sum(t.algorithm == name for t in bad)}" for name in dict.fromkeys(t.algorithm for t in bad))
        rows.append([one.part.setting, "batches" if one.part.form == "field" else "deadline", str(len(counts)),
                     "/".join(sorted({str(c) for c in counts.values()})), str(len(one.trials)), worst or "none"])
    fair = ("Every algorithm had the same number of trials in every search." if not uneven else
            f"NOT EQUAL: the trials differ in {'; '.join(uneven)}.")
    return ["# What tuning cost", "",
            f"{fair} A trial is one value of the steps: α alone, or α and the step of the mixing, ε or γ, where there is one, which gives those fewer values of α. "
            "The runs include the finalists' other seeds and the published steps, which were not eligible. "
            "Momentum, numbers of local steps and rounds, and the codes are **not** tuned: they are the program's defaults, so an "
            "algorithm that needs others is at a disadvantage here.",
            *table(["setting", "gradients by", "algorithms", "trials of each", "runs", "runs that diverged or are INVALID"], rows)]


# ---- the page ------------------------------------------------------------------------------------------------------
def facts(found: Sequence[Outcome], quick: bool, names: Sequence[str]) -> list[str]:
    commits = sorted(set().union(*(one.commits for one in found)))
    runs = sum(len(one.trials) for one in found) + sum(one.part.compared_runs for one in found)
    lines = [f"Made by `make field{' QUICK=1' if quick else ''}`: {runs} runs in virtual time, program at commit {', '.join(commits)}."]
    if quick:
        lines += ["", "**A smoke test and no finding**: generated digits, few nodes, few algorithms, few trials, few seeds."]
    elif missing := [name for name in SETTINGS if name not in names]:
        lines += ["", f"**Not whole**: without {', '.join(missing)}."]
    if warning := of_no_commit(commits):
        lines += ["", warning[0]]
    if len(commits) > 1:
        lines += ["", "**Runs of several programs are mixed here**: remove the folder of runs and start again."]
    return lines


def how_to_read(one: Outcome, others: Sequence[str]) -> list[str]:
    fewer = f" ({', '.join(others)}: and in who is compared, for the program refuses some there)" if others else ""
    return [f"Each setting differs from the base in one factor{fewer}. In each, every algorithm is tuned with the same number of trials "
            f"on seeds 101–103 and then run on seeds {one.part.seeds.replace('-', '–')} for the same time. Targets are 50, 75, 90, 95 and 99 % "
            "of the fall to the best loss of any trial, so they are fixed before the runs that are judged; **the target is the one "
            "of 90 %**. One setting of the steps serves all targets. Times are on the clock that charges the bits on the wire; the "
            "paper's count stands beside. The clock is a model: only its speeds and links make the ranking, and arithmetic that a "
            f"method adds costs nothing on it. {one.json['spread']}; *missed*: the target was not reached in the time of the runs. ✓ clearly the fastest; "
            "≈ too close to call with the first; < before the third point of its curve. *Behind the first* is paired by seed, p "
            "after Holm's correction within its setting; nothing is corrected over settings: each names a winner among equals in up to 5 % of cases. QuanTimed-DSGD and AMB compute until a deadline "
            "by nature, the others take batches here as in their papers; *What a deadline adds* gives them one, too. "
            "Every median, interval, test and winner is `quantimed compare`'s or `quantimed judge`'s. Iterations, gradients (samples) "
            "and bits are medians of a node, to the target. A run that diverged or is INVALID counts as one that missed."]


def write_page(parts: Sequence[Part], output: Path, quick: bool, names: Sequence[str]) -> None:
    found = [Outcome(part) for part in parts]
    fields = [one for one in found if one.part.form == "field" and one.part.setting not in AMB]
    ambs = [one for one in found if one.part.setting in AMB]
    pairs = [(without, having) for having in found if having.part.form == "deadline"
             for without in fields if without.part.setting == having.part.setting]
    paired, firsts = pair_deadlines(pairs), against_first(pairs)
    lines = [TITLE, "", *facts(found, quick, names), "", *how_to_read(fields[0], [f.part.setting for f in fields if f.part.own_algorithms]), "", BESIDE, "",
             "# When which one wins", "",
             "These sentences are made from the figures; where the figures do not carry one, it is not there.", "",
             *(f"{k}. {text}" for k, text in enumerate(sentences(fields, paired, firsts, ambs), 1)), "",
             *grid_section(fields), "# Setting by setting", ""]
    for one in fields:
        lines += setting_section(one)
    lines += profile_section(fields, output)
    if pairs:
        lines += deadline_section(pairs, paired, firsts)
    if ambs:
        lines += [*AMB_TEXT, *(line for one in ambs for line in amb_section(one))]
    lines += cost_section(found)
    lines += ["# Left out", "", LEFT_OUT, "", "# The settings' files", "",
              "Read one after the other, later lines win: base.ini, the setting's own, then deadline.ini where a deadline is added"
              + (", then the quick ones" if quick else "") + ".", ""]
    lines += as_blocks((path for part in parts for path in part.files), "bench/field")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("\n".join(lines), encoding="utf-8")
