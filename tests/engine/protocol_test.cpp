// SPDX-License-Identifier: BSD-3-Clause
// A text that breaks the order of an iteration is told so, on either engine, instead of reading what was never sent,
// repeating its samples or waiting for ever.
#include "engine/small_run.hpp"

#include "engine/virtual/ready_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using namespace formula;
constexpr Channel kModels{0};

Task without_publish(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    co_await node.neighbours(kModels);
    node.pass({{x, x}});
  }
}
Task publishes_twice(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    co_await node.neighbours(kModels);
    node.pass({{x, x}});
  }
}
Task asks_twice(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    co_await node.neighbours(kModels);
    co_await node.neighbours(kModels);
    node.pass({{x, x}});
  }
}
Task ends_early(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    if (t == 3) co_return;
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    co_await node.neighbours(kModels);
    node.pass({{x, x}});
  }
}
Task adapts_before_it_combines(Node& node, const Options& o) {  // DSGD in the other order, as 0.1.0 could not tell
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.pass({{x, x - o.alpha * g}});
    node.publish(kModels, x);
    co_await node.neighbours(kModels);
    node.pass({{x, mixed(kModels)}});
  }
}
Task never_updates(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    co_await node.neighbours(kModels);
  }
}
Task reads_early(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    node.pass({{x, mixed(kModels) - o.alpha * g}});
  }
}
Task without_a_gradient(Node& node, const Options&) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    co_await node.neighbours(kModels);
    node.pass({{x, mixed(kModels) - 0.1f * g}});
  }
}
Task forgets_to_ask(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    if (t < 2) co_await node.neighbours(kModels);
    node.pass({{x, x}});
  }
}
Task has_no_such_channel(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish({1}, x);
    co_await node.gradient(o.batch);
    co_await node.neighbours({1});
    node.pass({{x, mixed({1})}});
  }
}
Task has_no_such_vector(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    co_await node.neighbours(kModels);
    node.pass({{vector(3), x}});
  }
}
Task sends_a_form(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kModels, x - o.alpha * g);
    co_await node.neighbours(kModels);
    node.pass({{x, mixed(kModels)}});
  }
}
Task newest_publishes_first(Node& node, const Options& o) {
  node.publish(kModels, x);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    co_await node.newest(kModels);
    node.publish(kModels, x);
    node.pass({{x, x}});
  }
}
Task newest_starts_silent(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    co_await node.newest(kModels);
    node.pass({{x, x}});
    node.publish(kModels, x);
  }
}
Task newest_sends_a_form(Node& node, const Options& o) {
  node.publish(kModels, x);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kModels, x - o.alpha * g);
    co_await node.newest(kModels);
    node.pass({{x, mixed(kModels)}});
  }
}

// Of rows that publish forms on two channels.
constexpr Channel kSums{1};
Task parcel_in_another_order(Node& node, const Options& o) {
  node.publish(kModels, x);
  node.publish(kSums, x);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kSums, x);
    node.publish(kModels, x);
    co_await node.newest(kModels);
    node.pass({{x, mixed(kModels)}});
  }
}
Task parcel_of_a_part(Node& node, const Options& o) {
  node.publish(kModels, x);
  node.publish(kSums, x);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kModels, x);
    co_await node.newest(kModels);
    node.pass({{x, mixed(kModels)}});
  }
}
Task parcel_after_its_messages(Node& node, const Options& o) {
  node.publish(kModels, x);
  node.publish(kSums, x);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    co_await node.newest(kModels);
    node.publish(kModels, mixed(kModels));
    node.publish(kSums, x);
    node.pass({{x, x}});
  }
}

Task pair_at_its_model(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) co_await node.gradient(o.batch);
}
Task pair_updates_first(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch, vector(1));
    node.pass({{x, x - o.alpha * g}});
    co_await node.average_with(node.partner(t));
  }
}
Task pair_twice(Node& node, const Options&) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.average_with(node.partner(t));
    co_await node.average_with(node.partner(t));
  }
}
Task pair_publishes(Node& node, const Options&) {
  if (node.begins(node.first_round())) node.publish(kModels, x);
  co_return;
}
Task round_averages(Node& node, const Options&) {
  if (node.begins(node.first_round())) co_await node.average_with(0);
}

struct Broken {
  const char* name;
  Delivery delivery;
  Task (*text)(Node&, const Options&);
  const char* says;
  const char* row = nullptr;  // unless the usual one of its delivery
};
void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }

