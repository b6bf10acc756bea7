// SPDX-License-Identifier: BSD-3-Clause
#include "timing/machine_file.hpp"
#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace quantimed {
namespace {

class MachineFiles : public ::testing::Test {
 protected:
  MachineFiles()
      : path_(std::filesystem::temp_directory_path() / ("quantimed-machine-" + std::to_string(::getpid()))) {}
  ~MachineFiles() override { std::filesystem::remove(path_); }

  void write(const std::string& text) { std::ofstream(path_) << text; }
  // What the reader says of this text; empty: nothing.
  std::string complaint(const std::string& text) {
    write(text);
    try {
      read_machine_file(path_);
    } catch (const InputError& error) {
      return error.what();
    }
    return {};
  }
  std::string good_text() {
    write_machine_file(path_, good());
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static MachineFile good() {
    MachineFile machine{.cpu = "some; processor = 5",
                        .created = "2026-01-31T12:34:56Z",
                        .software = "0.1.0 abc",
                        .dataset = "mnist",
                        .model = "mlp:50",
                        .invalid = {},
                        .placement = "spread",
                        .data = "0123abcd",
                        .augment = "crop:4,flip",
                        .batch = 50,
                        .cores = 2,
                        .dimension = 39760,
                        .flops_per_sample = 159800,
                        .codes = {}};
    machine.codes["exact"] = {.gradient = {{1, 1e-5}, {50, 8e-5}},
                              .deadline_sample_s = 2e-6,
                              .encode_s = 0,
                              .publish_s = 1e-7,
                              .latency_s = 2e-7,
                              .receive_s = 3e-8,
                              .mix = {{1, 2e-5}, {2, 3e-5}},
                              .record_s = 1e-7};
    machine.codes["qsgd:0.5,x"] = machine.codes["exact"];
    return machine;
  }
  static std::string with(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  }

  std::string path_;
};

TEST_F(MachineFiles, ComeBackAsTheyWere) {
  write_machine_file(path_, good());
  const MachineFile back = read_machine_file(path_), same = good();
  EXPECT_EQ(back.cpu, same.cpu);
  EXPECT_EQ(back.model, same.model);
  EXPECT_EQ(back.placement, same.placement);
  EXPECT_EQ(back.data, same.data);
  EXPECT_EQ(back.batch, same.batch);
  EXPECT_EQ(back.augment, "crop:4,flip");
  EXPECT_EQ(back.cores, same.cores);
  EXPECT_EQ(back.dimension, same.dimension);
  EXPECT_EQ(back.flops_per_sample, same.flops_per_sample);
  ASSERT_EQ(back.codes.size(), 2u);
  for (const auto& [name, costs] : same.codes) {
    EXPECT_EQ(back.costs(name).gradient, costs.gradient);
    EXPECT_EQ(back.costs(name).mix, costs.mix);
    EXPECT_EQ(back.costs(name).latency_s, costs.latency_s);
    EXPECT_EQ(back.costs(name).receive_s, costs.receive_s);
  }
  EXPECT_THROW(back.costs("rounding"), InputError);
}

TEST_F(MachineFiles, LinksBetweenRanksComeBackAsTheyWere) {
  MachineFile machine = good();
  machine.links.library = "Open MPI v4.1.4 (MPI 3.1)";
  machine.links.two_hosts = {.pairs = 3,
                             .one_way = {{64, 2e-5}, {159040, 1.5e-3}},
                             .low = {{64, 1e-5}, {159040, 1.25e-3}},
                             .high = {{64, 3e-5}, {159040, 2e-3}},
                             .gap = {{64, 1e-6}, {159040, 1.4e-3}}};
  write_machine_file(path_, machine);
  const MachineFile back = read_machine_file(path_);
  EXPECT_FALSE(back.links.one_host.has_value());
  ASSERT_TRUE(back.links.two_hosts.has_value());
  EXPECT_EQ(back.links.library, machine.links.library);
  EXPECT_EQ(back.links.two_hosts->pairs, 3u);
  EXPECT_EQ(back.links.two_hosts->one_way, machine.links.two_hosts->one_way);
  EXPECT_EQ(back.links.two_hosts->low, machine.links.two_hosts->low);
  EXPECT_EQ(back.links.two_hosts->high, machine.links.two_hosts->high);
  EXPECT_EQ(back.links.two_hosts->gap, machine.links.two_hosts->gap);
  EXPECT_EQ(back.codes.size(), 2u);
  std::ifstream file(path_);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(text, testing::HasSubstr("version = 2"));  // programs that know no links refuse it
  EXPECT_THAT(good_text(), testing::HasSubstr("version = 1"));
  EXPECT_THAT(complaint(with(text, "pairs = 3", "pairs = 0")), testing::HasSubstr("pairs = 0"));
  EXPECT_THAT(complaint(with(text, "mpi = ", "mpl = ")), testing::HasSubstr("has no mpi"));
  EXPECT_THAT(complaint(with(text, "gap_s = 64:", "gap_s = 65:")),
              testing::HasSubstr("[ranks on two hosts] gap_s is of other sizes"));
}

TEST_F(MachineFiles, ThatAreWrongAreRefusedByName) {
  const std::string text = good_text();
  const struct {
    std::string text, because;
  } cases[] = {
      {"", "no [machine] section"},
      {"no equals sign", "line 1"},
      {with(text, "version = 1", "version = 7"), "of version 7"},
      {with(text, "cores = 2", "cores = two"), "cores = two"},
      {with(text, "dimension = 39760\n", ""), "has no dimension"},
      {with(text, "latency_s = 2e-07", "latency_s = nan"), "latency_s = nan"},
      {with(text, "latency_s = 2e-07", "latency_s = -1"), "latency_s = -1"},
      {with(text, "1:1e-05 50:8e-05", ""), "gradient_s is empty"},
      {with(text, "1:1e-05 50:8e-05", "50:8e-05 1:1e-05"), "does not ascend"},
      {with(text, "1:1e-05 50:8e-05", "1:1e-05 :"), "gradient_s"},
      {with(text, "1:1e-05 50:8e-05", "1 1e-05"), "gradient_s"},
      {with(text, "1:1e-05 50:8e-05", "0:1e-05 50:8e-05"), "gradient_s"},
      {text.substr(0, text.find("[exact]")), "no section about a code"},
      {std::string(2 << 20, ';'), "longer than 1 MiB"},
  };
  for (const auto& [bad, because] : cases) {
    const std::string said = complaint(bad);
    EXPECT_THAT(said, testing::HasSubstr(because));
    EXPECT_THAT(said, testing::HasSubstr("--machine " + path_));
    EXPECT_EQ(said.find('\n'), std::string::npos) << said;
  }
  EXPECT_EQ(complaint(text), "");
  EXPECT_THROW(read_machine_file("/nowhere/machine.ini"), InputError);
  EXPECT_THROW(write_machine_file("/nowhere/machine.ini", good()), InputError);
}

}  // namespace
}  // namespace quantimed
