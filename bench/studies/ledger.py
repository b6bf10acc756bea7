# SPDX-License-Identifier: BSD-3-Clause
"""Where each number of the report comes from: [S3] stands beside it, and `bench/paper --trace S3` explains it."""
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from .statistics import Estimate, estimate
from .study_file import StudyError


class Ledger:
    def __init__(self) -> None:
        self.sources: dict[str, dict[str, object]] = {}

    def note(self, shown: str, how: str, files: Iterable[Path], values: Mapping[int, float] | None = None) -> str:
        """The text with its reference. `values` by seed: what the shown figure was computed from."""
        name = f"S{len(self.sources) + 1}"
        self.sources[name] = {"shown": shown, "how": how, "values": {str(k): v for k, v in (values or {}).items()},
                              "files": sorted({str(file) for file in files})}
        return f"{shown} [{name}]"

    def median(self, values: Mapping[int, float], how: str, files: Iterable[Path], unit: str = "",
               digits: int = 3, shown: str = "") -> tuple[str, Estimate]:
        """`shown`: instead of the median."""
        found = estimate(values.values())
        how += ("; median over seeds and their range" if not found.coverage else
                f"; median over seeds and an interval that holds the true one with {100 * found.coverage:.1f} %")
        return self.note(shown or found.text(unit, digits), how, files, values), found

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.sources, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def explain(path: Path, name: str) -> str:
    try:
        sources = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"{path}: not there; `make paper` writes it") from None
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read ({error}); `make paper` writes it again") from None
    if name not in sources:
        raise StudyError(f"--trace {name}: no such number; there are S1 to S{len(sources)}")
    source = sources[name]
    lines = [f"{name}: {source['shown']}", f"computed as: {source['how']}"]
    lines += [f"  seed {seed}: {value:.6g}" for seed, value in source["values"].items()]
    lines += ["from:"] + [f"  {file}{'' if Path(file).exists() else '   (not here now: run `make paper`)'}"
                          for file in source["files"]]
    return "\n".join(lines)
