// SPDX-License-Identifier: BSD-3-Clause
#include "machine/energy.hpp"

#include "machine/small_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "fake_perf.hpp"

namespace quantimed {
namespace {

using ::testing::HasSubstr;

constexpr std::pair<std::uint32_t, std::uint64_t> kPackage = {21, 2};  // as FakeSystem::put_power() has it

TEST(SmallFile, ListsOfUnits) {
  EXPECT_EQ(unit_list("0"), std::vector<int>{0});
  EXPECT_EQ(unit_list("0,18"), (std::vector<int>{0, 18}));
  EXPECT_EQ(unit_list("0-2,4"), (std::vector<int>{0, 1, 2, 4}));
  for (const char* text : {"", ",", "0,", ",0", "a", "0-", "-1", "3-1", "0 1", "0-99999999", "70000", "1e3"})
    EXPECT_FALSE(unit_list(text)) << text;
}

TEST(Energy, OfPerfIsOfAllPackages) {
  const FakeSystem system;
  system.put_power();
  FakePerf perf;
  perf.events[kPackage] = 0;
  constexpr std::int64_t kJoule = std::int64_t{1} << 32;  // 2^-32 J each
  perf.per_unit = {7 * kJoule, 8 * kJoule, 8 * kJoule + kJoule / 2};
  {
    EnergyMeter meter(perf, system.root());
    EXPECT_EQ(perf.units, (std::set<int>{0, 18}));
    EXPECT_TRUE(meter.is_there());
    EXPECT_EQ(meter.source(), "perf power/energy-pkg/ of 2 packages");
    EXPECT_EQ(meter.joules(), 0);
    EXPECT_EQ(meter.joules(), 1) << "half a joule of each";
  }
  EXPECT_EQ(perf.opened(), 0u);
}

TEST(Energy, FallsBackToPowercap) {
  const FakeSystem system;
  system.put_power();
  system.put_zone("intel-rapl:0", "package-0\n", "1000000\n");
  system.put_zone("intel-rapl:1", "package-1\n", "5000000\n");
  system.put_zone("intel-rapl:0:0", "core\n", "77\n");
  system.put_zone("intel-rapl:2", "psys\n", "77\n");
  system.put_zone("intel-rapl-mmio:0", "package-0\n", "1000000\n");
  FakePerf perf;
  perf.events[kPackage] = -EACCES;
  EnergyMeter meter(perf, system.root());
  EXPECT_EQ(meter.source(), "powercap package-0, package-1");
  EXPECT_EQ(meter.joules(), 0);
  system.put_zone("intel-rapl:0", "package-0\n", "1500000\n");
  system.put_zone("intel-rapl:1", "package-1\n", "6000000\n");
  system.put_zone("intel-rapl:2", "psys\n", "99999999\n");
  EXPECT_DOUBLE_EQ(*meter.joules(), 1.5);
  EXPECT_EQ(perf.opened(), 0u);
}

TEST(Energy, AMeterStartsAgain) {
  const FakeSystem system;
  FakePerf perf;
  system.put_zone("intel-rapl:0", "package-0\n", "900000000\n", "1000000000\n");
  EnergyMeter meter(perf, system.root());
  EXPECT_EQ(meter.joules(), 0);
  system.put_zone("intel-rapl:0", "package-0\n", "100000000\n", "1000000000\n");
  EXPECT_DOUBLE_EQ(*meter.joules(), 200);
  system.put_zone("intel-rapl:0", "package-0\n", "150000000\n", "1000000000\n");
  EXPECT_DOUBLE_EQ(*meter.joules(), 250);
}

// After a reading that cannot be, nothing more is told, since what lies between is not known.
TEST(Energy, AMeterThatFailsIsGoneForGood) {
  for (const char* shown : {"", "\n", "many\n", "-5\n", "99999999999999999999999\n", "1e3\n", "2000000000\n"}) {
    const FakeSystem system;
    FakePerf perf;
    system.put_zone("intel-rapl:0", "package-0\n", "900000000\n", "1000000000\n");
    EnergyMeter meter(perf, system.root());
    EXPECT_EQ(meter.joules(), 0);
    system.put_zone("intel-rapl:0", "package-0\n", shown, "1000000000\n");
    EXPECT_FALSE(meter.joules()) << shown;
    EXPECT_THAT(meter.missing(), HasSubstr("in the middle of the run")) << shown;
    system.put_zone("intel-rapl:0", "package-0\n", "900000001\n", "1000000000\n");
    EXPECT_FALSE(meter.joules()) << shown;
  }
}

TEST(Energy, NothingSaysWhereItStartsAgain) {
  const FakeSystem system;
  FakePerf perf;
  system.put_zone("intel-rapl:0", "package-0\n", "900\n", "");
  EnergyMeter meter(perf, system.root());
  EXPECT_EQ(meter.joules(), 0);
  system.put_zone("intel-rapl:0", "package-0\n", "1000900\n", "");
  EXPECT_DOUBLE_EQ(*meter.joules(), 1);
  system.put_zone("intel-rapl:0", "package-0\n", "100\n", "");
  EXPECT_FALSE(meter.joules());
  EXPECT_THAT(meter.missing(), HasSubstr("went back"));
}

std::string why_none(const FakeSystem& system, FakePerf& perf) {
  EnergyMeter meter(perf, system.root());
  EXPECT_FALSE(meter.is_there());
  EXPECT_FALSE(meter.joules()) << "never a zero";
  EXPECT_EQ(perf.opened(), 0u);
  return meter.missing();
}

TEST(Energy, SaysWhyThereIsNone) {
  FakePerf perf;
  const FakeSystem nothing;
  EXPECT_EQ(why_none(nothing, perf),
            "perf: this machine (a virtual one?) has no power events; powercap: no zone intel-rapl:N of a package");
  EXPECT_THAT(energy_here(perf, nothing.root()), testing::StartsWith("none: perf: "));

  const FakeSystem denied;
  denied.put_power();
  for (const int error : {EACCES, EPERM}) {
    perf.events[kPackage] = -error;
    EXPECT_THAT(why_none(denied, perf), HasSubstr("perf_event_paranoid 0 or less, or CAP_PERFMON"));
  }
  perf.events[kPackage] = -ENOENT;
  EXPECT_THAT(why_none(denied, perf), HasSubstr("no such counter"));
  perf.events[kPackage] = 0;
  perf.per_unit = {-EIO};
  EXPECT_THAT(why_none(denied, perf), HasSubstr("perf: Input/output error"));
}

TEST(Energy, BelievesNoGarbage) {
  const struct {
    const char* file;
    const char* says;
  } cases[] = {{"type", "no power events"},
               {"events/energy-pkg", "no event energy-pkg"},
               {"events/energy-pkg.scale", "no number above 0"},
               {"cpumask", "no list of processing units"}};
  for (const auto& [file, says] : cases)
    for (const char* text : {"", "\n", "zwei\n", "-1\n", "0x\n", "nan\n", "-inf\n", "1,\n", "event=0xzz\n",
                             "99999999999999999999999999\n"}) {
      FakePerf perf;
      perf.events[kPackage] = 0;
      perf.per_unit = {0};
      const FakeSystem system;
      system.put_power();
      system.put(std::string("/sys/bus/event_source/devices/power/") + file, text);
      if (std::string(file).ends_with("scale") && std::string(text).starts_with("9")) continue;  // a number
      EXPECT_THAT(why_none(system, perf), HasSubstr(says)) << file << " " << text;
    }
  FakePerf perf;
  const FakeSystem system;
  system.put_zone("intel-rapl:0", "package-0\n", "many\n");
  EXPECT_THAT(why_none(system, perf), HasSubstr("intel-rapl:0/energy_uj: what a meter shows is no number"));
}

// One package of two would be half of the truth.
TEST(Energy, APackageThatCannotBeReadIsMissing) {
  const FakeSystem system;
  FakePerf perf;
  system.put_zone("intel-rapl:0", "package-0\n", "1\n");
  system.put_zone("intel-rapl:1", "package-1\n", "1\n");
  std::filesystem::remove(system.at("/sys/class/powercap/intel-rapl:1/energy_uj"));
  EXPECT_THAT(why_none(system, perf), HasSubstr("intel-rapl:1/energy_uj: No such file"));
  if (::geteuid() == 0) return;  // may read all
  system.put_zone("intel-rapl:1", "package-1\n", "1\n");
  std::filesystem::permissions(system.at("/sys/class/powercap/intel-rapl:1/energy_uj"), std::filesystem::perms::none);
  EXPECT_THAT(why_none(system, perf), HasSubstr("is readable by root alone"));
}

TEST(EnergyCurve, IsStraightBetweenReadings) {
  EnergyCurve curve;
  EXPECT_TRUE(std::isnan(curve.at(1)));
  curve.add(0.5, 0);
  EXPECT_EQ(curve.at(7), 0);
  curve.add(1, 10);
  curve.add(1, 12);
  curve.end(2, 22);
  for (const auto& [time, joules] :
       {std::pair{0.0, 0.0}, {0.5, 0.0}, {0.75, 5.0}, {1.0, 12.0}, {1.5, 17.0}, {2.0, 22.0}, {9.0, 22.0}})
    EXPECT_EQ(curve.at(time), joules) << time;
  EXPECT_TRUE(std::isnan(curve.at(std::nan(""))));
}

TEST(EnergyCurve, GoesOn) {
  EnergyCurve before, after;
  before.end(0, 0);
  before.end(2, 20);
  after.add(2.5, 0);
  after.end(3, 4);
  before.append(after);
  EXPECT_EQ(before.at(2), 20);
  EXPECT_EQ(before.at(2.5), 20);
  EXPECT_EQ(before.at(3), 24);
}

TEST(EnergyCurve, KeepsAFewThousandOfAny) {
  EnergyCurve curve;
  constexpr int kReadings = 100'000;
  for (int k = 0; k < kReadings; ++k) curve.add(k, 2.0 * k);
  curve.end(kReadings, 2.0 * kReadings);
  for (const double time : {0.0, 1.0, 31.5, 4096.0, 77'777.0, 99'999.0, 100'000.0})
    EXPECT_NEAR(curve.at(time), 2 * time, 1e-6) << time;
  EXPECT_LE(curve.size(), EnergyCurve::kMost + 1);
}

}  // namespace
}  // namespace quantimed
