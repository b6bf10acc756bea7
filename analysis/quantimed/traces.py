# SPDX-License-Identifier: BSD-3-Clause
"""Traces in a folder: what can be read, what counts, and what was left out and why.

Opening a study reads attributes and curves only. What each node did in each iteration is read when a figure asks
for it, and is not kept: a study of hundreds of runs does not fit into memory.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import h5py
import numpy as np

SCHEMA = "quantimed-trace"
SCHEMA_VERSIONS = (2, 3)
STATUSES = ("running", "complete", "interrupted", "diverged")
PROGRESS = ("iteration", "time", "loss", "accuracy", "test_loss", "test_accuracy", "consensus_error",
            "gradient_norm_squared")

BOTH_CLOCKS = ("time_paper_bits", "time_wire_bits")
ENERGY = "energy_j"  # with --counters, where the machine tells it
DISTANCE = "distance_to_optimum"  # with --optimum

# The phases of an iteration in the order in which a node goes through them; together they are the whole iteration.
ROUND_ORDER = ("encode", "publish", "compute", "wait", "exchange", "mix", "record")
LATE_ORDER = ("compute", "encode", "publish", "wait", "exchange", "mix", "record")  # what depends on the gradient
NEWEST_ORDER = ("compute", "wait", "exchange", "mix", "encode", "publish", "record")
_NEWEST_BEFORE = "async-dsgd"  # of traces that do not say their delivery

# Of /data: the word for people, and the attribute.
CONTENTS = (("data", "fingerprint"), ("graph file", "graph_fingerprint"), ("speed file", "speed_fingerprint"),
            ("machine file", "machine_fingerprint"))

_SEAL = re.compile(rb"quantimed-trace-crc32:([0-9a-f]{8})\n\n")
_SEAL_BYTES = 32
# What h5py raises for files that are damaged, of others, or not HDF5 at all.
_UNREADABLE = (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError, OverflowError,
               MemoryError)


class ReportError(Exception):
    """What a user can fix, in one line."""


def phase_order(run: Run) -> tuple[str, ...]:
    if not run.sends_early:
        return LATE_ORDER
    return NEWEST_ORDER if run.is_newest else ROUND_ORDER


@dataclass(frozen=True)
class Skipped:
    path: Path
    why: str


@dataclass(frozen=True)
class Run:
    path: Path
    algorithm: str
    engine: str
    dataset: str
    seed: int
    nodes: int
    status: str
    verdict: str
    created: str
    software_version: str
    commit: str
    ini: str  # repeats the run
    config: dict[str, object] = field(repr=False)
    environment: dict[str, object] = field(repr=False)
    summary: dict[str, object] = field(repr=False)
    network: dict[str, object] = field(repr=False)  # beta, spectral_gap
    progress: dict[str, np.ndarray] = field(repr=False)  # PROGRESS, [K] each
    data: dict[str, object] = field(default_factory=dict, repr=False)  # what was read; empty in traces of 0.1.0
    replay: str = ""  # by `quantimed verify --replay`: "bit-exact", or where it differs; empty: not tried

    @property
    def why_not(self) -> str:
        """Why the run's figures are not used; empty when they are."""
        if self.status == "running":
            return "unfinished: still running, or killed"
        if self.status == "interrupted":
            return "unfinished: stopped by a signal"
        if self.status == "diverged":
            return "diverged"
        if self.verdict != "VALID":
            return self.verdict
        if not np.all(np.isfinite(self.progress["loss"])):
            return "its loss is not finite, although it says that it is complete"
        return ""

    @property
    def contents(self) -> dict[str, str]:
        """What the run read beside its options, by content: a name does not say whether a file has changed since.
        Generated data follow from the seed, so they are the same setting's although their contents differ."""
        if not self.data:
            return {"data": f"unknown (traces of version {self.software_version} do not say)"}
        found = {word: str(self.data[name])[:8] for word, name in CONTENTS if self.data.get(name)}
        if self.data.get("format") == "generated":
            found["data"] = "generated"
        return found

    @property
    def is_newest(self) -> bool:
        """Whether it takes the newest messages, or averages with one neighbour at a time, so that there are no rounds."""
        return self.config.get("delivery", "newest" if self.algorithm == _NEWEST_BEFORE else "round") != "round"

    @property
    def is_pairwise(self) -> bool:
        return self.config.get("delivery") == "pairwise"

    @property
    def sends_early(self) -> bool:
        """Whether what a round sends is known before its gradient; of earlier traces always."""
        return bool(self.config.get("sends_early", True))

    @property
    def counts(self) -> bool:
        return self.why_not == ""

    @property
    def name(self) -> str:
        return re.sub(r"\.h5(\.partial)?$", "", self.path.name)

    @property
    def kind(self) -> str:
        """Which command left it, by its name: run, strong, weak, predicted or measured."""
        scaling = re.fullmatch(r"(strong|weak)-.+-n\d+-repeat\d+", self.name)
        if scaling:
            return scaling[1]
        if re.fullmatch(r"predicted-.+-n\d+", self.name):
            return "predicted"
        return "measured" if re.fullmatch(r"measured-.+-repeat\d+", self.name) else "run"

    @property
    def repeat(self) -> int:
        found = re.search(r"-repeat(\d+)$", self.name)
        return int(found[1]) if found else 1

    def number(self, name: str) -> float:
        """A figure of /summary; NaN where there is none."""
        value = self.summary.get(name)
        return float(value) if isinstance(value, (int, float)) else float("nan")

    def rounds(self, name: str) -> np.ndarray:
        """[iterations, n], NaN beyond a node's last iteration."""
        with _reading(self.path) as file:
            values = file[f"rounds/{name}"][()]
        if values.ndim != 2 or values.shape[1] != self.nodes:
            raise ReportError(f"{self.path}: /rounds/{name} has shape {values.shape}, not [iterations, {self.nodes}]")
        return values

    def units(self, group: str) -> dict[str, str]:
        """Of each column of /progress, /rounds or /timeline."""
        with _reading(self.path) as file:
            return {name: str(_plain(column.attrs.get("unit", ""))) for name, column in file.get(group, {}).items()}

    def has_timeline(self) -> bool:
        with _reading(self.path) as file:
            return "timeline/start" in file and file["timeline/start"].shape[0] > 0

    def timeline(self) -> dict[str, np.ndarray]:
        """node, iteration, phase, start and end, [events] each; empty without --timeline."""
        with _reading(self.path) as file:
            return {name: column[()] for name, column in file.get("timeline", {}).items()}

    def classes(self) -> dict[str, np.ndarray]:
        """`label` and `samples` [C], and `accuracy` [K, C] of each class at each point of the curve; empty in regression, of
        more than 1,000 classes, and in traces of versions without it."""
        with _reading(self.path) as file:
            found = {name: column[()] for name, column in file.get("classes", {}).items()}
        if found:
            count, points = len(found["label"]), len(self.progress["time"])
            if found["samples"].shape != (count,) or found["accuracy"].shape != (points, count):
                raise ReportError(f"{self.path}: the data sets of /classes do not fit each other and the curve")
        return found

    def classes_of(self) -> str:
        """Whose accuracy that is: of the "test" or the "training" set; empty where there is none."""
        with _reading(self.path) as file:
            return str(_plain(file["classes"].attrs["set"])) if "classes" in file else ""

    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Edges [E, 2], their weights [E], and each node's own weight [n]."""
        with _reading(self.path) as file:
            edges, weights, own = (file[f"network/{name}"][()] for name in ("edges", "weights", "self_weights"))
        edges = edges.reshape(-1, 2).astype(np.int64)
        fits = own.shape == (self.nodes,) and weights.shape == edges.shape[:1]
        if not fits or np.any((edges < 0) | (edges >= self.nodes)):
            raise ReportError(f"{self.path}: /network does not fit {self.nodes} nodes")
        return edges, weights, own


