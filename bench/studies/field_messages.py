# SPDX-License-Identifier: BSD-3-Clause
"""Few bits, few messages: bench/field/messages.ini and messages-one-peer.ini, what they train, and what they send, counted from the traces.

The bytes of a message are in the trace three times: as each round's record, as what the clock charged, and in the sum of all. What the codec
says is reckoned here once more, from its format alone.
"""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from . import field_settings as settings
from .field_beside import counts, head, runs_of, write
from .field_settings import options_of
from .processes import Processes
from .statistics import compare, estimate, know, ratios, spread_text
from .study_file import StudyError, split_list

TITLE = "# Few bits, few messages"  # the first line of what is written
PARTS = ("symmetric", "one-peer")
REFERENCE = "dsgd"
RIGHT, FALL = 0.5, 0.5  # trains: more than this share of the test images right, less than this of the loss at the start
FLOAT = 32  # bits


def files(quick: bool, part: str) -> tuple[Path, ...]:
    names = ("messages", *(("messages-one-peer",) if part == "one-peer" else ()), *(("quick-messages",) if quick else ()))
    return tuple(settings.FOLDER / f"{name}.ini" for name in names)


def run(folder: Path, quick: bool, jobs: int, processes: Processes) -> None:
    folder.mkdir(parents=True, exist_ok=True)

    def once(part: str) -> None:
        config = [word for path in files(quick, part) for word in ("--config", path)]
        processes.call(f"messages: {part}", ["compare", *config, "--seeds", settings.seeds(quick), "--threads", 1, "--output", folder / part, "--quiet"])

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(once, PARTS))


