// SPDX-License-Identifier: BSD-3-Clause
// Which graphs go with which algorithms and options: what is refused is refused before any work.
#include "command/graph_choice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "base/error.hpp"
#include "command/program.hpp"

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

Config on(const std::string& graph) {
  Config c;
  c.graph = graph;
  c.mixing = "laplacian";
  return c;
}

std::vector<std::string> refused(const std::string& graph) {
  std::vector<std::string> names;
  for (const AlgorithmRow& row : algorithm_table()) {
    try {
      require_graph(on(graph), row);
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("--graph " + graph), HasSubstr("static graph"), HasSubstr("dsgd-atc")));
      names.emplace_back(row.name);
    }
  }
  return names;
}

TEST(GraphChoice, RefusesAlgorithmsThatAreNotMadeForTheGraph) {
  EXPECT_THAT(refused("ring"), testing::IsEmpty());
  EXPECT_THAT(refused("one-peer-exponential"),
              testing::UnorderedElementsAre("quantimed-dsgd", "async-dsgd", "swift", "r-fast", "ad-psgd", "swarmsgd",
                                            "q-swarmsgd", "relaysgd", "q-dsgd", "d2", "exact-diffusion", "extra",
                                            "choco-sgd", "dcd-psgd", "ecd-psgd", "moniqua", "lead", "beer", "motef"));
  EXPECT_THAT(refused("random-matching"),
              testing::UnorderedElementsAre("quantimed-dsgd", "async-dsgd", "swift", "r-fast", "ad-psgd", "swarmsgd",
                                            "q-swarmsgd", "relaysgd", "q-dsgd", "d2", "exact-diffusion", "extra",
                                            "choco-sgd", "dcd-psgd", "ecd-psgd", "lead", "beer", "motef"));
  EXPECT_THAT(
      refused("directed-exponential"),
      testing::UnorderedElementsAre("quantimed-dsgd", "async-dsgd", "swift", "ad-psgd", "swarmsgd", "q-swarmsgd",
                                    "relaysgd", "q-dsgd", "d2", "exact-diffusion", "extra", "moniqua", "lead"));
}

TEST(GraphChoice, RefusesOptionsThatAreNotMadeForASchedule) {
  const AlgorithmRow& row = find_algorithm("deepsqueeze");
  const auto refuses = [&](const Config& c, const std::string& option) {
    EXPECT_THAT([&] { require_graph(c, row); }, ThrowsMessage<InputError>(AllOf(HasSubstr(option), HasSubstr("out"))));
  };
  Config c = on("random-matching");
  c.codec = "qsgd:4";
  EXPECT_NO_THROW(require_graph(c, row));
  c.fault = "crash:1@5";
  refuses(c, "--fault crash:1@5");
  c.fault = "";
  c.machine = "machine.ini";
  refuses(c, "--machine machine.ini");
  c.machine = "";
  c.deadline_adapt = true;
  refuses(c, "--deadline-adapt");
  c.deadline_adapt = false;
  c.mixing = "metropolis";
  refuses(c, "--mixing metropolis");
}

TEST(GraphChoice, SumsThatArePassedOnNeedATree) {
  const AlgorithmRow& row = find_algorithm("relaysgd");
  const auto check = [&](const std::string& graph, std::uint32_t nodes) {
    Config c = on(graph);
    c.nodes = nodes;
    require_tree(c, row);
  };
  for (const char* graph : {"chain", "star"})
    for (const std::uint32_t nodes : {1u, 2u, 7u}) EXPECT_NO_THROW(check(graph, nodes)) << graph << nodes;
  EXPECT_NO_THROW(check("ring", 2));  // one link
  for (const char* graph : {"ring", "complete", "two-cliques"})
    EXPECT_THAT([&] { check(graph, 6); },
                ThrowsMessage<InputError>(AllOf(HasSubstr(std::string("--graph ") + graph), HasSubstr("needs a tree"),
                                                HasSubstr("chain, star"))));
  EXPECT_NO_THROW(require_tree(on("ring"), find_algorithm("dsgd")));
}