@dataclass(frozen=True)
class Study:
    folder: Path
    runs: list[Run]
    skipped: list[Skipped]

    @property
    def counted(self) -> list[Run]:
        return [run for run in self.runs if run.counts]


@contextmanager
def _reading(path: Path) -> Iterator[h5py.File]:
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except _UNREADABLE as error:
        raise ReportError(f"{path}: cannot be read: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _plain(value: object) -> object:
    """An attribute as Python has it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _attributes(place: h5py.HLObject) -> dict[str, object]:
    return {name: _plain(value) for name, value in place.attrs.items()}


class Seal(Enum):
    """A checksum after HDF5's own end. HDF5's tools, h5py among them, cut it off when they change a file."""

    FITS = ""
    GONE = "its seal is gone: changed since it was written"
    WRONG = "damaged: its checksum does not fit"


def _seal(path: Path) -> Seal:
    """HDF5 can hang or crash on damage that it does not notice, so this comes first."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < _SEAL_BYTES:
            return Seal.GONE
        file.seek(size - _SEAL_BYTES)
        found = _SEAL.fullmatch(file.read())
        if not found:
            return Seal.GONE
        file.seek(0)
        checksum, left = 0, size - _SEAL_BYTES
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            checksum = zlib.crc32(block, checksum)
            left -= len(block)
    return Seal.FITS if checksum == int(found[1], 16) else Seal.WRONG


def _replay(path: Path) -> str:
    """The verdict that `quantimed verify --replay` has left beside the trace, if it is of this very one."""
    try:
        lines = path.with_name(path.name + ".replay").read_text(encoding="utf-8", errors="replace")[:10_000].splitlines()
        with path.open("rb") as file:
            file.seek(-_SEAL_BYTES, 2)
            seal = file.read().decode("ascii", "replace").strip()
    except (OSError, ValueError):
        return ""
    said = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return said.get("verdict", "") if lines[:1] == ["# quantimed replay"] and said.get("seal") == seal else ""


def _why_not_sealed(path: Path) -> str:
    """A file without a seal is either no trace of ours or one that somebody has changed; nothing more is read of it."""
    with _reading(path) as file:
        ours = _plain(file.attrs.get("schema")) == SCHEMA
    return Seal.GONE.value if ours else "HDF5, but no trace of quantimed"


def _progress(file: h5py.File) -> dict[str, np.ndarray]:
    curves = {name: np.asarray(file[f"progress/{name}"][()], dtype=float) for name in PROGRESS}
    lengths = {values.shape for values in curves.values()}
    if len(lengths) != 1 or curves["time"].ndim != 1:
        raise ReportError("the columns of /progress differ in length")
    for name in ("time", "iteration"):
        values = curves[name]
        if not np.all(np.isfinite(values)):
            raise ReportError(f"the {name} of /progress is not a number at point {int(np.argmin(np.isfinite(values)))}")
        if np.any(values < 0) or np.any(np.diff(values) < 0):
            raise ReportError(f"the {name} of /progress runs backwards")
    for name in ("loss", "test_loss"):  # none that we have is below 0; rounding may be, by a little
        if np.any(curves[name] < -1e-6):
            raise ReportError(f"the {name} of /progress is below 0 at point {int(np.argmax(curves[name] < -1e-6))}")
    for name in (*BOTH_CLOCKS, ENERGY, DISTANCE):  # where the run has it
        if f"progress/{name}" in file and file[f"progress/{name}"].shape == curves["time"].shape:
            curves[name] = np.asarray(file[f"progress/{name}"][()], dtype=float)
    return curves


def _of_type(config: dict[str, object], name: str, kind: type) -> object:
    value = config[name]
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ReportError(f"{name} of /config is {value!r}, not a {'text' if kind is str else 'whole number'}")
    return value


def _seed(config: dict[str, object]) -> int:
    """Beyond 2^63 a seed is kept as a floating-point number."""
    seed = config["seed"]
    return int(seed) if isinstance(seed, float) and seed >= 2**63 else int(_of_type(config, "seed", int))


def _read(path: Path) -> Run:
    with _reading(path) as file:
        root = _attributes(file)
        if root.get("schema") != SCHEMA:
            raise ReportError("HDF5, but no trace of quantimed")
        if root.get("schema_version") not in SCHEMA_VERSIONS:
            raise ReportError(f"schema version {root.get('schema_version')}; this report reads "
                              + " and ".join(map(str, SCHEMA_VERSIONS)))
        status, config = str(root["status"]), _attributes(file["config"])
        if config.get("samples-per-node") == "auto" and "samples_per_node_value" in config:
            config["samples-per-node"] = config["samples_per_node_value"]  # as told in settings and tables
        if status not in STATUSES:
            raise ReportError(f"its status '{status}' is none of {', '.join(STATUSES)}")
        run = Run(path=path, status=status, verdict=str(root["verdict"]), created=str(root.get("created", "")),
                  software_version=str(root.get("software_version", "")), commit=str(root.get("commit", "")),
                  algorithm=_of_type(config, "algorithm", str), engine=_of_type(config, "engine", str),
                  dataset=str(config["dataset"]), seed=_seed(config), nodes=_of_type(config, "nodes", int), config=config,
                  ini=str(_plain(file["config/ini"][()])), environment=_attributes(file["environment"]),
                  summary=_attributes(file["summary"]), network=_attributes(file["network"]),
                  progress=_progress(file), data=_attributes(file["data"]) if "data" in file else {}, replay=_replay(path))
    if run.counts and (run.nodes < 1 or len(run.progress["loss"]) == 0):
        raise ReportError("complete, but without nodes or without a curve")
    return run


def _why_unreadable(path: Path, error: Exception) -> str:
    if path.name.endswith(".partial"):
        return "unfinished: a run that is going on, or was killed"
    if isinstance(error, ReportError) and not isinstance(error.__cause__, _UNREADABLE):
        return str(error).removeprefix(f"{path}: ")
    return ("a trace that is damaged or truncated: " + _one_line(error.__cause__ or error)
            if _looks_like_hdf5(path) else "not an HDF5 file")


def _looks_like_hdf5(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8) == b"\x89HDF\r\n\x1a\n"
    except OSError:
        return False


def _read_or_skip(path: Path) -> Run | Skipped:
    try:
        if not path.is_file():
            return Skipped(path, "not a plain file")
        seal = _seal(path)
        if seal is Seal.FITS:
            return _read(path)
        return Skipped(path, _why_not_sealed(path) if seal is Seal.GONE else seal.value)
    except PermissionError:
        return Skipped(path, "may not be read")
    except (ReportError, *_UNREADABLE) as error:
        return Skipped(path, _why_unreadable(path, error))


def load_study(folder: Path) -> Study:
    """Every trace below `folder`, in the order of their names. Raises ReportError where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such folder; give the one that `quantimed compare` wrote its traces to")
    paths = sorted(path for pattern in ("*.h5", "*.h5.partial") for path in folder.rglob(pattern))
    found = [_read_or_skip(path) for path in paths]
    study = Study(folder, [one for one in found if isinstance(one, Run)],
                  [one for one in found if isinstance(one, Skipped)])
    if study.runs:
        return study
    if not study.skipped:
        raise ReportError(f"{folder}: no traces (*.h5) in it or below it")
    first = study.skipped[0]
    raise ReportError(f"{folder}: none of its {len(found)} files is a trace that can be read; "
                      f"{first.path.name}: {first.why}")
