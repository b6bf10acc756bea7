# SPDX-License-Identifier: BSD-3-Clause
# The outer build: one word a job, CMake below. `make help` lists the words.
.PHONY: all build/quantimed deps run paper field theory report test install deb asan tsan models fuzz valgrind bench coverage format format-check \
  tidy cppcheck shellcheck warnings clean help
.NOTPARALLEL:           # prerequisites in their order: first the packages, then the build
.ONESHELL:              # a recipe is one script …
.SHELLFLAGS := -euc     # … that ends at its first failure
.DEFAULT_GOAL := all

JOBS := $(shell nproc)
# Two more tests than cores: those of SLURM, and some others, mostly wait.
CTEST := --output-on-failure --no-tests=error -j $(shell expr $(JOBS) + 2)

# $(call build,PRESET,FOLDER[,--target …]): configures where that has not succeeded yet, then builds all; CMake notices changes.
define build
if [ ! -f $(2)/.configured ]; then
  generator=
  if [ ! -f $(2)/CMakeCache.txt ] && command -v ninja > /dev/null; then generator="-G Ninja"; fi
  cmake --preset $(1) $$generator
  touch $(2)/.configured
fi
cmake --build $(2) -j $(JOBS) $(3)
endef
# $(call need,TOOL ...): names the first of the tools that is here, or the one to install.
need = $(or $(firstword $(foreach tool,$(1),$(shell command -v $(tool)))),$(error needs $(lastword $(1)); apt-get install $(lastword $(1))))
SOURCES = $(shell find src tests bench -name '*.[ch]pp')

all: $(if $(MPI),deps) ## build/quantimed, its tests and benchmarks; MPI=1: installs Open MPI if there is no MPI, for build/quantimed-mpi
	@$(call build,release,build)

build/quantimed: ## the program alone
	@$(call build,release,build,--target quantimed)

# The distribution's Python has the distribution's packages.
REPORT = $(firstword $(wildcard /usr/bin/python3) python3) analysis/quantimed-report

run: deps build/quantimed ## the main job: the four algorithms head to head, in virtual time and on this machine's cores; STEPS=published
	@bench/first-run $(STEPS)

report: deps ## a page, figures and tables of the traces in a folder: make report STUDY=runs/compare-virtual
	@$(REPORT) "$(or $(STUDY),runs)" $(REPORT_OPTIONS)

paper: deps build/quantimed ## repeats the paper and judges its claims, into results/paper.md; QUICK=1: in minutes, and the small form of bench/lenet
	@bench/paper $(if $(QUICK),--quick) $(PAPER_OPTIONS)
	$(if $(QUICK),bench/lenet/run --quick --where-it-is)

field: deps build/quantimed ## fifteen algorithms tuned and compared in ten settings, into results/field.md; QUICK=1: in minutes
	@bench/field/run $(if $(QUICK),--quick) $(FIELD_OPTIONS)

theory: deps build/quantimed ## the theorems' rates by experiment, into results/theory.md
	@bench/theory $(THEORY_OPTIONS)

test: deps all ## everything that must hold
	@status=0; ctest --test-dir build $(CTEST) || status=$$?
	[ $$status = 0 ] || tests/what-failed build/Testing/Temporary/LastTest.log
	exit $$status

PREFIX := /usr/local
install: deps ## program, library, report, studies, SLURM scripts, manual page and completion: make install PREFIX=/where
	@$(call build,release,build,--target quantimed quantimed-double quantimed_library)
	cmake --install build --prefix "$$(realpath -m -- "$(PREFIX)")"

# Portable, so that it runs on machines that are not this one.
deb: deps ## a package for this distribution, in build/deb
	@if [ ! -f build/deb/CMakeCache.txt ]; then
	  cmake -S . -B build/deb -DCMAKE_BUILD_TYPE=Release -DQUANTIMED_NATIVE=OFF > /dev/null
	fi
	cmake --build build/deb -j $(JOBS) --target quantimed quantimed-double quantimed_library
	cd build/deb && cpack -G DEB

# Python's suites time the program out, or preload libraries before the sanitizer's.
asan: deps ## the tests in C++ under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(call build,asan,build/asan)
	ctest --test-dir build/asan $(CTEST) -LE '^(analysis|slurm|package|model|lint|mpi)$$'

