# SPDX-License-Identifier: BSD-3-Clause
"""How every script here ends: what cannot be written to standard output is an error, a closed pipe ends quietly.

Python alone notices a full disk or a closed pipe only when it flushes after `main`, and then prints a traceback or
ends with a status that means nothing. Needs the standard library alone.
"""
from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

FAILED, REFUSED = 1, 4  # as the program: anything else, and a shortage of the machine's
SHORTAGES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class OutputRefused(BaseException):
    """Not an OSError: those that a `main` catches are of its own files."""


class _StandardOutput(io.FileIO):
    def write(self, data: object) -> int | None:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            raise OutputRefused(error.errno or errno.EIO, error.strerror or "") from None


def end_with(main: Callable[[], int | None]) -> NoReturn:
    """Calls it and ends the process with the status that it returns, or with what standard output says of it."""
    status: object = 0
    refusal: OutputRefused | None = None
    _watch()
    try:
        try:
            status = main()
        except SystemExit as end:  # argparse
            status = end.code
        if sys.stdout is not None:
            sys.stdout.flush()
    except OutputRefused as refused:
        refusal = refused
    if refusal is None:
        sys.exit(status)
    number, reason = refusal.args
    _forget_the_rest()
    if number == errno.EPIPE:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    print(f"{Path(sys.argv[0]).name}: standard output cannot be written: {reason}; free some space, or send it elsewhere",
          file=sys.stderr)
    sys.exit(status if status not in (0, None) else REFUSED if number in SHORTAGES else FAILED)


def _watch() -> None:
    try:
        number = sys.stdout.fileno()
        raw = _StandardOutput(number, "wb", closefd=False)
    except (AttributeError, OSError, ValueError):  # closed by the caller, or not a file at all
        if sys.stdout is None:
            sys.stdout = io.TextIOWrapper(_Nowhere(), write_through=True)
        return
    sys.stdout.flush()
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), encoding=sys.stdout.encoding, errors=sys.stdout.errors,
                                  line_buffering=sys.stdout.line_buffering)


class _Nowhere(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise OutputRefused(errno.EBADF, os.strerror(errno.EBADF))


def _forget_the_rest() -> None:
    """What is still buffered must not be tried, and refused, once more at the interpreter's end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
