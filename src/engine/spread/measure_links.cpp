// SPDX-License-Identifier: BSD-3-Clause
#include "engine/spread/measure_links.hpp"

#include "base/error.hpp"
#include "engine/spread/exchange_end.hpp"
#include "engine/spread/shares.hpp"
#include "engine/threads/threads_engine.hpp"
#include "machine/core_wait.hpp"
#include "machine/hardware.hpp"
#include "machine/machine.hpp"
#include "machine/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace quantimed {

namespace {

using Clock = std::chrono::steady_clock;
using Pair = std::pair<Rank, Rank>;

constexpr std::size_t kMostPairs = 8;  // of a kind
// Of each size: passes, of so long or of so many messages, unless that takes long: then the machine is busy.
constexpr unsigned kMostPasses = 41, kLeastPasses = 5, kMostTimes = 200, kLeastTimes = 4;
constexpr double kPass_s = 1e-3, kAllPasses_s = 1;

// Two ranks of a fleet as a fleet of their own. Nothing else of theirs is under way meanwhile.
class PairTransport final : public Transport {
 public:
  PairTransport(Transport& all, Pair pair) : all_(all), pair_(pair) {}
  Rank rank() const override { return all_.rank() == pair_.first ? 0 : 1; }
  Rank ranks() const override { return 2; }
  int most_tag() const override { return all_.most_tag(); }
  std::string where(Rank r) const override { return all_.where(of(r)); }
  std::string host(Rank r) const override { return all_.host(of(r)); }
  void send(Rank to, int tag, std::span<const std::byte> bytes, Ticket ticket, Mode mode) override {
    all_.send(of(to), tag, bytes, ticket, mode);
  }
  void receive(Rank from, int tag, std::span<std::byte> room, Ticket ticket) override {
    all_.receive(of(from), tag, room, ticket);
  }
  void poll(std::vector<Done>& done) override { all_.poll(done); }
  void cancel_receives() override { all_.cancel_receives(); }
  void require_all() override { all_.require_all(); }
  Rank of(Rank r) const { return r == 0 ? pair_.first : pair_.second; }

 private:
  Transport& all_;
  Pair pair_;
};

// What a waiting node does: lets messages get on, and now and then looks whether the other rank is still there.
class Turn {
 public:
  Turn(ExchangeEnd& end, PairTransport& transport, bool are_cores_shared)
      : end_(end), transport_(transport), are_cores_shared_(are_cores_shared) {}
  void operator()() {
    end_.step();
    const bool is_time_to_look = ++turns_ % kBetweenLooks == 0;
    if (are_cores_shared_ || is_time_to_look) std::this_thread::yield();
    if (!is_time_to_look) return;
    const auto now = Clock::now();
    if (now - looked_at_ < kLookAround) return;
    looked_at_ = now;
    transport_.require_all();
    const Rank other = 1 - transport_.rank();
    if (now - began_at_ > kSilence && transport_.host(0) != transport_.host(1))
      throw RankLost(transport_.of(other), fmt::format("rank {} ({}) has said nothing for {} s", transport_.of(other),
                                                       transport_.where(other), kSilence.count()));
  }
  void begin() { began_at_ = Clock::now(); }

