// SPDX-License-Identifier: BSD-3-Clause
// Variables of the environment that would change how many threads the libraries start, where they run and how they
// wait, all of which this program decides itself. One table: start.cpp acts on it before the libraries see it,
// machine.cpp tells what was found.
#pragma once

namespace quantimed::start {

// What the libraries must find.
inline constexpr const char* kWanted[] = {
    "OPENBLAS_NUM_THREADS=1",   // its threads serve nobody here, and where memory is refused they ask for it for ever
    "OMP_WAIT_POLICY=passive",  // workers that spin take the cores from those who work
};

// Set aside, whatever they say; with their variants for devices (…_ALL, …_DEV).
inline constexpr const char* kSetAside[] = {
    // bind threads, the first one before main() already
    "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "KMP_HW_SUBSET", "KMP_PLACE_THREADS",
    // how many: --threads and --nodes say it
    "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_DYNAMIC", "OMP_MAX_ACTIVE_LEVELS", "OMP_NESTED", "KMP_ALL_THREADS",
    "OPENBLAS_NUM_THREADS", "OPENBLAS_DEFAULT_NUM_THREADS", "GOTO_NUM_THREADS",
    // the same of other libraries of matrix products
    "BLIS_NUM_THREADS", "BLIS_JC_NT", "BLIS_PC_NT", "BLIS_IC_NT", "BLIS_JR_NT", "BLIS_IR_NT", "BLIS_THREAD_IMPL",
    "MKL_NUM_THREADS", "MKL_DOMAIN_NUM_THREADS", "MKL_DYNAMIC",
    // how they wait
    "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY",
    // their stacks
    "OMP_STACKSIZE", "GOMP_STACKSIZE", "KMP_STACKSIZE"};

// The names under which they are kept, for the account: QUANTIMED_SET_ASIDE_OMP_PLACES=cores.
inline constexpr const char* kKeptAs = "QUANTIMED_SET_ASIDE_";
// Says that this process has started itself again: "PID:NAME", the name as `ps` had it.
inline constexpr const char* kMark = "QUANTIMED_STARTED=";

}  // namespace quantimed::start
