// SPDX-License-Identifier: BSD-3-Clause
// The statistics of the suite for other programs: a JSON document in, its judgement out.
#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/comparison.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

namespace quantimed {

namespace {

constexpr std::streamsize kMostBytes = std::streamsize{1} << 30;

std::string read_all(std::istream& in, const std::string& name) {
  std::string text, block(std::size_t{1} << 16, '\0');
  while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
    text.append(block, 0, static_cast<std::size_t>(in.gcount()));
    if (static_cast<std::streamsize>(text.size()) > kMostBytes)
      throw InputError("judge {}: more than 1 GiB; judge fewer runs at a time", name);
  }
  if (in.bad()) throw InputError("judge {}: cannot be read", name);
  return text;
}

}  // namespace

int judge_command(const Request& request) {
  const std::string name = request.arguments.empty() ? "-" : request.arguments.front();
  std::string document;
  if (name == "-") {
    document = read_all(std::cin, name);
  } else {
    errno = 0;
    std::ifstream file(name, std::ios::binary);
    if (!file)
      throw InputError("judge {}: cannot be opened: {}; give a JSON document, or - for standard input", name,
                       std::generic_category().message(errno));
    document = read_all(file, name);
  }
  fmt::print("{}", answer_json(document));
  return kDone;
}

}  // namespace quantimed