 private:
  static constexpr int kBetweenLooks = 256;
  static constexpr auto kLookAround = std::chrono::milliseconds(50);
  static constexpr auto kSilence = std::chrono::seconds(60);  // for a pass, which takes milliseconds
  ExchangeEnd& end_;
  PairTransport& transport_;
  bool are_cores_shared_;
  unsigned turns_ = 0;
  Clock::time_point looked_at_ = Clock::now(), began_at_ = looked_at_;
};

// [sizes] of [passes], in seconds a message
struct Passes {
  std::vector<std::vector<double>> one_way, gaps;
  double core_wait = 0;  // share of the time
};

double seconds_of(const auto& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool wants_more(std::size_t passes, Clock::time_point start) {
  if (passes < kLeastPasses) return true;
  return passes < kMostPasses && std::chrono::duration<double>(Clock::now() - start).count() < kAllPasses_s;
}

Passes exchange_in(Fleet& fleet, const Run& run, Pair pair, const std::vector<std::size_t>& sizes,
                   bool are_cores_shared) {
  PairTransport transport(fleet.transport(), pair);
  Fleet two(transport);
  ExchangeEnd end(two, run);
  Turn turn(end, transport, are_cores_shared);
  const auto wait = [&] { turn(); };
  Passes passes;
  const CoreUse before = core_use();
  for (const std::size_t bytes : sizes) {
    check(bytes <= end.capacity(), "a link is to be measured with messages that no run sends");
    std::vector<double>&one_way = passes.one_way.emplace_back(), &gaps = passes.gaps.emplace_back();
    const auto exchange = [&](unsigned times) {
      turn.begin();
      return seconds_of([&] { end.exchange(times, bytes, wait); }) / (2.0 * times);
    };
    exchange(kLeastTimes);  // to warm up
    // What the first of the two says holds for both.
    const double fitting = std::clamp<double>(kPass_s / exchange(kLeastTimes), kLeastTimes, kMostTimes);
    const unsigned times = end.tell(static_cast<unsigned>(fitting), wait);
    const auto start = Clock::now();
    do {
      one_way.push_back(exchange(times));
      // Of a stream the last message's way and the answer's are beside the gaps; where a disturbed pass says that they
      // are all of it, the most that a gap can be.
      const double all = seconds_of([&] { end.stream(times, bytes, wait); });
      const double gaps_alone = all - 2 * one_way.back();
      gaps.push_back(gaps_alone > 0 ? gaps_alone / (times - 1) : all / times);
    } while (end.tell(wants_more(one_way.size(), start), wait) != 0);
  }
  while (!end.has_all_left()) turn();
  passes.core_wait = core_wait(before, core_use());
  two.agree(nullptr);  // the other side has all, too
  end.close();
  return passes;
}

// Neighbours in the order of ranks, on each host and from host to host; some of them where they are many.
std::vector<Pair> some_of(const std::vector<Pair>& pairs) {
  if (pairs.size() <= kMostPairs) return pairs;
  std::vector<Pair> some;
  for (std::size_t k = 0; k < kMostPairs; ++k) some.push_back(pairs[k * pairs.size() / kMostPairs]);
  return some;
}

struct PairsOfKinds {
  std::vector<Pair> one_host, two_hosts;
};

PairsOfKinds pairs_of(const Transport& transport) {
  PairsOfKinds pairs;
  std::vector<Rank> firsts;  // of each host
  for (Rank r = 0; r < transport.ranks(); ++r) {
    Rank before = r;
    while (before > 0 && transport.host(before - 1) != transport.host(r)) --before;
    if (before == 0)
      firsts.push_back(r);
    else
      pairs.one_host.emplace_back(before - 1, r);
  }
  for (std::size_t k = 1; k < firsts.size(); ++k) pairs.two_hosts.emplace_back(firsts[k - 1], firsts[k]);
  if (firsts.size() > 2) pairs.two_hosts.emplace_back(firsts.front(), firsts.back());
  return {some_of(pairs.one_host), some_of(pairs.two_hosts)};
}

double quantile_of(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

// Passes of all pairs together.
LinkCosts costs_of(const std::vector<Passes>& pairs, const std::vector<std::size_t>& sizes) {
  LinkCosts link;
  link.pairs = static_cast<std::uint32_t>(pairs.size());
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    std::vector<double> one_way, gaps;
    for (const Passes& pair : pairs) {
      one_way.insert(one_way.end(), pair.one_way[k].begin(), pair.one_way[k].end());
      gaps.insert(gaps.end(), pair.gaps[k].begin(), pair.gaps[k].end());
    }
    link.one_way.emplace_back(sizes[k], quantile_of(one_way, 0.5));
    link.low.emplace_back(sizes[k], quantile_of(one_way, 0.25));
    link.high.emplace_back(sizes[k], quantile_of(one_way, 0.75));
    link.gap.emplace_back(sizes[k], quantile_of(gaps, 0.5));
  }
  return link;
}

// All pairs of ranks, and what is told of them at rank 0.
class LinkMeasurement {
 public:
  LinkMeasurement(Fleet& fleet, const Run& run, const std::vector<std::size_t>& sizes,
                  const std::function<bool(double)>& goes_on)
      : fleet_(fleet), run_(run), sizes_(sizes), goes_on_(goes_on) {}

  MeasuredLinks operator()() {
    settle();
    const auto [one_host, two_hosts] = pairs_of(fleet_.transport());
    const std::size_t all = one_host.size() + two_hosts.size();
    std::optional<LinkCosts> links[2];
    std::size_t done = 0;
    for (const auto* kind : {&one_host, &two_hosts}) {
      std::vector<Passes> passes;
      for (const Pair& pair : *kind) {
        if (!all_go_on(static_cast<double>(done++) / static_cast<double>(all))) return std::move(result_);
        take(pair, passes);
      }
      if (!passes.empty()) links[kind == &two_hosts] = costs_of(passes, sizes_);
    }
    result_.links.one_host = links[0];
    result_.links.two_hosts = links[1];
    return std::move(result_);
  }

 private:
  // As a run's courier lives: on a core of this rank's own, if it has one.
  void settle() {
    std::vector<int> mine;
    std::exception_ptr failure;
    try {
      mine = place(load_hardware(), run_.placement);
    } catch (...) {
      failure = std::current_exception();
    }
    fleet_.agree(failure);
    const CoreShare share = share_cores(fleet_, mine);
    are_shared_ = share.are_shared;
    if (!are_shared_) core_.emplace(share.cores.front());
    std::vector<Parcel> all = fleet_.gather(std::move(Parcel().put(are_shared_).put_text(inspect_machine().cpu)));
    std::string first;
    for (Rank r = 0; r < all.size(); ++r) {
      if (all[r].take<bool>()) distrust(fmt::format("rank {} shares its core with another rank", r));
      const std::string cpu = all[r].take_text();
      if (r == 0) first = cpu;
      if (cpu != first)
        distrust(
            fmt::format("rank {} ({}) is on another processor than rank 0: {}", r, fleet_.transport().where(r), cpu));
    }
  }

  bool all_go_on(double done) {
    std::vector<Parcel> all = fleet_.gather(std::move(Parcel().put(goes_on_(done))));
    bool go_on = true;
    for (Parcel& parcel : all) go_on = parcel.take<bool>() && go_on;
    result_.is_interrupted = !fleet_.broadcast(std::move(Parcel().put(go_on))).take<bool>();
    return !result_.is_interrupted;
  }

  void take(Pair pair, std::vector<Passes>& at_first) {
    Passes own;
    const Rank me = fleet_.rank();
    if (me == pair.first || me == pair.second) own = exchange_in(fleet_, run_, pair, sizes_, are_shared_);
    Parcel parcel;
    parcel.put(own.core_wait);
    for (const auto* columns : {&own.one_way, &own.gaps})
      for (const std::vector<double>& column : *columns) parcel.put_all(column);
    std::vector<Parcel> all = fleet_.gather(std::move(parcel));
    for (Rank r = 0; r < all.size(); ++r) {
      const LongWait wait{r, all[r].take<double>()};
      if (spoils_times(wait))
        distrust(
            fmt::format("rank {} waited for its core for {:.0f} % of the time of its messages", r, 100 * wait.share));
      if (r != pair.first) continue;
      Passes& passes = at_first.emplace_back();
      for (auto* columns : {&passes.one_way, &passes.gaps})
        for (std::size_t k = 0; k < sizes_.size(); ++k) columns->push_back(all[r].take_all<double>());
    }
  }

  void distrust(const std::string& why) {
    if (result_.invalid.empty()) result_.invalid = why;
  }

  Fleet& fleet_;
  const Run& run_;
  const std::vector<std::size_t>& sizes_;
  const std::function<bool(double)>& goes_on_;
  MeasuredLinks result_;
  bool are_shared_ = false;
  std::optional<OnItsOwnCore> core_;
};

}  // namespace

MeasuredLinks measure_links(Fleet& fleet, const Run& run, const std::vector<std::size_t>& sizes,
                            const std::function<bool(double)>& goes_on) {
  check(run.network.nodes == 2 && run.algorithm.delivery == Delivery::round, "a run that cannot measure a link");
  return LinkMeasurement(fleet, run, sizes, goes_on)();
}

}  // namespace quantimed
