// The program's commands. Each returns the exit status: 0 done, 3 diverged, 75 stopped by a signal; errors are thrown.
#pragma once

#include "config/config.hpp"

namespace quantimed {

inline constexpr int kDone = 0, kFailed = 1, kInternalError = 1, kBadInput = 2, kDiverged = 3, kInterrupted = 75;

int run_command(const Request& request);
int compare_command(const Request& request);
int calibrate_command(const Request& request);
int predict_command(const Request& request);
int scale_command(const Request& request);
int tune_command(const Request& request);
int theory_command(const Request& request);
int verify_command(const Request& request);
int info_command(const Request& request);
int export_command(const Request& request);
int report_command(const Request& request);  // does not come back

}  // namespace quantimed
