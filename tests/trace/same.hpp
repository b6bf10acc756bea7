// SPDX-License-Identifier: BSD-3-Clause
// Traces compared value by value; NaN equals NaN.
#pragma once

#include "trace/columns.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace quantimed {

template <class T>
bool same_values(const std::vector<T>& a, const std::vector<T>& b) {
  const auto same = [](T x, T y) {
    if constexpr (std::is_floating_point_v<T>)
      if (std::isnan(x) && std::isnan(y)) return true;
    return std::equal_to<T>()(x, y);
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

template <class Table, class Record>
void expect_same_columns(const Table& table, const Record& a, const Record& b) {
  columns::for_each(
      table, [&](const auto& column) { EXPECT_TRUE(same_values(a.*column.values, b.*column.values)) << column.name; });
}

inline void expect_same(const Trace& a, const Trace& b) {
  EXPECT_EQ(a.status, b.status);
  for (const auto& [name, member] : columns::kRootTexts) EXPECT_EQ(a.*member, b.*member) << name;
  for (const auto& [name, member, is_optional] : columns::kAttributeGroups) EXPECT_EQ(a.*member, b.*member) << name;
  EXPECT_EQ(a.verdict.text(), b.verdict.text());
  EXPECT_EQ(a.warnings, b.warnings);
  EXPECT_EQ(a.ini, b.ini);
  EXPECT_EQ(a.network.nodes, b.network.nodes);
  EXPECT_EQ(a.network.edges, b.network.edges);
  EXPECT_EQ(a.network.weights, b.network.weights);
  EXPECT_EQ(a.network.self_weights, b.network.self_weights);
  EXPECT_EQ(a.network.offsets, b.network.offsets);
  EXPECT_TRUE(std::equal(a.network.neighbour_list.begin(), a.network.neighbour_list.end(),
                         b.network.neighbour_list.begin(), b.network.neighbour_list.end(),
                         [](const Neighbour& x, const Neighbour& y) { return x.id == y.id && x.weight == y.weight; }));
  EXPECT_EQ(a.network.beta, b.network.beta);
  EXPECT_EQ(a.network.spectral_gap, b.network.spectral_gap);
  EXPECT_EQ(a.network.redraws, b.network.redraws);
  expect_same_columns(columns::kProgress, a.progress, b.progress);
  EXPECT_TRUE(same_values(a.progress.class_accuracy, b.progress.class_accuracy));
  EXPECT_EQ(a.classes.set, b.classes.set);
  expect_same_columns(columns::kClasses, a.classes, b.classes);
  EXPECT_EQ(a.progress.drawn_by, b.progress.drawn_by);
  ASSERT_EQ(a.counters.has_value(), b.counters.has_value());
  if (a.counters) {
    expect_same_columns(columns::kCounters, *a.counters, *b.counters);
    EXPECT_EQ(a.counters->account, b.counters->account);
  }
  EXPECT_EQ(a.rounds.iterations, b.rounds.iterations);
  EXPECT_EQ(a.rounds.nodes, b.rounds.nodes);
  expect_same_columns(columns::kRounds, a.rounds, b.rounds);
  EXPECT_TRUE(same_values(a.mean_model, b.mean_model));
  expect_same_columns(columns::kTimeline, a.timeline, b.timeline);
  EXPECT_EQ(a.checkpoint, b.checkpoint);
}

}  // namespace quantimed
