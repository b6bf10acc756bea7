// SPDX-License-Identifier: BSD-3-Clause
#include "engine/spread/fleet.hpp"

#include "base/error.hpp"
#include "base/memory_limits.hpp"
#include "channel/wait.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>
#include <thread>

namespace quantimed {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kLargestPiece = std::size_t{1} << 26;  // MPI counts bytes with an int
constexpr auto kBetweenChecks = std::chrono::milliseconds(50);

template <class T>
std::span<std::byte> bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

enum class Failure : std::uint8_t { none, input, refused, internal };

Failure kind_of(const std::exception_ptr& failure, std::string& text) {
  if (!failure) return Failure::none;
  try {
    std::rethrow_exception(failure);
  } catch (const RankLost&) {
    throw;
  } catch (const InputError& error) {
    text = error.what();
    return Failure::input;
  } catch (const MachineRefused& error) {
    text = error.what();
    return Failure::refused;
  } catch (const std::bad_alloc&) {
    text = "the machine's memory is used up; " + memory_fix();
    return Failure::refused;
  } catch (const std::exception& error) {
    text = error.what();
  } catch (...) {
    text = "failed";
  }
  return Failure::internal;
}

[[noreturn]] void throw_as(Failure kind, const std::string& text) {
  if (kind == Failure::input) throw InputError("{}", text);
  if (kind == Failure::refused) throw MachineRefused("{}", text);
  throw InternalError(text);
}

}  // namespace

// Until so many operations have been completed. Nothing else is under way. `is_quick`: it may not sleep.
void Fleet::complete(std::size_t operations, bool is_quick) {
  std::vector<Transport::Done> done;
  Backoff backoff(WaitPolicy::oversubscribed());
  Clock::time_point looked = Clock::now();
  constexpr int kPolls = 16;
  int polls = 0;
  for (;;) {
    transport_.poll(done);
    if (done.size() >= operations) return;
    if (!is_quick)
      backoff.step();
    else if (++polls % kPolls == 0)
      std::this_thread::yield();
    if (const auto now = Clock::now(); now - looked > kBetweenChecks) {
      transport_.require_all();
      looked = now;
    }
  }
}

void Fleet::send(Rank to, int tag, std::span<const std::byte> bytes) {
  transport_.send(to, tag, bytes, 0, Transport::Mode::free);
  complete(1);
}

void Fleet::receive(Rank from, int tag, std::span<std::byte> room) {
  transport_.receive(from, tag, room, 0);
  complete(1);
}

void Fleet::send_parcel(Rank to, const Parcel& parcel) {
  const std::uint64_t size = parcel.bytes().size();
  send(to, kSize, std::as_bytes(std::span(&size, 1)));
  for (std::size_t at = 0; at < size; at += kLargestPiece)
    send(to, kPiece, std::span(parcel.bytes()).subspan(at, std::min(kLargestPiece, size - at)));
}

Parcel Fleet::receive_parcel(Rank from) {
  std::uint64_t size = 0;
  receive(from, kSize, std::as_writable_bytes(std::span(&size, 1)));
  std::vector<std::byte> bytes(size);
  for (std::size_t at = 0; at < size; at += kLargestPiece)
    receive(from, kPiece, std::span(bytes).subspan(at, std::min(kLargestPiece, size - at)));
  return Parcel(std::move(bytes));
}

std::vector<Parcel> Fleet::gather(Parcel own) {
  std::vector<Parcel> all;
  if (!leads()) {
    send_parcel(0, own);
    return all;
  }
  all.push_back(std::move(own));
  for (Rank r = 1; r < ranks(); ++r) all.push_back(receive_parcel(r));
  return all;
}

Parcel Fleet::broadcast(Parcel of_first) {
  if (!leads()) return receive_parcel(0);
  for (Rank r = 1; r < ranks(); ++r) send_parcel(r, of_first);
  return of_first;
}

void Fleet::agree(const std::exception_ptr& failure) {
  std::string text;
  const Failure kind = kind_of(failure, text);
  if (ranks() == 1 && failure) std::rethrow_exception(failure);
  std::vector<Parcel> all = gather(std::move(Parcel().put(kind).put_text(text)));
  Failure first = Failure::none;
  for (Rank r = 0; r < all.size() && first == Failure::none; ++r) {
    first = all[r].take<Failure>();
    text = all[r].take_text();
    if (r > 0 && first != Failure::none) text = fmt::format("rank {} ({}): {}", r, transport_.where(r), text);
  }
  first = broadcast(std::move(Parcel().put(first))).take<Failure>();
  if (first == Failure::none) return;
  if (leads()) throw_as(first, text);
  throw Abandoned{};
}

// Rank 0 asks each rank in turn what its clock shows, many times, unless that takes long: then the machine is busy.
std::vector<ClockOffset> Fleet::compare_clocks() {
  constexpr int kMost = 100, kLeast = 5;
  constexpr auto kLongest = std::chrono::milliseconds(20);
  constexpr std::int64_t kEnough = -1;
  std::vector<ClockOffset> offsets(ranks());
  const auto now = [] { return std::int64_t{std::chrono::nanoseconds(Clock::now().time_since_epoch()).count()}; };
  const auto ask = [&](Rank other, std::int64_t question) {
    std::int64_t theirs = 0;
    transport_.receive(other, kPong, bytes_of(theirs), 0);
    transport_.send(other, kPing, bytes_of(question), 0, Transport::Mode::free);
    complete(2, true);
    return theirs;
  };
  for (std::int64_t asked = 0; !leads() && asked != kEnough;) {
    transport_.receive(0, kPing, bytes_of(asked), 0);
    complete(1, true);
    std::int64_t mine = now();
    transport_.send(0, kPong, bytes_of(mine), 0, Transport::Mode::free);
    complete(1, true);
  }
  for (Rank r = 1; leads() && r < ranks(); ++r) {
    std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
    const auto end = Clock::now() + kLongest;
    for (int k = 0; k < kLeast || (k < kMost && Clock::now() < end); ++k) {
      const std::int64_t before = now(), theirs = ask(r, 0), after = now();
      if (after - before >= shortest) continue;
      shortest = after - before;
      if (transport_.host(r) == transport_.host(0)) continue;  // one machine has one steady clock
      offsets[r] = {.ahead_ns = theirs - (before + shortest / 2),
                    .uncertainty = 0.5e-9 * static_cast<double>(shortest)};
    }
    (void)ask(r, kEnough);
  }
  Parcel all = broadcast(std::move(Parcel().put_all(offsets)));
  return all.take_all<ClockOffset>();
}

}  // namespace quantimed
