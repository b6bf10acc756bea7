#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The analysis tests: run.sh PYTHON first-page|pages|docs|studies|figures|report|page. The first three run the documentation's
# commands: of README.md, of the pages of src and analysis, all others. `page` needs a browser, `report` is everything that
# no other part names.
# Exit status: 0 all pass, 1 not, 77 what they need is not installed.
set -u
python=$1 part=$2
cd "$(dirname "$0")" || exit 1
set -f  # names of tests have brackets

skip() {
  echo "SKIPPED: $1; $2 (apt-get install $3)" >&2
  exit 77
}

for package in pytest h5py numpy matplotlib jinja2; do
  "$python" -c "import $package" 2>/dev/null || skip "$python has no $package" 'THE ANALYSIS WAS NOT TESTED' "python3-$package"
done
export PYTHONDONTWRITEBYTECODE=1
if [ "$part" = page ]; then
  what='THE PAGE WAS NOT TESTED IN A BROWSER'
  "$python" -c 'import selenium' 2>/dev/null || skip "$python has no selenium" "$what" python3-selenium
  command -v chromium chromium-browser >/dev/null 2>&1 || skip 'no chromium' "$what" chromium
  command -v chromedriver >/dev/null 2>&1 || skip 'no chromedriver' "$what" chromium-driver
  exec "$python" -m pytest -q -rs -p no:cacheprovider test_page.py
fi
docs=test_docs.py
commands='test_docs.py::test_every_command_of_the_page_runs'
first="${commands}[README.md]"
pages="${commands}[src/README.md] ${commands}[analysis/README.md]"
studies='test_choco.py test_field.py test_lenet.py test_study.py test_theory.py'
figures='test_figures.py test_report.py test_tables.py'
# shellcheck disable=SC2086  # several words
case $part in
  first-page) set -- $first ;;
  pages) set -- $pages ;;
  docs)
    set -- $docs
    for test in $first $pages; do set -- "$@" "--deselect=$test"; done ;;
  studies) set -- $studies ;;
  figures) set -- $figures ;;
  *)
    set -- . --ignore=test_page.py
    for file in $docs $studies $figures; do set -- "$@" "--ignore=$file"; done ;;
esac
exec "$python" -m pytest -q -rs -p no:cacheprovider --durations=5 "$@"
