// SPDX-License-Identifier: BSD-3-Clause
#include "config/synonyms.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

namespace quantimed {

namespace {

using Synonym = std::pair<std::string_view, const char*>;  // without hyphens and in small letters, and what is meant

constexpr Synonym kOptions[] = {
    {"lr", "alpha"},
    {"learningrate", "alpha"},
    {"step", "alpha"},
    {"stepsize", "alpha"},
    {"eta", "alpha"},
    {"topology", "graph"},
    {"network", "graph"},
    {"compressor", "codec"},
    {"compression", "codec"},
    {"quantizer", "codec"},
    {"quantization", "codec"},
    {"workers", "nodes"},
    {"agents", "nodes"},
    {"clients", "nodes"},
    {"numnodes", "nodes"},
    {"worldsize", "nodes"},
    {"n", "nodes"},
    {"epochs", "iterations"},
    {"steps", "iterations"},
    {"iters", "iterations"},
    {"iter", "iterations"},
    {"maxiter", "iterations"},
    {"t", "iterations"},
    {"consensusstep", "epsilon"},
    {"mixingstep", "epsilon"},
    {"localupdates", "local-steps"},
    {"data", "dataset"},
    {"batchsize", "batch"},
    {"minibatch", "batch"},
    {"bs", "batch"},
    {"weightdecay", "l2"},
    {"wd", "l2"},
    {"lambda", "l2"},
    {"regularization", "l2"},
    {"time", "max-time"},
    {"timelimit", "max-time"},
    {"timeout", "max-time"},
    {"duration", "max-time"},
    {"out", "output"},
    {"outdir", "output"},
    {"outputdir", "output"},
    {"hidden", "model"},
    {"layers", "model"},
    {"modelsize", "model"},
    {"folder", "output"},
    {"bandwidth", "link"},
    {"latency", "link"},
    {"stragglers", "speed"},
    {"straggler", "speed"},
    {"target", "target-loss"},
    {"randomseed", "seed"},
    {"method", "algorithm"},
    {"optimizer", "algorithm"},
    {"force", "overwrite"},
};

constexpr Synonym kCommandSynonyms[] = {
    {"train", "run"},      {"simulate", "run"},   {"bench", "compare"}, {"benchmark", "compare"},
    {"cmp", "compare"},    {"search", "tune"},    {"sweep", "tune"},    {"check", "verify"},
    {"scaling", "scale"},  {"convert", "export"}, {"repeat", "replay"}, {"reproduce", "replay"},
    {"datasets", "info"},  {"list", "info"},      {"resume", "run"},    {"doctor", "info"},
    {"figures", "report"}, {"page", "report"},
};

std::string meant(std::span<const Synonym> synonyms, const std::string& word) {
  std::string plain;
  for (const char c : word)
    if (c != '-' && c != '_') plain += static_cast<char>('A' <= c && c <= 'Z' ? c - 'A' + 'a' : c);
  const auto found = std::ranges::find_if(synonyms, [&](const Synonym& entry) { return entry.first == plain; });
  return found == synonyms.end() ? "" : found->second;
}

}  // namespace

std::string option_meant_by(const std::string& word) { return meant(kOptions, word); }
std::string command_meant_by(const std::string& word) { return meant(kCommandSynonyms, word); }

}  // namespace quantimed