TEST(GraphChoice, TheProgramRefusesInOneLine) {
  const Folder folder;
  for (const char* arguments :
       {"run --algorithm d2 --graph one-peer-exponential --nodes 4 --output a.h5",
        "run --algorithm dsgd --graph random-matching --mixing metropolis --nodes 4 --output a.h5",
        "run --algorithm relaysgd --graph ring --nodes 4 --output a.h5",
        "run --algorithm relaysgd --graph chain --mixing metropolis --nodes 4 --output a.h5",
        "run --algorithm ad-psgd --graph ring --mixing metropolis --nodes 4 --output a.h5",
        "run --algorithm ad-psgd --graph ring --gradient deadline --nodes 4 --output a.h5",
        "run --algorithm swarmsgd --graph random-matching --nodes 4 --output a.h5",
        "compare --algorithms dsgd,async-dsgd --graph random-matching --nodes 4 --output c",
        "theory --graphs ring,one-peer-exponential,torus,complete --horizons 20 --c2 1 --nodes 4 --output t"}) {
    const Ran ran = run_program(folder, arguments);
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

TEST(GraphChoice, AFileOfDirectedLinksIsForWhomItsWeightsSuit) {
  const Folder folder;
  spill(folder / "ring", "0 1\n1 2\n2 3\n3 0\n");
  spill(folder / "uneven", "0 1\n1 2\n2 3\n3 0\n0 2\n");
  spill(folder / "weighted", "0 1 0.4\n1 2 0.4\n2 3 0.4\n3 0 0.4\n");
  spill(folder / "plain", "0 1 0.4\n1 2 0.1\n2 3 0.4\n");
  const std::string small =
      " --dataset digits:600 --model mlp:4 --nodes 4 --samples-per-node 20 --batch 5 --iterations 20 --overwrite "
      "--output a.h5 ";
  const auto works = [&](const std::string& arguments) {
    const Ran ran = run_program(folder, "run " + arguments + small);
    ASSERT_EQ(ran.status, 0) << arguments << ran.err;
    // Whatever shares the cores, and makes times of real time INVALID.
    EXPECT_THAT(run_program(folder, "verify a.h5").out, HasSubstr("all invariants hold")) << arguments;
  };
  works("--algorithm dsgd --graph directed-file:ring");
  works("--algorithm sgp --graph directed-file:ring");
  works("--algorithm sgp --graph directed-file:uneven");
  works("--algorithm sgp --graph directed-file:uneven --engine threads --oversubscribe");
  works("--algorithm dsgt-atc --graph directed-file:weighted");
  for (const char* graph :
       {"directed-file:ring", "directed-file:uneven", "directed-file:weighted", "directed-exponential"}) {
    works(std::string("--algorithm r-fast --graph ") + graph);
    works(std::string("--algorithm r-fast --engine threads --oversubscribe --graph ") + graph);
    EXPECT_THAT(run_program(folder, "replay a.h5").out, HasSubstr("bit-exact")) << graph;
  }
  works("--algorithm dsgd --graph file:plain");
  spill(folder / "none", "");
  const Ran alone =
      run_program(folder,
                  "run --algorithm sgp --graph directed-file:none --dataset digits:600 --model mlp:4 --nodes 1 "
                  "--samples-per-node 20 --batch 5 --iterations 5 --output one.h5");
  EXPECT_EQ(alone.status, 0) << alone.err;
  EXPECT_THAT(run_program(folder, "verify one.h5").out, HasSubstr("all invariants hold"));
  works("--algorithm async-dsgd --graph file:plain");
  const auto refuses = [&](const std::string& arguments, const std::string& why) {
    const Ran ran = run_program(folder, "run " + arguments + small);
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_THAT(ran.err, HasSubstr(why)) << arguments;
  };
  refuses("--algorithm dsgd --graph directed-file:uneven", "the rows of W do not sum to 1");
  refuses("--algorithm d2 --graph directed-file:ring", "needs a symmetric W");
  refuses("--algorithm async-dsgd --graph directed-file:ring", "needs a symmetric W");
  refuses("--algorithm r-fast --graph directed-file:ring --fault crash:1@5", "other neighbours");
  refuses("--algorithm r-fast --graph one-peer-exponential", "fixed neighbours");
  refuses("--algorithm sgp --graph directed-file:weighted", "sgp does not");
  refuses("--algorithm relaysgd --graph file:plain", "relaysgd does not");
  refuses("--algorithm dsgd --graph file:plain --mixing metropolis", "leave --mixing out");
}

// W(k) as its definition, the mean W as edges; bytes as they were sent and not to all that are ever linked.
TEST(GraphChoice, ATraceOfAScheduleVerifies) {
  const Folder folder;
  const std::string small =
      " --dataset digits:600 --model mlp:4 --nodes 5 --samples-per-node 20 --batch 5 --iterations 20 --link paper:3 ";
  for (const char* graph : {"one-peer-exponential", "random-matching", "directed-exponential"})
    for (const char* algorithm : {"dsgd-atc", "aug-dgm", "gossip-pga", "allreduce-sgd"}) {
      const std::string what = std::string(" --graph ") + graph + " --algorithm " + algorithm + small;
      const Ran ran = run_program(folder, "run" + what + "--overwrite --output a.h5");
      ASSERT_EQ(ran.status, 0) << what << ran.err;
      const Ran verified = run_program(folder, "verify a.h5");
      EXPECT_EQ(verified.status, 0) << what << verified.out << verified.err;
    }
}

}  // namespace
}  // namespace quantimed
