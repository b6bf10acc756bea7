# SPDX-License-Identifier: BSD-3-Clause
"""What a run's step sizes are for: `tune` finds some for all targets, and some that are best for one. The certificate that
it writes into tuned.ini has both, and every run of a comparison keeps it (src/command/certificate.hpp)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from .statistics import asked_targets
from quantimed.traces import Run

ALL = 0.0  # in the place of a target

Steps = dict[tuple[str, float], str]  # by algorithm and target


def certificate_of(run: Run) -> str:
    """"" where it has none, or one that knows no single target."""
    text = str(run.config.get("tuned-by") or "")
    return text if any(target != ALL for steps in _lists(text) for _, target in steps) else ""


def targets_of(run: Run) -> frozenset[float]:
    """The targets whose steps these are, ALL among them where they are those for all; ALL alone where nothing is known."""
    certificate = certificate_of(run)
    own = [run.config.get(name) for name in ("alpha", "epsilon")]
    found = [target for target in (ALL, *(asked_targets([run]) if certificate else []))
             if all(_is_same(_of(steps, run.algorithm, target), value) for steps, value in zip(_lists(certificate), own))]
    return frozenset(found or [ALL])


def for_all_targets(runs: Sequence[Run]) -> list[Run]:
    """Without those whose steps are for some target alone; all, where no others are there."""
    return [run for run in runs if ALL in targets_of(run)] or list(runs)


def _of(steps: Steps, algorithm: str, target: float) -> str | None:
    return steps.get((algorithm, target), steps.get((algorithm, ALL)))


def _is_same(certified: str | None, own: object) -> bool:
    """As numbers: a trace holds 1000.0 where the certificate says 1e+03. What is not certified is of no account."""
    if certified is None or certified == str(own):
        return True
    try:
        return float(certified) == float(str(own))
    except ValueError:  # 0.3*T^(-1/6)
        return False


@lru_cache(maxsize=64)
def _lists(certificate: str) -> tuple[Steps, Steps]:
    """Of alpha and of epsilon."""
    entries = dict(part.partition("=")[::2] for part in certificate.split("; "))
    return _steps(entries.get("alpha", "")), _steps(entries.get("epsilon", ""))


def _steps(text: str) -> Steps:
    """dsgd=0.9,dsgd@1.9=0.4"""
    found: Steps = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        algorithm, _, target = name.partition("@")
        try:
            found[algorithm, float(target) if target else ALL] = value
        except ValueError:  # a certificate that was changed; the program says so
            continue
    return found
