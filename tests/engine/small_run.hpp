// SPDX-License-Identifier: BSD-3-Clause
// A small run for tests: synthetic bytes, a small network, all four algorithms.
#pragma once

#include "algorithm/table.hpp"
#include "engine/engine.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quantimed {

inline Dataset small_dataset(std::uint32_t samples = 400, std::uint32_t features = 23, std::uint32_t classes = 3) {
  Dataset data;
  data.name = "small";
  data.samples = samples;
  data.features = features;
  data.classes = classes;
  Stream stream({.seed = 9, .purpose = Purpose::generated_data});
  for (std::uint32_t row = 0; row < samples; ++row) {
    const std::uint32_t label = stream.index(classes);
    data.targets.push_back(static_cast<float>(label));
    for (std::uint32_t k = 0; k < features; ++k)
      data.bytes.push_back(static_cast<std::uint8_t>(stream.index(128) + (k % classes == label ? 127 : 0)));
  }
  return data;
}

// The names of the table's rows, as parameters of tests, and their tests' own names.
inline std::vector<const char*> all_algorithms() {
  std::vector<const char*> names;
  for (const AlgorithmRow& row : algorithm_table()) names.push_back(row.name);
  return names;
}
inline constexpr auto kAlgorithmAsName = [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace(name, '-', '_');
  return name;
};

// The row's other form, where a parameter chooses one: Nesterov's momentum, the overlapped order, a dual step that
// falls. False: it has none.
inline bool choose_other_form(const AlgorithmRow& row, Options& options) {
  bool has_one = false;
  for (const ParameterUse& use : row.parameters) {
    if (use.parameter == Parameter::nesterov) options.nesterov = has_one = true;
    if (use.parameter == Parameter::overlap) options.overlap = has_one = true;
    if (use.parameter == Parameter::beta) options.beta = 2, has_one = true;
  }
  return has_one;
}

// A watcher that keeps all that it is shown.
class KeepingWatcher final : public Watcher {
 public:
  struct Kept {
    double iteration;
    Seconds time;
    std::vector<std::vector<float>> models;
    std::optional<Seconds> time_paper_bits = {}, time_wire_bits = {};
    bool operator==(const Kept&) const = default;
  };
  bool observe(const Cut& cut) override {
    Kept kept{cut.iteration, cut.time, {}, cut.time_paper_bits, cut.time_wire_bits};
    for (const float* model : cut.models) kept.models.emplace_back(model, model + dimension);
    cuts.push_back(std::move(kept));
    sum_errors.push_back(cut.sum_error);
    return cuts.size() < most_cuts;
  }
  bool wants_to_stop() override { return stop || asked++ >= stop_after; }
  void progress(double done) override { last_progress = done; }
  void checkpoint(const RoundsSource& rounds, std::optional<Checkpoint> state) override {
    checkpoints.push_back(rounds.all());
    last_state = std::move(state);
    cuts_at_last = cuts.size();
  }
  bool checkpoint_due() override { return checkpoint_always; }

  std::vector<std::optional<double>> sum_errors;  // of the cuts
  std::size_t dimension = 0;
  std::size_t most_cuts = ~std::size_t{0};
  bool stop = false, checkpoint_always = false;
  std::size_t stop_after = ~std::size_t{0}, asked = 0;  // how often the run may ask before it is to stop
  double last_progress = 0;
  std::vector<Kept> cuts;
  std::vector<Rounds> checkpoints;
  std::optional<Checkpoint> last_state;  // that came with the last of them
  std::size_t cuts_at_last = 0;
};

// Everything that a Run refers to.
struct SmallRun {
  explicit SmallRun(const std::string& algorithm, std::uint32_t nodes = 4, const std::string& graph = "ring",
                    const std::string& codec_text = "low-precision:1e-3")  // a chain where the row needs a tree
      : row(find_algorithm(algorithm)),
        problem(
            make_problem({.model = "mlp:9", .activation = "sigmoid", .loss = "", .initial_half_widths = {0.5}}, data)),
        network(make_network(parse_graph(row.graph.tree ? "chain" : graph), parse_mixing("laplacian"), nodes, 1)),
        shards(make_shards(data, parse_partition("contiguous"), nodes, 0, 1)),
        codec(make_codec(row.quantizes ? codec_text : "exact")),
        speed(make_speed_model("uniform:10,90", 1)) {}

  Run run() const { return run_with(row, *codec); }
  // Another algorithm or code, to which a Run only refers: both must outlive it.
  Run run_with(const AlgorithmRow& algorithm, const Codec& code) const {
    return {.algorithm = algorithm,
            .options = {.alpha = 0.2f, .epsilon = algorithm.uses_epsilon ? 0.5f : 1.0f, .batch = 20},
            .problem = *problem,
            .network = network,
            .shards = shards,
            .codec = code,
            .penalty = {.lambda = 1, .per = Penalty::Per::batch},
            .deadline = {.fixed_s = 0.4},
            .speed = speed.get(),
            .link = parse_link("paper:3"),
            .iterations = 30,
            .evaluations = 10};
  }
  KeepingWatcher watcher() const {
    KeepingWatcher w;
    w.dimension = problem->dimension();
    return w;
  }

  Dataset data = small_dataset();
  const AlgorithmRow& row;
  std::unique_ptr<Problem> problem;
  Network network;
  Shards shards;
  std::unique_ptr<Codec> codec;
  std::unique_ptr<SpeedModel> speed;
};

}  // namespace quantimed
