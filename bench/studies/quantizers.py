# SPDX-License-Identifier: BSD-3-Clause
"""The quantizers written again in NumPy, to measure their variance on trained models against the bounds.

Nothing is shared with src/codec. `measured` is E‖Q(x) − x‖², over draws; it must not exceed `bound`.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Variance:
    kind: str  # bounded | growing
    measured: float
    bound: float
    formula: str


def grid(x: np.ndarray, step: float, rng: np.random.Generator) -> np.ndarray:
    scaled = x / step
    down = np.floor(scaled)
    return step * (down + (rng.random(x.size) < scaled - down))


def sparsifier(x: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(x.size) < np.abs(x) / most, np.sign(x) * most, 0)


def qsgd(x: np.ndarray, levels: int, rng: np.random.Generator) -> np.ndarray:
    norm = float(np.linalg.norm(x))
    return np.sign(x) * norm * grid(np.abs(x) / norm, 1 / levels, rng) if norm > 0 else x


def variance(codec: str, x: np.ndarray, draws: int = 20) -> Variance | None:
    """None for codecs that do not round at random to a grid of their own."""
    x = x.astype(float)
    name, _, value = codec.partition(":")
    rng = np.random.default_rng(1)
    p = x.size
    if name in ("low-precision", "modulo", "rounding"):
        step = float(value.split(",")[0] or 1)
        quantize, bound, kind, formula = (lambda: grid(x, step, rng)), p * step**2 / 4, "bounded", "p Δ²/4"
    elif name == "sparsifier":
        most = float(value)
        if np.abs(x).max() > most:
            return None
        quantize, bound, kind, formula = (lambda: sparsifier(x, most, rng)), p * most**2 / 4, "bounded", "p M²/4"
    elif name == "qsgd":
        s = int(value)
        quantize, kind = (lambda: qsgd(x, s, rng)), "growing"
        bound, formula = min(p / s**2, np.sqrt(p) / s) * float(x @ x), "min(p/s², √p/s) ‖x‖²"
    else:
        return None
    measured = float(np.mean([np.sum((quantize() - x) ** 2) for _ in range(draws)]))
    return Variance(kind, measured, bound, formula)