# Only what has atomics. Tests with several OpenMP workers stay out: OpenMP's runtime is not instrumented and looks like
# a race. Some kernels place memory where ThreadSanitizer cannot have it, hence setarch.
tsan: deps ## the tests of the channel and of the threads engine under ThreadSanitizer
	@$(call build,tsan,build/tsan,--target test_channel test_record test_engine)
	$$(setarch -R true 2> /dev/null && echo setarch -R) \
	  ctest --test-dir build/tsan $(CTEST) -L '^(channel|record|engine)$$' -E 'Workers|SparseGraph|NeverStopped|BrokenText|RFast.GoesOn|DirectedFile.Gives|Resume.GivesTheSameBitsForEvery'

# Seconds for each reader. What is found stays in build/fuzz/found, its name tells the reader: QUANTIMED_FUZZ=NAME
# build/fuzz/fuzz FILE repeats it.
FUZZ_SECONDS := 600
FUZZ_LIMITS := -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=80 -max_len=16384
fuzz: deps ## Clang's fuzzer on every reader: make fuzz FUZZ_SECONDS=600 [FUZZ_TARGETS="idx trace"]
	@if ! command -v clang++ > /dev/null; then echo "SKIPPED: clang++ is not installed; NOTHING WAS FUZZED (apt-get install clang)"; exit 0; fi
	$(call build,fuzz,build/fuzz,--target fuzz fuzz_seeds)
	mkdir -p build/fuzz/found
	build/fuzz/fuzz_seeds tests/fuzz/corpus build/fuzz/corpus
	for target in $(or $(FUZZ_TARGETS),$$(ls build/fuzz/corpus)); do
	  echo "$$target: $(FUZZ_SECONDS) s"
	  QUANTIMED_FUZZ=$$target OMP_NUM_THREADS=1 build/fuzz/fuzz $(FUZZ_LIMITS) -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/found/$$target- build/fuzz/corpus/$$target < /dev/null > build/fuzz/$$target.log 2>&1 ||
	    { tail -n 40 build/fuzz/$$target.log; exit 1; }
	  grep -E 'executed_units|peak_rss' build/fuzz/$$target.log
	done

models: deps ## the large form of the mailbox's model, which `make test` leaves out: 2 GB, a minute
	tests/model/run.sh long

# A portable build: Valgrind does not know the newest instructions. Its threads take turns, so the run is short. What is
# "possibly lost" are the stacks of OpenMP's sleeping threads.
VALGRIND = valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite
VALGRIND_RUN := run --dataset digits --nodes 3 --samples-per-node 20 --model mlp:4 --iterations 3 --evaluations 2 --threads 1 --quiet
valgrind: deps ## a short run of each engine, and verify, under Valgrind
	@$(call need,valgrind) --version
	if [ ! -f build/portable/CMakeCache.txt ]; then
	  cmake -S . -B build/portable -DCMAKE_BUILD_TYPE=RelWithDebInfo -DQUANTIMED_NATIVE=OFF > /dev/null
	fi
	cmake --build build/portable -j $(JOBS) --target quantimed
	folder=$$(mktemp -d)
	trap 'rm -rf "$$folder"' EXIT
	export OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive OPENBLAS_CORETYPE=Haswell
	for engine in virtual 'threads --oversubscribe'; do
	  $(VALGRIND) build/portable/quantimed $(VALGRIND_RUN) --engine $$engine --overwrite --output "$$folder/t.h5"
	  $(VALGRIND) --trace-children=yes build/portable/quantimed verify --quiet "$$folder/t.h5" || [ $$? = 5 ]  # oversubscribed times are INVALID
	done

bench: deps all ## the benchmark programs
	@build/bench/bench_limits
	echo
	build/bench/bench_channels
	echo
	build/bench/bench_kernels

coverage: deps ## line coverage of src/ by the tests
	@$(call build,coverage,build/coverage)
	find build/coverage -name '*.gcda' -delete
	ctest --test-dir build/coverage $(CTEST)
	$(call need,gcovr) --root . --filter src/ --exclude-throw-branches --sort-percentage --print-summary build/coverage

format: ## lays out all sources
	@$(call need,clang-format-14 clang-format) -i $(SOURCES)

