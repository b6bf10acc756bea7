// SPDX-License-Identifier: BSD-3-Clause
#include "command/preflight.hpp"

#include "base/error.hpp"
#include "base/streams.hpp"
#include "blas/blas.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

namespace quantimed {

namespace {

constexpr std::size_t kSamples = 64;
constexpr std::size_t kCoordinates = 512;
constexpr std::uint32_t kCodes = 256;

double norm(std::span<const Real> v) {
  double sum = 0;
  for (const Real e : v) sum += static_cast<double>(e) * static_cast<double>(e);
  return std::sqrt(sum);
}

}  // namespace

void check_gradient(const Problem& problem, const Shards& shards, std::uint64_t seed) {
  const std::size_t p = problem.dimension();
  const std::span<const SampleId> rows = std::span(shards.rows).first(std::min(kSamples, shards.rows.size()));
  Workspace work = problem.make_workspace();
  AlignedVector<Real> x(p), g(p), direction(p), moved(p);
  problem.initialise(x, seed);
  problem.gradient_sum(x, rows, false, g, work);

  // Half along the gradient, where the slope is steepest, half at random, so that every coordinate counts.
  Stream stream({.seed = seed, .purpose = Purpose::check});
  const double g_norm = norm(g);
  for (std::size_t k = 0; k < p; ++k)
    direction[k] = static_cast<Real>((g_norm > 0 ? static_cast<double>(g[k]) / g_norm : 0) +
                                     stream.uniform(-1, 1) / std::sqrt(static_cast<double>(p)));
  const double slope =
      std::inner_product(g.begin(), g.end(), direction.begin(), 0.0, std::plus<>(),
                         [](Real a, Real b) { return static_cast<double>(a) * static_cast<double>(b); });
  const auto loss_at = [&](double step) {
    for (std::size_t k = 0; k < p; ++k) moved[k] = x[k] + static_cast<Real>(step) * direction[k];
    return problem.loss_sum(moved, problem.data(), rows, work).loss;
  };
  // Several step lengths: too short drowns in float32 rounding, too long in curvature. The long ones are for targets
  // far from the outputs (prices, populations), where the loss is large and hardly bends.
  const double allowed = 0.01 * std::max(std::abs(slope), 1e-6 * std::abs(loss_at(0)));
  double best = kForever;
  for (const double h : {1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e0, 1e1, 1e2, 1e3}) {
    if (h > 0.1 && best <= allowed) break;
    best = std::min(best, std::abs((loss_at(h) - loss_at(-h)) / (2 * h) - slope));
  }
  if (!(best <= allowed))
    throw InternalError(
        fmt::format("gradient check: slope {:.6g} against a difference that is {:.3g} off", slope, best));
}

void check_codec(const Codec& codec, const Problem& problem, std::uint64_t seed) {
  AlignedVector<Real> model(problem.dimension());
  problem.initialise(model, seed);
  const std::span<const Real> x = std::span<const Real>(model).first(std::min(kCoordinates, model.size()));
  AlignedVector<std::byte> message(codec.capacity(x.size()));
  AlignedVector<Real> decoded(x.size());
  std::vector<double> sum(x.size(), 0.0);
  double squares = 0, fourths = 0;  // Σ over codes of ‖Q(x) − x‖², and of its square
  for (std::uint32_t code = 0; code < kCodes; ++code) {
    const Encoded encoded =
        codec.encode(x, {.seed = seed, .node = 0, .iteration = code, .purpose = Purpose::check}, message);
    if (encoded.overflows > 0)
      throw InputError(
          "--codec {}: {} of the first {} coordinates of the start do not fit this code; give it a larger range",
          codec.name(), encoded.overflows, x.size());
    std::fill(decoded.begin(), decoded.end(), 0.0f);
    if (codec.accumulate(std::span<const std::byte>(message).first(encoded.bytes), 1, 0, x, decoded) > 0)
      throw InputError("--codec {}: a message cannot be decoded even at its sender's own model; give it more bits",
                       codec.name());
    double square = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double error = static_cast<double>(decoded[k]) - static_cast<double>(x[k]);
      sum[k] += error;
      square += error * error;
    }
    squares += square;
    fourths += square * square;
  }
  // The errors of different coordinates are independent, so the mean error vector is tested as a whole:
  // E‖mean‖² = (mean square) / codes; its spread is sqrt(2/coordinates) of that.
  double bias = 0;
  for (const double s : sum) bias += (s / kCodes) * (s / kCodes);
  const double mean_square = squares / kCodes;
  const double rounding = 1e-12 * norm(x) * norm(x);
  if (codec.kind() != CodecClass::contraction &&
      bias > mean_square / kCodes * (1 + 5 * std::sqrt(2.0 / static_cast<double>(x.size())) + 1) + rounding)
    throw InternalError(fmt::format("codec {}: biased on a sample (‖mean error‖² = {:.3g})", codec.name(), bias));
  // Codes that send few coordinates spread widely around their mean.
  const double spread = std::sqrt(std::max(0.0, fourths / kCodes - mean_square * mean_square) / kCodes);
  if (mean_square > codec.variance_bound(x) * 1.05 + 5 * spread + rounding)
    throw InternalError(fmt::format("codec {}: variance {:.3g} above its bound {:.3g}", codec.name(), mean_square,
                                    codec.variance_bound(x)));
}

namespace {

void tell_of_workers(std::uint32_t workers, std::uint32_t wanted, bool quiet) {
  static bool is_told = false;
  if (workers < wanted && !quiet && !std::exchange(is_told, true))
    tell(
        "quantimed: --threads auto: {} of {} workers, since address space for more is refused; raise ulimit -v for "
        "all\n",
        workers, wanted);
}

bool grants(std::size_t bytes) {
  void* room = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return room != MAP_FAILED && ::munmap(room, bytes) == 0;
}

std::uint32_t workers_within_limit(std::uint32_t most) {
  // OpenBLAS's buffer; and of all but the first a stack and an arena of malloc's.
  constexpr std::size_t kBuffer = std::size_t{128} << 20, kThread = std::size_t{72} << 20;
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return most;
  std::uint32_t workers = most;
  while (workers > 1 && !grants(workers * kBuffer + (workers - 1) * kThread)) --workers;
  return workers;
}

}  // namespace

std::uint32_t granted_workers(std::uint32_t most, bool quiet) {
  static const std::uint32_t granted = workers_within_limit(most);
  const std::uint32_t workers = std::min(most, granted);
  tell_of_workers(workers, most, quiet);
  return workers;
}

void admit_workers(Config& config, std::size_t nodes) {
  const std::uint32_t wanted = config.threads;
  for (;;) {
    try {
      blas::admit(std::max<std::size_t>(nodes, config.threads), config.oversubscribe);
      break;
    } catch (const MachineRefused&) {
      // Fewer workers are fewer callers while there are more of them than of nodes.
      if (!config.threads_auto.is_so || config.threads <= std::max<std::size_t>(nodes, 1)) throw;
      --config.threads;
    }
  }
  tell_of_workers(config.threads, wanted, config.quiet);
}

}  // namespace quantimed
