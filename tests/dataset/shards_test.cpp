// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/shards.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/error.hpp"

using namespace quantimed;
using testing::HasSubstr;

namespace {

using Kind = Partition::Kind;

Dataset labelled(std::uint32_t samples, std::uint32_t classes) {
  Dataset d{.name = "labelled", .samples = samples, .features = 1, .classes = classes};
  for (std::uint32_t i = 0; i < samples; ++i) d.targets.push_back(static_cast<float>(i * 7 % classes));
  return d;
}

const std::vector<Partition> kAll = {{Kind::contiguous},      {Kind::iid},
                                     {Kind::by_label},        {Kind::dirichlet, 0.01},
                                     {Kind::dirichlet, 0.5},  {Kind::dirichlet, 100},
                                     {Kind::dirichlet, 1e-6}, {Kind::dirichlet, 1e6}};

// Distinct labels that a node holds, averaged over nodes.
double mean_classes(const Dataset& d, const Shards& shards) {
  double sum = 0;
  for (NodeId node = 0; node < shards.nodes; ++node) {
    std::vector<bool> seen(d.classes);
    for (const SampleId row : shards.of(node)) seen[static_cast<std::size_t>(d.targets[row])] = true;
    sum += static_cast<double>(std::count(seen.begin(), seen.end(), true));
  }
  return sum / shards.nodes;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return {};
}

}  // namespace

TEST(Shards, EveryPartitionDealsTheFirstRowsOnceInEqualCounts) {
  const Dataset d = labelled(1003, 10);
  for (const Partition& partition : kAll)
    for (const auto& [nodes, m] : {std::pair{10u, 100u}, {7u, 20u}, {1u, 1003u}, {1003u, 1u}}) {
      const Shards shards = make_shards(d, partition, nodes, m, 3);
      EXPECT_EQ(shards.nodes, nodes);
      EXPECT_EQ(shards.per_node, m);
      std::vector<SampleId> rows = shards.rows, expected(nodes * m);
      std::sort(rows.begin(), rows.end());
      std::iota(expected.begin(), expected.end(), 0u);
      EXPECT_EQ(rows, expected);
    }
}

TEST(Shards, ZeroPerNodeMeansAllEqually) {
  for (const Partition& partition : kAll) {
    const Shards shards = make_shards(labelled(103, 4), partition, 10, 0, 1);
    EXPECT_EQ(shards.per_node, 10u);
    EXPECT_EQ(shards.rows.size(), 100u);
  }
}

TEST(Shards, TheUsualNumberIsNeverMoreThanThereAre) {
  EXPECT_EQ(make_shards(labelled(103, 4), {}, 10, kAutoSamples, 1).per_node, 10u);
  EXPECT_EQ(make_shards(labelled(2000, 4), {}, 10, kAutoSamples, 1).per_node, 200u);
  EXPECT_EQ(make_shards(labelled(2010, 4), {}, 10, kAutoSamples, 1).rows,
            make_shards(labelled(2010, 4), {}, 10, 200, 1).rows);
}

TEST(Shards, ContiguousIsFileOrder) {
  const Shards shards = make_shards(labelled(100, 4), {Kind::contiguous}, 5, 10, 1);
  EXPECT_EQ(shards.of(3).front(), 30u);
  EXPECT_EQ(shards.of(3).back(), 39u);
}

TEST(Shards, ByLabelIsSortedAndKeepsFileOrderWithinALabel) {
  const Dataset d = labelled(100, 4);
  const Shards shards = make_shards(d, {Kind::by_label}, 5, 20, 1);
  EXPECT_TRUE(std::is_sorted(shards.rows.begin(), shards.rows.end(), [&](SampleId a, SampleId b) {
    return std::pair(d.targets[a], a) < std::pair(d.targets[b], b);
  }));
}

TEST(Shards, TheSeedDecidesTheRandomOnes) {
  const Dataset d = labelled(1000, 10);
  for (const Partition& partition : kAll) {
    const bool random = partition.kind == Kind::iid || partition.kind == Kind::dirichlet;
    EXPECT_EQ(make_shards(d, partition, 10, 100, 4).rows, make_shards(d, partition, 10, 100, 4).rows);
    EXPECT_EQ(make_shards(d, partition, 10, 100, 4).rows == make_shards(d, partition, 10, 100, 5).rows, !random);
  }
}

TEST(Shards, DirichletsConcentrationSetsHowManyClassesANodeSees) {
  const Dataset d = labelled(10000, 10);
  const auto classes_at = [&](double a) { return mean_classes(d, make_shards(d, {Kind::dirichlet, a}, 20, 500, 2)); };
  EXPECT_LT(classes_at(0.01), 4);
  EXPECT_LT(classes_at(0.1), classes_at(1));
  EXPECT_GT(classes_at(100), 9.5);
}

TEST(Shards, RejectsMoreThanThereIs) {
  const Dataset d = labelled(100, 4);
  EXPECT_THAT(error_of([&] { make_shards(d, {}, 0, 1, 1); }), HasSubstr("--nodes 0"));
  EXPECT_THAT(error_of([&] { make_shards(d, {}, 101, 0, 1); }), HasSubstr("only 100 samples"));
  EXPECT_THAT(error_of([&] { make_shards(d, {}, 10, 11, 1); }), HasSubstr("give 10 or less, or all"));
  EXPECT_THAT(error_of([&] { make_shards(d, {}, 65536, 65536, 1); }), HasSubstr("--nodes"));
}

TEST(Shards, DirichletNeedsClasses) {
  Dataset d = labelled(100, 4);
  d.classes = 0;
  EXPECT_THAT(error_of([&] { make_shards(d, {Kind::dirichlet, 1}, 2, 0, 1); }), HasSubstr("--partition dirichlet"));
}

TEST(Shards, ParsesPartitions) {
  EXPECT_EQ(parse_partition("contiguous").kind, Kind::contiguous);
  EXPECT_EQ(parse_partition("iid").kind, Kind::iid);
  EXPECT_EQ(parse_partition("by-label").kind, Kind::by_label);
  EXPECT_EQ(parse_partition("dirichlet:0.5").kind, Kind::dirichlet);
  EXPECT_EQ(parse_partition("dirichlet:0.5").concentration, 0.5);
  for (const char* bad : {"", "random", "dirichlet", "dirichlet:", "dirichlet:0", "dirichlet:-1", "dirichlet:nan",
                          "dirichlet:inf", "dirichlet:1x", "iid "})
    EXPECT_THAT(error_of([&] { parse_partition(bad); }), HasSubstr(std::string("--partition ") + bad));
}
