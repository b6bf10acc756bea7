// SPDX-License-Identifier: BSD-3-Clause
// Puts every target's seeds into a folder of its own, as libFuzzer wants them: write_seeds CORPUS OUTPUT
#include "dataset/files.hpp"
#include "fuzz/targets.hpp"

int main(int argc, char** argv) {
  using namespace quantimed;
  if (argc != 3) return 2;
  for (const fuzz::Target& target : fuzz::targets()) {
    int number = 0;
    for (const std::string& seed : fuzz::all_seeds(target, argv[1]))
      write_file(std::filesystem::path(argv[2]) / target.name / std::to_string(number++), seed);
  }
}
