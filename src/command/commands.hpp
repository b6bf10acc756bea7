// SPDX-License-Identifier: BSD-3-Clause
// The program's commands. Each returns the exit status; errors are thrown.
#pragma once

#include "config/config.hpp"

namespace quantimed {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1, kInternalError = 1;
inline constexpr int kBadInput = 2;
inline constexpr int kDiverged = 3;
inline constexpr int kRefused = 4;  // the machine refused memory, threads or disk: the same command can succeed later
inline constexpr int kInvalid = 5;  // verify: INVALID or changed; replay: other bits; compare: all runs are INVALID
inline constexpr int kInterrupted = 75;

int run_command(const Request& request);
int compare_command(const Request& request);
int calibrate_command(const Request& request);
int predict_command(const Request& request);
int scale_command(const Request& request);
int tune_command(const Request& request);
int theory_command(const Request& request);
int judge_command(const Request& request);
int verify_command(const Request& request);
int replay_command(const Request& request);
int info_command(const Request& request);
int export_command(const Request& request);
int report_command(const Request& request);  // does not come back

}  // namespace quantimed
