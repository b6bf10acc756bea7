// parse → build → run → write
#include "base/build_info.hpp"
#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <new>
#include <system_error>

namespace {

int dispatch(const quantimed::Request& request) {
  using namespace quantimed;
  if (request.command == "run") return run_command(request);
  if (request.command == "compare") return compare_command(request);
  if (request.command == "scale") return scale_command(request);
  if (request.command == "judge") return judge_command(request);
  if (request.command == "verify") return verify_command(request);
  if (request.command == "calibrate") return calibrate_command(request);
  if (request.command == "tune") return tune_command(request);
  if (request.command == "theory") return theory_command(request);
  if (request.command == "predict") return predict_command(request);
  if (request.command == "info") return info_command(request);
  if (request.command == "report") return report_command(request);
  if (request.command == "export") return export_command(request);
  if (request.command == "version") fmt::print("quantimed {} {}\n", build::kVersion, build::kCommit);
  fmt::print("{}", request.help);
  return kDone;
}

int internal_error(const std::exception& error) {
  fmt::print(stderr, "quantimed: internal error: {}\n", error.what());
  return quantimed::kInternalError;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace quantimed;
  try {
    const int status = dispatch(parse_command_line(argc, argv));
    return argc < 2 ? kBadInput : status;  // without a command there is only the short help
  } catch (const InputError& error) {
    fmt::print(stderr, "quantimed: {}\n", error.what());
    return kBadInput;
  } catch (const MachineRefused& refusal) {
    fmt::print(stderr, "quantimed: {}\n", refusal.what());
    return kRefused;
  } catch (const RunFailure& failure) {
    fmt::print(stderr, "quantimed: {}\n", failure.what());
    return kFailed;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "quantimed: the machine's memory is used up; use fewer --nodes or a smaller --model\n");
    return kRefused;
  } catch (const std::system_error& error) {  // a thread
    if (!is_shortage(error.code().value())) return internal_error(error);
    fmt::print(stderr, "quantimed: the machine refuses another thread; raise ulimit -u, or use fewer\n");
    return kRefused;
  } catch (const std::exception& error) {
    return internal_error(error);
  }
}
