# SPDX-License-Identifier: BSD-3-Clause
"""How slurm/submit, status and collect begin: with a Python that has the packages, and errors in one line."""
from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTION = "/usr/bin/python3"
BAD_INPUT, NO_PACKAGES = 2, 4
MODULES = {"scaling-table": "scaling"}  # where they are called otherwise


def start(name: str) -> int:
    # The distribution's packages belong to the distribution's Python, which need not be the first on the path.
    if importlib.util.find_spec("h5py") is None:
        if os.access(DISTRIBUTION, os.X_OK) and Path(sys.executable).resolve() != Path(DISTRIBUTION).resolve():
            os.execv(DISTRIBUTION, [DISTRIBUTION, *sys.argv])
        print(f"{name}: needs Python's h5py and NumPy: apt-get install python3-h5py, or a module", file=sys.stderr)
        return NO_PACKAGES
    # See surviving.sh. HDF5 reads it when h5py is imported.
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ROOT / "bench"))
    from studies.study_file import StudyError
    # What its user started is the batch script that looks at earlier runs.
    told = os.environ.get("QUANTIMED_BATCH_SCRIPT", name) if name == "earlier" else name
    try:
        return importlib.import_module(f"cluster.{MODULES.get(name, name)}").main(sys.argv[1:])
    except StudyError as error:
        print(f"{told}: {error}", file=sys.stderr)
    except BrokenPipeError:
        return 0
    except OSError as error:
        print(f"{told}: {error.filename or 'system'}: {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return BAD_INPUT
