#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tests of what a user gets: run.sh PYTHON PART, which is test_PART.py.
# Exit status: 0 all pass, 1 not, 77 what they need is not installed.
set -u
python=$1 part=$2
cd "$(dirname "$0")" || exit 1
if ! "$python" -c 'import pytest, h5py' 2> /dev/null; then
  echo "SKIPPED: $python has no pytest or h5py; $part WAS NOT TESTED (apt-get install python3-pytest python3-h5py)" >&2
  exit 77
fi
export PYTHONDONTWRITEBYTECODE=1
exec "$python" -m pytest -q -rs -p no:cacheprovider --durations=5 "test_$part.py"