# ---- what a codec says -------------------------------------------------------------------------------------------------
def index_bits(p: int, kept: int) -> int:
    """Of the shorter of two codes: Elias–Fano, or a bit a coordinate."""
    low = (p // kept).bit_length() - 1
    return 0 if kept == p else min(p, kept * low + kept + -(-p // 2**low))


def vector_bytes(codec: str, p: int) -> int:
    name, _, share = codec.partition(":")
    if name == "exact":
        return p * FLOAT // 8
    if name == "top-k":
        kept = max(1, int(float(share) * p + 0.5))
        return (kept * FLOAT + index_bits(p, kept) + 7) // 8
    raise StudyError(f"{settings.FOLDER}/messages.ini: codec {codec}: its format is not known here")


def message_bytes(algorithm: str, codec: str, p: int) -> int:
    row = settings.rows()[algorithm]
    return sum(one["vectors"] for one in row["messages"]) * vector_bytes(codec, p) + row["message_scalars"] * FLOAT // 8


# ---- what the traces say -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Figures:
    """Of one run. A message is what a node sends to one other in an exchange: as many vectors as its algorithm has."""
    loss: tuple[float, float]  # at the start, at the end
    accuracy: tuple[float, float]  # of test images
    iterations: float
    coordinates: int
    message: tuple[float, float]  # bytes: least, most
    charged: tuple[float, float]  # the same, by what the clock took for an exchange
    messages: float  # of a node in an iteration
    apart: float  # the nodes from their mean, root of the mean square, over the mean's norm
    megabits: float  # sent by a node

    @property
    def trains(self) -> bool:
        return self.loss[1] < FALL * self.loss[0] and self.accuracy[1] > RIGHT


def figures_of(path: Path) -> Figures | None:
    """None where the run does not count."""
    with h5py.File(path, "r") as file:
        if not counts(file):
            return None
        progress, rounds, summary = file["progress"], file["rounds"], file["summary"].attrs
        sent, taken, mean = rounds["bytes_sent"][:], rounds["exchange_time"][:], file["model/mean"][:]
        kind, _, seconds = str(file["config"].attrs["link"]).partition(":")
        if kind != "paper":
            raise StudyError(f"{path}: has link {kind}; give paper:SECONDS, whose time follows from the bytes alone")
        charged = taken / float(seconds) * 16 * len(mean) / 8  # paper:T takes T for 16 bits a coordinate
        total = float(summary["total_bytes"])
        return Figures(loss=(float(progress["loss"][0]), float(progress["loss"][-1])),
                       accuracy=(float(progress["test_accuracy"][0]), float(progress["test_accuracy"][-1])),
                       iterations=float(summary["iterations"]), coordinates=len(mean), message=(float(sent.min()), float(sent.max())),
                       charged=(float(charged.min()), float(charged.max())), messages=total / float(sent.sum()),
                       apart=float(np.sqrt(progress["consensus_error"][-1]) / np.linalg.norm(mean)), megabits=8e-6 * total / sent.shape[1])


@dataclass(frozen=True)
class Runs:
    folder: Path
    part: str
    algorithm: str
    codec: str

    @cached_property
    def paths(self) -> dict[int, Path]:
        return runs_of(self.folder / self.part, self.algorithm)

    @cached_property
    def figures(self) -> dict[int, Figures]:
        return {seed: found for seed, path in self.paths.items() if (found := figures_of(path))}

    @property
    def losses(self) -> dict[int, float]:
        return {seed: one.loss[1] for seed, one in self.figures.items()}

    @property
    def says(self) -> int:
        return message_bytes(self.algorithm, self.codec, next(iter(self.figures.values())).coordinates)

    @property
    def agrees(self) -> bool:
        """Every message of every run, as recorded and as charged; the clock is in float32 or better."""
        return all(one.message == (self.says, self.says) and max(abs(value - self.says) for value in one.charged) < 1e-4 * self.says
                   for one in self.figures.values())

    @property
    def finding(self) -> str:
        if len(self.figures) < len(self.paths):
            return "not decided: runs do not count"
        trained = sum(one.trains for one in self.figures.values())
        return "trains" if trained == len(self.paths) else f"trains in {trained} of {len(self.paths)} runs"


def against_reference(found: list[Runs]) -> dict[tuple[str, str], str]:
    """Whose end has the lower loss, paired by seed within a part, all of them corrected together."""
    family = {}
    for one in found:
        reference = next(other for other in found if other.part == one.part and other.algorithm == REFERENCE)
        if one is not reference and one.losses and reference.losses:
            family[f"{one.part} {one.algorithm} lower"] = list(ratios(reference.losses, one.losses).values())
            family[f"{one.part} {one.algorithm} higher"] = list(ratios(one.losses, reference.losses).values())
    clear = {key for key, one in compare(family).items() if one.is_clear}
    return {(one.part, one.algorithm): next((word for word in ("lower", "higher") if f"{one.part} {one.algorithm} {word}" in clear), "not told apart")
            for one in found if one.algorithm != REFERENCE}


# ---- the page ----------------------------------------------------------------------------------------------------------
def pair_text(pairs: list[tuple[float, float]]) -> str:
    return f"{estimate(pair[0] for pair in pairs).median:.3g} → {estimate(pair[1] for pair in pairs).text()}"


def span(values: list[float]) -> str:
    return f"{min(values):,.0f}" if max(values) - min(values) < 0.5 else f"{min(values):,.0f} to {max(values):,.0f}"


def training_row(one: Runs, found: list[Runs], told: dict[tuple[str, str], str]) -> list[str]:
    own = list(one.figures.values())
    reference = next(other for other in found if other.part == one.part and other.algorithm == REFERENCE)
    missing = len(one.paths) - len(own)
    if not own:
        return [one.algorithm, one.codec, *["–"] * 7, f"{missing} of {len(one.paths)}"]
    over = ratios(one.losses, reference.losses) if one is not reference else {}
    return [one.algorithm, one.codec, one.finding, pair_text([f.accuracy for f in own]), pair_text([f.loss for f in own]),
            f"{estimate(over.values()).text()}×, {told[one.part, one.algorithm]}" if over else "–", estimate(f.apart for f in own).text(digits=2),
            f"{estimate(f.iterations for f in own).median:,.0f}", f"{estimate(f.megabits for f in own).median:,.3g}",
            f"{missing} of {len(one.paths)}" if missing else "none"]


def message_row(one: Runs, found: list[Runs]) -> list[str]:
    own = list(one.figures.values())
    if not own:
        return [one.algorithm, one.codec, *["–"] * 6]
    exact = vector_bytes("exact", own[0].coordinates)
    return [one.algorithm, one.codec, estimate(f.messages for f in own).text(), span([value for f in own for value in f.message]),
            span([value for f in own for value in f.charged]), f"{one.says:,}", "yes" if one.agrees else "NO", f"{exact / one.says:.3g}×"]


def sentences(found: list[Runs], told: dict[tuple[str, str], str]) -> list[str]:
    lines = []
    for one in found:
        own = list(one.figures.values())
        if one.algorithm == REFERENCE or not own:
            continue
        accuracy = estimate(f.accuracy[1] for f in own)
        sends = {f.messages for f in own}
        count = "exactly one message" if sends == {1.0} else f"{estimate(sends).median:.3g} messages (median)"
        lines.append(f"**{one.algorithm}** with {'exact models' if one.codec == 'exact' else one.codec} {one.finding}: {100 * accuracy.median:.1f} % of the test images right at the end, with {count} "
                     f"an iteration of a node, each of {one.says:,} bytes{'' if one.agrees else ', which is NOT what the traces have'}. Its loss at the end is "
                     f"{told.get((one.part, one.algorithm), 'not told apart')} {'than' if told.get((one.part, one.algorithm)) in ('lower', 'higher') else 'from'} "
                     f"that of {REFERENCE} in the same time.")
    return lines


def write_page(folder: Path, quick: bool, output: Path) -> None:
    from .field_page import SHOWN, table

    found, sections = [], []
    for part in PARTS:
        options = options_of(files(quick, part))
        codecs = dict(pair.split("=", 1) for pair in split_list(options["codec"]) if "=" in pair)
        found += [Runs(folder, part, name, codecs.get(name, "exact")) for name in split_list(options["algorithms"])]
    know([[getattr(f, name) for f in one.figures.values()] for one in found for name in ("messages", "apart", "iterations", "megabits")])
    told = against_reference(found)
    paths = [path for one in found for path in one.paths.values()]
    for part in PARTS:
        options, own = options_of(files(quick, part)), [one for one in found if one.part == part]
        sections += [f"## {options['graph']}", "", f"{', '.join(f'{name} {options[name]}' for name in SHOWN if name in options)}; {options['max-time']} s for each; "
                     f"alpha {options['alpha']}" + (f"; gamma {options['gamma']}" if options["gamma"] != "auto" else "") + ".",
                     *table(["algorithm", "codec", "finding", "test accuracy, start → end", "loss, start → end", f"loss at the end over that of {REFERENCE}",
                             "nodes from their mean, over its norm", "iterations", "Mbit sent by a node", "runs that do not count"],
                            [training_row(one, found, told) for one in own]),
                     *table(["algorithm", "codec", "messages an iteration, of a node", "bytes of a message, recorded", "by what the clock took",
                             "by the codec's format", "the same in all", "less than an exact model"], [message_row(one, found) for one in own])]
    lines = head(TITLE, "messages", quick, paths, "runs in virtual time", ". The same bits on every machine with the same build", "generated digits, short runs, few seeds")
    lines += ["Shards by label: a node has one or two of the ten classes, so it learns the others from what it is sent alone.", "",
              *(f"{k}. {line}" for k, line in enumerate(sentences(found, told), 1)), "",
              f"*Trains*: in every run the loss of the mean model ends below {FALL:g} of that at the start, and more than {100 * RIGHT:.0f} % of the test images are right; the labels of "
              "one node give 22 % at most. All get the same time on the clock that charges the bits on the wire. Their steps are from searches that the files tell of, and not from equal ones: who has the lower loss is said of these steps alone. "
              f"{spread_text(len(found[0].paths))}; *lower*, *higher*: clearly, paired by seed, corrected for all together.", "",
              "Messages are all bytes sent over those of one message of each node and iteration. In virtual time no cable is measured: *recorded* is what each round of the trace has, "
              "*by what the clock took* is the time of an exchange turned back into bytes (`paper:T` takes T seconds for 16 bits a coordinate), and the format is reckoned by this page "
              "from p and the codec alone: top-k sends k float32 values and their indices in Elias–Fano code, beer two such vectors, sgp a float32 push-sum weight beside its model.", ""]
    if not quick:
        lines += ["On this one-peer graph each node also hears one, so the push-sum weights stay 1: sgp takes the steps of dsgd-atc there, and is told from dsgd by the order of gradient and mixing.", ""]
    write(output, lines + sections, list(dict.fromkeys(path for part in PARTS for path in files(quick, part))))
