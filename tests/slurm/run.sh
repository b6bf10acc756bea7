#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The SLURM tests: run.sh PYTHON offline|cluster|failures|scripts|machines. All but `offline` need a SLURM, `machines`
# an MPI, too: QUANTIMED_MPI_PROGRAMS, what was built with one, separated by colons.
# Exit status: 0 all pass, 1 not, 77 what they need is not installed.
set -u
python=$1 part=$2
cd "$(dirname "$0")" || exit 1

skip() {
  echo "SKIPPED: $1; THE STUDIES ON SLURM WERE NOT TESTED" >&2
  exit 77
}

for package in pytest h5py numpy matplotlib jinja2; do
  "$python" -c "import $package" 2> /dev/null || skip "$python has no $package (apt-get install python3-$package)"
done
export PYTHONDONTWRITEBYTECODE=1
if [ "$part" != offline ]; then
  why=$("$python" -c 'import box; print(box.why_not())')
  [ -z "$why" ] || skip "$why"
fi
if [ "$part" = machines ] && [ -z "${QUANTIMED_MPI_PROGRAMS:-}" ]; then
  skip "no MPI was found when this was built (apt-get install libopenmpi-dev openmpi-bin, or libmpich-dev mpich)"
fi
exec "$python" -m pytest -q -rs -p no:cacheprovider "test_$part.py"