constexpr Broken kBroken[] = {
    {"without_publish", Delivery::round, without_publish, "asks for messages before it has published"},
    {"publishes_twice", Delivery::round, publishes_twice, "publishes twice"},
    {"asks_twice", Delivery::round, asks_twice, "asks for messages twice"},
    {"ends_early", Delivery::round, ends_early, "ended by itself"},
    {"adapts_before_it_combines", Delivery::round, adapts_before_it_combines, "updates before it has its messages"},
    {"reads_early", Delivery::round, reads_early, "updates before it has its messages"},
    {"without_a_gradient", Delivery::round, without_a_gradient, "reads a gradient that was not taken"},
    {"forgets_to_ask", Delivery::round, forgets_to_ask, "updates before it has its messages"},
    {"has_no_such_channel", Delivery::round, has_no_such_channel, "channel that its row does not have"},
    {"has_no_such_vector", Delivery::round, has_no_such_vector, "assigns to what is no vector"},
    {"sends_a_form", Delivery::round, sends_a_form, "publishes more than its model"},
    {"never_updates", Delivery::round, never_updates, "begins an iteration before it has updated"},
    {"newest_publishes_first", Delivery::newest, newest_publishes_first, "publishes before it has updated"},
    {"newest_sends_a_form", Delivery::newest, newest_sends_a_form, "what is published is the model"},
    {"parcel_in_another_order", Delivery::newest, parcel_in_another_order, "in their order", "r-fast"},
    {"parcel_of_a_part", Delivery::newest, parcel_of_a_part, "published on all its channels", "r-fast"},
    {"parcel_after_its_messages", Delivery::newest, parcel_after_its_messages, "a text asks for messages", "r-fast"},
    {"pair_at_its_model", Delivery::pairwise, pair_at_its_model, "takes a gradient at its model"},
    {"pair_updates_first", Delivery::pairwise, pair_updates_first, "updates before it has averaged"},
    {"pair_twice", Delivery::pairwise, pair_twice, "averages twice"},
    {"pair_publishes", Delivery::pairwise, pair_publishes, "channel that its row does not have"},
    {"round_averages", Delivery::round, round_averages, "averages with a partner"},
    {"newest_starts_silent", Delivery::newest, newest_starts_silent, "begins an iteration before it has published"},
};

class BrokenText : public testing::TestWithParam<Broken> {};

TEST_P(BrokenText, IsToldSoOnBothEngines) {
  const SmallRun small("dsgd", 4, "ring", "exact");
  constexpr const char* kRows[] = {"dsgd", "async-dsgd", "ad-psgd"};
  const char* const usual = kRows[static_cast<std::size_t>(GetParam().delivery)];
  AlgorithmRow row = find_algorithm(GetParam().row ? GetParam().row : usual);
  row.run = GetParam().text;
  for (const std::uint32_t threads : {1u, 2u}) {
    auto run = small.run_with(row, *small.codec);
    run.iterations = 20;
    run.threads = threads;
    KeepingWatcher watcher = small.watcher();
    const Outcome outcome = run_virtual(run, watcher);
    EXPECT_THAT(outcome.failure, AllOf(HasSubstr("failed in round"), HasSubstr(GetParam().says)));
    EXPECT_FALSE(outcome.machine_refused);
  }
  auto run = small.run_with(row, *small.codec);
  run.iterations = 20;
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  KeepingWatcher watcher = small.watcher();
  EXPECT_THAT(run_threads(run, watcher).failure, AllOf(HasSubstr("failed in round"), HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(All, BrokenText, testing::ValuesIn(kBroken),
                         [](const auto& test) { return std::string(test.param.name); });

// Should nodes ever wait for what nobody will send, the phase ends: nobody sleeps for ever.
TEST(ReadyQueue, FindsThatEveryWorkerWaits) {
  for (const std::size_t workers : {1u, 2u, 3u}) {
    ReadyQueue queue(workers);
    queue.open(4);
    std::atomic<int> taken = 0;
    {
      std::vector<std::jthread> threads;
      for (std::size_t w = 0; w < workers; ++w)
        threads.emplace_back([&, w] {
          if (w == 0) queue.push(w, std::vector<NodeId>{0, 1, 2, 3});
          std::vector<NodeId> one;
          while (queue.pop(w, workers, 1, one)) {
            if (++taken < 3) queue.retire();  // two nodes retire, two never will
          }
        });
    }
    EXPECT_TRUE(queue.is_stuck()) << workers;
    EXPECT_EQ(taken, 4);
    queue.open(1);
    EXPECT_FALSE(queue.is_stuck());
  }
}

}  // namespace
}  // namespace quantimed
