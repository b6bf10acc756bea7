// SPDX-License-Identifier: BSD-3-Clause
#include "command/program.hpp"

#include "algorithm/own.hpp"
#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/instructions.hpp"
#include "base/memory_limits.hpp"
#include "base/path_kind.hpp"
#include "base/streams.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"
#include "command/precision.hpp"
#include "command/spread.hpp"

#include <fmt/format.h>

#include <cerrno>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <system_error>

namespace quantimed {

namespace {

// What a program of one's own has beside the library.
std::string version_line() {
  std::string own;
  for (const AlgorithmRow& row : own_algorithms()) own += (own.empty() ? ", with " : " ") + std::string(row.name);
  return fmt::format("quantimed {} {}{}", build::kVersion, build::kCommit, own);
}

int dispatch(const Request& request) {
  if (request.command == "run") return run_command(request);
  if (request.command == "compare") return compare_command(request);
  if (request.command == "scale") return scale_command(request);
  if (request.command == "judge") return judge_command(request);
  if (request.command == "verify") return verify_command(request);
  if (request.command == "replay") return replay_command(request);
  if (request.command == "calibrate") return calibrate_command(request);
  if (request.command == "tune") return tune_command(request);
  if (request.command == "theory") return theory_command(request);
  if (request.command == "predict") return predict_command(request);
  if (request.command == "info") return info_command(request);
  if (request.command == "report") return report_command(request);
  if (request.command == "export") return export_command(request);
  if (request.command == "version") fmt::print("{}\n", version_line());
  fmt::print("{}", request.help);
  return kDone;
}

// errno of what `error` says of standard output, else 0: fmt throws where it cannot print.
int output_failure(const std::system_error& error) { return std::ferror(stdout) != 0 ? error.code().value() : 0; }

int internal_error(const std::exception& error) {
  tell("quantimed: internal error: {}\n", error.what());
  return kInternalError;
}

int refused_path(const std::filesystem::filesystem_error& error, int status) {
  tell("quantimed: {}: {}\n", error.path1().string(), quantimed::path_failure(error.code().value()));
  return status;
}

// The exit status; `output` becomes the errno of a failed print.
int carry_out(int argc, char** argv, int& output) {
  try {
    const Request request = parse_command_line(argc, argv);
    require_for_ranks(request);
    become_sibling_for(request, argv);
    check_instructions();
    const int status = dispatch(request);
    return argc < 2 ? kBadInput : status;  // without a command there is only the short help
  } catch (const RankLost&) {
    throw;  // there is nothing to end properly
  } catch (const InputError& error) {
    tell("quantimed: {}\n", error.what());
    return kBadInput;
  } catch (const MachineRefused& refusal) {
    tell("quantimed: {}\n", refusal.what());
    return kRefused;
  } catch (const Stopped& stopped) {
    tell("quantimed: {}\n", stopped.what());
    return kInterrupted;
  } catch (const RunFailure& failure) {
    tell("quantimed: {}\n", failure.what());
    return kFailed;
  } catch (const std::bad_alloc&) {
    tell("quantimed: the machine's memory is used up; {}\n", memory_fix());
    return kRefused;
  } catch (const std::filesystem::filesystem_error& error) {
    if (is_shortage(error.code().value())) return refused_path(error, kRefused);
    return refused_path(error, kBadInput);
  } catch (const std::system_error& error) {
    if ((output = output_failure(error)) != 0) return kDone;
    if (!is_shortage(error.code().value())) return internal_error(error);
    tell("quantimed: the machine refuses another thread; raise ulimit -u, or use fewer\n");
    return kRefused;
  } catch (const std::exception& error) {
    return internal_error(error);
  }
}

}  // namespace

int run_program(int argc, char** argv) {
  hold_standard_streams();
  int output = 0;
  const int status = carry_out(argc, argv, output);
  output = close_standard_output(output);
  if (output == 0) return status;
  if (output == EBADF)
    tell("quantimed: standard output is closed, or open for reading alone; send it somewhere, or to /dev/null\n");
  else
    tell("quantimed: standard output cannot be written: {}; free some space, or send it elsewhere\n",
         std::generic_category().message(output));
  return status != kDone ? status : is_shortage(output) ? kRefused : output == EBADF ? kBadInput : kFailed;
}

}  // namespace quantimed
