#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tests of quantimed-mpi: run.sh PYTHON agree|surroundings|failures. QUANTIMED_MPI_PROGRAMS: what was built, separated by
# colons. Exit status: 0 all pass, 1 not, 77 what they need is not installed.
set -u
python=$1 part=$2
cd "$(dirname "$0")" || exit 1

skip() {
  echo "SKIPPED: $1; NOTHING OVER MPI WAS TESTED" >&2
  exit 77
}

[ -n "${QUANTIMED_MPI_PROGRAMS:-}" ] || skip "no MPI was found when this was built (apt-get install libopenmpi-dev openmpi-bin, or libmpich-dev mpich)"
for package in pytest h5py numpy; do
  "$python" -c "import $package" 2> /dev/null || skip "$python has no $package (apt-get install python3-$package)"
done
export PYTHONDONTWRITEBYTECODE=1
why=$("$python" -c 'import fleet; print(fleet.why_not())')
[ -z "$why" ] || skip "$why"
exec "$python" -m pytest -q -rs -p no:cacheprovider "test_mpi_$part.py"
