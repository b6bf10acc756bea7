// SPDX-License-Identifier: BSD-3-Clause
// Trace → file, by a child that has memory of its own: what crashes in HDF5 is not the run.
#include "base/error.hpp"
#include "base/isolated.hpp"
#include "trace/columns.hpp"
#include "trace/hdf5.hpp"
#include "trace/image.hpp"
#include "trace/shapes.hpp"
#include "trace/write_parts.hpp"

#include <fmt/format.h>

#include <malloc.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <utility>

namespace quantimed {

using namespace hdf5;

namespace {

constexpr std::size_t kReserveBytes = 32u << 20;  // a block of rounds, a chunk in the packing, and HDF5: about 25 MiB

// The rounds of a trace that has them in memory.
class Whole final : public RoundsSource {
 public:
  explicit Whole(const Rounds& rounds) : rounds_(rounds) {}
  std::size_t nodes() const override { return rounds_.nodes; }
  std::size_t iterations() const override { return rounds_.iterations; }
  Rounds block(std::size_t first, std::size_t last) const override {
    Rounds some;
    some.nodes = rounds_.nodes;
    some.iterations = last - first;
    columns::for_each(columns::kRounds, [&](const auto& column) {
      const auto begin = (rounds_.*column.values).begin();
      (some.*column.values)
          .assign(begin + static_cast<std::ptrdiff_t>(first * some.nodes),
                  begin + static_cast<std::ptrdiff_t>(last * some.nodes));
    });
    return some;
  }

 private:
  const Rounds& rounds_;
};

// ---- where HDF5 is called ----------------------------------------------------------------------------

// HDF5 1.10 crashes wherever malloc gives it nothing (tests/trace/memory_test.cpp), and what crashes should not be the
// run. So it writes in a forked child, into the file that both have open. And so that a trace can be written where the
// system grants no more memory, as much as that takes is held from the start and freed in the child.
class Reserve {
 public:
  Reserve() {
    for (void*& block : blocks_)
      if ((block = std::malloc(kBlockBytes)) == nullptr) throw std::bad_alloc();
  }
  ~Reserve() { free_blocks(); }
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;
  // To those who call malloc next: free memory at the heap's end would else go back to the system, for good.
  void free_blocks() {
    ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    for (void*& block : blocks_) std::free(std::exchange(block, nullptr));
  }

 private:
  static constexpr std::size_t kBlockBytes = 64u << 10;  // small ones come from the heap itself, side by side
  std::array<void*, kReserveBytes / kBlockBytes> blocks_{};
};

std::unique_ptr<Reserve>& reserve() {
  static std::unique_ptr<Reserve> held;
  return held;
}

// What came of filling an image. Plain, for it comes from another process.
struct Filled {
  enum class Kind : std::uint8_t { whole, out_of_memory, fault, internal_error } kind = Kind::whole;
  std::uint64_t bytes = 0;
  int refusal = 0;  // errno of the disk
  std::array<char, 300> why{};
};

Filled try_to_fill(ImageFile& image, const Trace& trace, const RoundsSource& rounds) {
  Filled filled;
  const auto failed = [&](Filled::Kind kind, const char* why) {
    filled.kind = image.is_out_of_memory() ? Filled::Kind::out_of_memory : kind;
    std::strncpy(filled.why.data(), why, filled.why.size() - 1);
  };
  try {
    const Silence silence;
    filled.bytes = write_parts(image, trace, rounds);
  } catch (const std::bad_alloc&) {
    failed(Filled::Kind::out_of_memory, "");
  } catch (const Fault& fault) {
    failed(Filled::Kind::fault, fault.what());
  } catch (const InternalError& error) {
    failed(Filled::Kind::internal_error, error.what());
  }
  filled.refusal = image.refusal();
  return filled;
}

// Here, where there can be no child: rather a crash than no trace.
Filled fill_here(ImageFile& image, const Trace& trace, const RoundsSource& rounds) {
  reserve().reset();
  const Filled filled = try_to_fill(image, trace, rounds);
  try {
    hold_memory_for_traces();
  } catch (const std::bad_alloc&) {  // the next trace asks again; this one is there
  }
  return filled;
}

Filled fill_in_child(ImageFile& image, const Trace& trace, const RoundsSource& rounds) {
  return isolated<Filled>({.memory_bytes = kUnlimited, .cpu_s = kUnlimited}, [&] {
    reserve()->free_blocks();
    return try_to_fill(image, trace, rounds);
  });
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw MachineRefused("{}: cannot be written: it {}; memory may be short: use fewer --nodes or a smaller --model",
                       path, why);
}

}  // namespace

void hold_memory_for_traces() {
  if (!reserve()) reserve() = std::make_unique<Reserve>();
}

void write_trace(const std::string& path, const Trace& trace) { write_trace(path, trace, Whole(trace.rounds)); }

void write_trace(const std::string& path, const Trace& trace, const RoundsSource& rounds) {
  const std::string contradiction = shape_finding(trace);
  check(contradiction.empty(), contradiction.c_str());
  check(rounds.nodes() == trace.network.nodes || rounds.iterations() == 0, "a trace has rounds of all its nodes");
  hold_memory_for_traces();
  ImageFile image(path);
  Filled filled;
  try {
    filled = fill_in_child(image, trace, rounds);
  } catch (const NoChild&) {
    filled = fill_here(image, trace, rounds);
  } catch (const IsolatedFailure& failure) {
    refuse(path, failure.what());
  }
  switch (filled.kind) {
    case Filled::Kind::out_of_memory:
      throw std::bad_alloc();
    case Filled::Kind::fault:
      refuse(path, fmt::format("makes the HDF5 library fail ({})", filled.why.data()));
    case Filled::Kind::internal_error:
      throw InternalError(filled.why.data());
    case Filled::Kind::whole:
      break;
  }
  image.publish(filled.bytes, filled.refusal);
}

}  // namespace quantimed
