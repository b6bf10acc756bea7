// SPDX-License-Identifier: BSD-3-Clause
#include "config/config.hpp"

namespace quantimed {

Config default_config(const std::string& command) {
  Config config;
  if (command == "theory") {
    config.dataset = "gaussian-linear:8";
    config.model = "least-squares";
    config.nodes = 10;
    config.samples_per_node = 100;
    config.graph = "complete";
    config.l2 = 100;
    config.batch = 10;
    config.codec = "low-precision:0.1";
    config.c1 = 0.1;
    config.c2 = 5;
    config.seeds = {1, 2, 3, 4, 5};
    return config;
  }
  if (command == "tune") config.seeds = {101, 102, 103};  // not those that judge what it finds
  if (command != "scale") return config;
  config.engine = "threads";
  config.repeats = 3;
  config.samples_per_node = config.batch = 384;  // 2⁷ · 3
  config.evaluations = 1;
  return config;
}

}  // namespace quantimed
