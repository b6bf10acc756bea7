#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# other.sh TEST_BLAS QUANTIMED: both with BLIS in OpenBLAS's place, wherever Debian has put one: the rules hold, a run
# trains, and its account says which library it was. 77: none is installed (apt-get install libblis4-pthread).
# QUANTIMED_OTHER_BLAS gives another library to try.
set -euo pipefail
test_blas=$1 quantimed=$2
shopt -s nullglob
libraries=("${QUANTIMED_OTHER_BLAS:-}" /usr/lib/*/blis-pthread/libblis.so.4 /usr/lib/*/blis-openmp/libblis.so.4)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
found=0
for library in "${libraries[@]}"; do
  [[ -e $library ]] || continue
  found=1
  echo "$library"
  LD_PRELOAD=$library "$test_blas" --gtest_brief=1
  info=$(LD_PRELOAD=$library "$quantimed" info)
  grep -E "blas(_configuration)? = " <<< "$info"
  if grep -q "blas = OpenBLAS" <<< "$info"; then
    echo "other.sh: the account names OpenBLAS, and $library multiplied"
    exit 1
  fi
  LD_PRELOAD=$library "$quantimed" run --nodes 4 --dataset digits --samples-per-node 50 --batch 16 --model mlp:10 \
    --algorithm dsgd --iterations 20 --evaluations 2 --quiet --output "$folder/t.h5" --overwrite
  LD_PRELOAD=$library "$quantimed" verify "$folder/t.h5"
done
((found)) || { echo "no BLIS is installed"; exit 77; }
