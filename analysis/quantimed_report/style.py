"""One look for all figures: a colour for each algorithm, sizes for one column of a paper, PNG and PDF."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402  after the back end has been chosen
from matplotlib.figure import Figure  # noqa: E402

COLUMN_INCHES = 3.5
PNG_DPI = 220

# Okabe and Ito: told apart by readers with any kind of colour vision, and by lightness in grey.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
GREY = "#7F7F7F"

_ALGORITHMS = {
    "quantimed-dsgd": ("QuanTimed-DSGD", BLUE, "-", "o"),
    "dsgd": ("DSGD", VERMILION, "--", "s"),
    "async-dsgd": ("async DSGD", GREEN, "-.", "^"),
    "q-dsgd": ("Q-DSGD", PURPLE, ":", "D"),
}
_OTHERS = (ORANGE, SKY, BLACK, GREY)

# None is an algorithm's colour, and time that is lost is pale.
PHASE_COLOURS = {"compute": "#4D4D4D", "encode": ORANGE, "publish": BLACK, "wait": "#DADADA", "exchange": SKY,
                 "mix": YELLOW, "record": "#9C7A4D"}

RC = {
    "figure.figsize": (COLUMN_INCHES, 2.4),
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "savefig.dpi": PNG_DPI,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7.5,
    "axes.titlesize": 7.5,
    "axes.titlepad": 4,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.linewidth": 0.4,
    "grid.color": "#D9D9D9",
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "patch.linewidth": 0.4,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


def label(algorithm: str) -> str:
    return _ALGORITHMS[algorithm][0] if algorithm in _ALGORITHMS else algorithm


def colour(algorithm: str) -> str:
    """The same everywhere; one that is not known here takes one of the colours that are left, by its name."""
    if algorithm in _ALGORITHMS:
        return _ALGORITHMS[algorithm][1]
    return _OTHERS[sum(algorithm.encode()) % len(_OTHERS)]


def line_style(algorithm: str) -> str:
    return _ALGORITHMS[algorithm][2] if algorithm in _ALGORITHMS else "-"


def marker(algorithm: str) -> str:
    return _ALGORITHMS[algorithm][3] if algorithm in _ALGORITHMS else "x"


def in_order(algorithms: set[str] | list[str]) -> list[str]:
    """The known ones first, in the order of tables and legends."""
    known = list(_ALGORITHMS)
    return sorted(set(algorithms), key=lambda name: (known.index(name) if name in known else len(known), name))


def styled(draw: Callable[..., Figure | str]) -> Callable[..., Figure | str]:
    """Draws with the settings above, and leaves those of the caller as they were."""

    @functools.wraps(draw)
    def within(*given: object, **named: object) -> Figure | str:
        with plt.rc_context(RC):
            return draw(*given, **named)

    return within


def png_bytes(figure: Figure) -> bytes:
    return _saved(figure, "png")


def save_pdf(figure: Figure, path: Path) -> None:
    path.write_bytes(_saved(figure, "pdf"))


def save_png(figure: Figure, path: Path) -> None:
    path.write_bytes(png_bytes(figure))


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    # Without the date the same study gives the same bytes.
    metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
    with plt.rc_context(RC):
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def close(figure: Figure) -> None:
    """Figures are kept until they are closed; a page of hundreds would fill the memory."""
    plt.close(figure)
