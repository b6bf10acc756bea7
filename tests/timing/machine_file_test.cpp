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
