# SPDX-License-Identifier: BSD-3-Clause
"""What the pages beside the field's share: whose runs they are, which of them count, and the files that they were made from."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py

from . import field_settings as settings
from .study_file import StudyError, as_blocks


def seeds_of(quick: bool) -> range:
    first, _, last = settings.seeds(quick).partition("-")
    return range(int(first), int(last) + 1)


def runs_of(folder: Path, algorithm: str) -> dict[int, Path]:
    """By seed."""
    found = {int(path.stem.rpartition("-seed")[2]): path for path in folder.glob(f"{algorithm}-seed*.h5")}
    if not found:
        raise StudyError(f"{folder}: has no run of {algorithm}; run without --report-only")
    return dict(sorted(found.items()))


def commit_of(path: Path) -> str:
    with h5py.File(path, "r") as file:
        return str(file.attrs["commit"])


def counts(file: h5py.File) -> bool:
    return str(file.attrs["verdict"]) == "VALID" and str(file.attrs["status"]) == "complete"


def of_no_commit(commits: Iterable[str]) -> list[str]:
    """A warning where there is cause."""
    if not any(commit.endswith("dirty") for commit in commits):
        return []
    return ["**The program was built from sources that are in no commit**: nobody can repeat this.", ""]


def head(title: str, page: str, quick: bool, paths: Sequence[Path], what: str, where: str, quick_is: str) -> list[str]:
    """`what`: these runs. `where`: after the commit. `quick_is`: what the quick form lacks."""
    commits = sorted({commit_of(path) for path in paths})
    lines = [title, "", f"Made by `bench/field/run{' --quick' if quick else ''} --pages {page}`: {len(paths)} {what}, program at commit {', '.join(commits)}{where}.", ""]
    if quick:
        lines += [f"**A smoke test and no finding**: {quick_is}.", ""]
    return lines + of_no_commit(commits)


def write(output: Path, lines: Sequence[str], files: Sequence[Path]) -> None:
    """The files that the runs were made from stand at the end."""
    order = ["Read one after the other, later lines win.", ""] if len(files) > 1 else []
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("\n".join([*lines, "# The files", "", *order, *as_blocks(files, "bench/field")]), encoding="utf-8")
