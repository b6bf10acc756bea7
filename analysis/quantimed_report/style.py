# SPDX-License-Identifier: BSD-3-Clause
"""One look for all figures: a colour for each algorithm, sizes for one column of a paper, PNG and PDF."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import font_manager  # noqa: E402  after the back end has been chosen
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

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
# Of all others: a colour and a line of their own, in the order in which a report meets them.
_COLOURS = (ORANGE, SKY, BLACK, GREY, "#882255", "#999933", "#332288", "#8C3B1F")
_LINES = ((0, (6, 1)), (0, (4, 1, 1, 1)), (0, (2, 1)), (0, (8, 2, 1, 2, 1, 2)))
_MARKERS = ("x", "v", "P", "*", "<", ">", "h", "d")
_others: dict[str, int] = {}

# None is an algorithm's colour, and time that is lost is pale.
PHASE_COLOURS = {"compute": "#4D4D4D", "encode": ORANGE, "publish": BLACK, "wait": "#DADADA", "exchange": SKY,
                 "mix": YELLOW, "record": "#9C7A4D"}

RC = {
    "figure.figsize": (3.5, 2.4),  # one column of a paper wide
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


class StyleError(Exception):
    """What the user asked for cannot be had; one line."""


@dataclass(frozen=True)
class Look:
    """What a paper asks for beside RC. Its width is that of the style file where none is given."""

    width: float | None = None  # inches
    font: str | None = None  # a family: serif, sans-serif, Times New Roman
    file: Path | None = None  # matplotlib's own format
    titles: bool = True


_look, _settings = Look(), dict(RC)


def wear(look: Look) -> None:
    """For all figures from now on. Raises StyleError."""
    global _look, _settings
    settings = dict(RC)
    if look.file is not None:
        settings |= _read_style(look.file)
    if look.width is not None:
        settings["figure.figsize"] = (look.width, settings["figure.figsize"][1])
    if look.font is not None:
        settings["font.family"] = _families(look.font)
    _look, _settings = look, settings


def _read_style(path: Path) -> dict[str, object]:
    try:
        read = matplotlib.rc_params_from_file(path, fail_on_error=True, use_default_template=False)
    except Exception as error:  # KeyError, ValueError, OSError, and what else the parser raises
        raise StyleError(f"--style {path}: {error}; give a file of matplotlib's, with lines like font.size: 8") from error
    return {name: value for name, value in read.items() if name not in plt.style.core.STYLE_BLACKLIST}


def _families(font: str) -> list[str]:
    if font in ("serif", "sans-serif", "monospace", "cursive", "fantasy"):
        return [font]
    try:
        font_manager.findfont(font, fallback_to_default=False)
    except ValueError:
        raise StyleError(f"--font {font}: not installed; give serif, sans-serif or the name of a font that is (fc-list : family)") from None
    return [font, "DejaVu Sans"]  # for signs that it lacks


def width() -> float:
    """Of a figure, in inches."""
    return float(_settings["figure.figsize"][0])


@contextmanager
def worn() -> Iterator[None]:
    """Within, matplotlib's defaults and the settings above: whatever the user's matplotlibrc says."""
    with plt.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_settings)
        yield


def label(algorithm: str) -> str:
    return _ALGORITHMS[algorithm][0] if algorithm in _ALGORITHMS else algorithm


def _place(algorithm: str) -> int:
    return _others.setdefault(algorithm, len(_others))


def colour(algorithm: str) -> str:
    """The same in all figures of a report."""
    if algorithm in _ALGORITHMS:
        return _ALGORITHMS[algorithm][1]
    return _COLOURS[_place(algorithm) % len(_COLOURS)]


def line_style(algorithm: str) -> str | tuple[int, tuple[int, ...]]:
    if algorithm in _ALGORITHMS:
        return _ALGORITHMS[algorithm][2]
    return _LINES[_place(algorithm) // len(_COLOURS) % len(_LINES)]


def marker(algorithm: str) -> str:
    return _ALGORITHMS[algorithm][3] if algorithm in _ALGORITHMS else _MARKERS[_place(algorithm) % len(_MARKERS)]


def in_order(algorithms: set[str] | list[str]) -> list[str]:
    """The known ones first, in the order of tables and legends."""
    known = list(_ALGORITHMS)
    return sorted(set(algorithms), key=lambda name: (known.index(name) if name in known else len(known), name))


def styled(draw: Callable[..., Figure | str]) -> Callable[..., Figure | str]:
    """Draws with the settings above, and leaves those of the caller as they were."""

    @functools.wraps(draw)
    def within(*given: object, **named: object) -> Figure | str:
        with worn():
            figure = draw(*given, **named)
            if isinstance(figure, Figure) and not _look.titles:
                for ax in figure.axes:
                    for place in ("left", "center", "right"):
                        ax.set_title("", loc=place)
            return figure

    return within


def png_bytes(figure: Figure) -> bytes:
    return saved(figure, "png")[0]


def save_pdf(figure: Figure, path: Path) -> None:
    path.write_bytes(saved(figure, "pdf")[0])


def save_png(figure: Figure, path: Path) -> None:
    path.write_bytes(png_bytes(figure))


def saved(figure: Figure, *kinds: str) -> list[bytes]:
    """The figure as a file of each kind, laid out once for all of them: that takes as long as drawing."""
    with worn():
        engine = figure.get_layout_engine() if hasattr(figure, "get_layout_engine") else None  # matplotlib 3.6 or later
        if engine is None:
            return [_file(figure, kind) for kind in kinds]
        engine.execute(figure)
        figure.set_layout_engine("none")
        try:
            return [_file(figure, kind) for kind in kinds]
        finally:
            figure.set_layout_engine(engine)  # for who changes it and saves it again


def _file(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    # Without the date the same study gives the same bytes.
    metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
    figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def close(figure: Figure) -> None:
    """Figures are kept until they are closed; a page of hundreds would fill the memory."""
    plt.close(figure)