format-check: ## fails where `make format` would change something
	@tests/lint.sh format

tidy: deps all ## clang-tidy over src/, with the list in .clang-tidy
	@find src -name '*.cpp' -print0 | xargs -0 -n 1 -P $(JOBS) \
	  $(call need,clang-tidy-14 clang-tidy) -p build --quiet --extra-arg=-Wno-unknown-warning-option

cppcheck: ## cppcheck over src/
	@tests/lint.sh cppcheck

warnings: deps ## builds all file by file with warnings as errors, as developers do; in build/warnings
	@$(call build,warnings,build/warnings)

shellcheck: ## shellcheck over every shell script
	@tests/lint.sh shell

clean: ## removes build/
	@rm -rf build

help: ## this list
	@sed -n 's/^\([a-z/-]*\):.*## /\1	/p' Makefile | expand -t 18
	echo 'DEPS=skip leaves the packages alone: make test DEPS=skip'

# ---- packages ------------------------------------------------------------------------------------------------------
PACKAGES := g++ cmake ninja-build make pkg-config git libopenblas-pthread-dev libhdf5-dev libboost-dev libboost-program-options-dev \
  libgtest-dev libgmock-dev libbenchmark-dev librandom123-dev libhwloc-dev zlib1g-dev libbz2-dev liblzma-dev libxxhash-dev libfmt-dev nlohmann-json3-dev spin \
  python3-h5py python3-numpy python3-matplotlib python3-jinja2 python3-pytest \
  $(if $(MPI),$(if $(shell command -v mpicc),,libopenmpi-dev openmpi-bin))
# Not in every distribution. The generated data set `digits` always works; without a browser, SLURM, pandas or a shell
# their tests are skipped.
WELCOME := dataset-fashion-mnist $(if $(filter test,$(MAKECMDGOALS)),chromium chromium-driver python3-selenium \
  slurm-wlm munge shellcheck cppcheck universal-ctags \
  python3-pandas python3-otf2 python3-setuptools python3-wheel python3-venv python3-yaml zsh fish man-db)

# Installs what is missing. Asks dpkg once, so it costs nothing when all is there.
deps: ## installs what is missing (Debian, Ubuntu; root or sudo)
	@if [ "$(DEPS)" = skip ]; then exit 0; fi
	if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
	  echo "Not a Debian or Ubuntu. Needed, by their names there: $(PACKAGES)"
	  echo "Once they are installed, say: make $(or $(filter-out deps,$(MAKECMDGOALS)),all) DEPS=skip"
	  exit 2
	fi
	# What another package provides is here, too: newer distributions have pkg-config from pkgconf.
	here=" $$(dpkg-query -W -f '$${db:Status-Status} $${Package}, $${Provides}\n' |
	  sed -n 's/([^)]*)//g; s/,/ /g; s/^installed //p' | tr -s '\n ' ' ') "
	missing=; for p in $(PACKAGES); do case "$$here" in *" $$p "*) ;; *) missing="$$missing $$p";; esac; done
	wish=; for p in $(WELCOME); do case "$$here" in *" $$p "*) ;; *) wish="$$wish $$p";; esac; done
	if [ -z "$$missing$$wish" ]; then exit 0; fi
	root=; if [ "$$(id -u)" != 0 ]; then root=$$(command -v sudo || echo none); fi
	if [ "$$root" = none ]; then
	  if [ -z "$$missing" ]; then exit 0; fi
	  echo "Missing, and neither root nor sudo to install them. Ask for, or install:$$missing"
	  echo "If they are here under other names, say: make $(or $(filter-out deps,$(MAKECMDGOALS)),all) DEPS=skip"
	  exit 2
	fi
	apt="$$root env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120"
	lists=$$(find /var/lib/apt/lists -name '*_Packages*' 2> /dev/null | head -n 1)
	if [ -n "$$missing" ] || [ -z "$$lists" ]; then $$apt update || echo "apt-get update failed; going on with its old lists"; fi
	if [ -n "$$missing" ]; then $$apt install --no-install-recommends $$missing || { echo "Could not install:$$missing"; exit 2; }; fi
	for p in $$wish; do
	  $$apt install --no-install-recommends $$p > /dev/null 2>&1 || echo "No package $$p here: going on without"
	done
