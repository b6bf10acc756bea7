// SPDX-License-Identifier: BSD-3-Clause
#include "problem/problem.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <string_view>

#include "base/error.hpp"
#include "problem/dense.hpp"
#include "problem/layer_text.hpp"
#include "problem/layered.hpp"

namespace quantimed {
namespace {

constexpr std::size_t kWidestLayer = 1'000'000;

// "30,20" → {30, 20}
std::vector<std::size_t> parse_widths(const std::string& model, std::string_view list) {
  std::vector<std::size_t> widths;
  for (bool more = true; more;) {
    const std::size_t comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    std::size_t width = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), width);
    if (error != std::errc{} || end != word.data() + word.size() || width < 1 || width > kWidestLayer)
      throw InputError("--model {}: '{}' is no layer width; give whole numbers from 1 to {}, as in mlp:30,20", model,
                       word, kWidestLayer);
    widths.push_back(width);
    more = comma != std::string_view::npos;
    if (more) list.remove_prefix(comma + 1);
  }
  return widths;
}

Activation parse_activation(const std::string& text) {
  if (text == "sigmoid") return Activation::sigmoid;
  if (text == "tanh") return Activation::tanh;
  if (text == "relu") return Activation::relu;
  throw InputError("--activation {}: unknown; choose sigmoid, tanh or relu", text);
}

Loss parse_loss(const std::string& text) {
  for (Loss loss : {Loss::sigmoid_cross_entropy, Loss::softmax, Loss::squared})
    if (text == to_string(loss)) return loss;
  throw InputError("--loss {}: unknown; choose sigmoid-cross-entropy, softmax or squared", text);
}

std::vector<double> half_widths_of_layers(const std::vector<double>& given, std::size_t layers) {
  for (double half_width : given)
    if (!(half_width >= 0 && half_width < 1e6))
      throw InputError("--initial {}: a half-width must be a number from 0 to 1e6", half_width);
  if (given.size() == 1) return std::vector<double>(layers, given[0]);
  if (given.size() == layers) return given;
  throw InputError("--initial {}: {} half-widths for {} layers; give one for all or one for each",
                   fmt::join(given, ","), given.size(), layers);
}

Loss default_loss(const std::string& model, std::uint32_t classes) {
  if (model == "least-squares" || classes == 0) return Loss::squared;
  return model == "logistic" && classes > 2 ? Loss::softmax : Loss::sigmoid_cross_entropy;
}

// Throws where the parts, each fine by itself, contradict each other.
void check_fit(const std::string& model, Loss loss, const Dataset& data) {
  if (data.features == 0) throw InputError("--dataset {}: its samples have no features", data.name);
  if (data.classes == 1)
    throw InputError("--dataset {}: only one class is left, so there is nothing to learn; keep two or more", data.name);
  if (model == "logistic" && data.classes == 0)
    throw InputError("--model logistic: '{}' has no classes but real targets; use least-squares or mlp", data.name);
  if (model == "least-squares" && loss != Loss::squared)
    throw InputError("--loss {}: least-squares has the squared loss; use --model logistic", to_string(loss));
  if (model == "logistic" && loss == Loss::squared)
    throw InputError("--loss squared: logistic needs a cross-entropy; use --model least-squares");
  if (data.classes == 0 && loss != Loss::squared)
    throw InputError("--loss {}: '{}' has no classes but real targets; use squared", to_string(loss), data.name);
}

std::size_t count_outputs(const std::string& model, Loss loss, std::uint32_t classes) {
  if (classes == 0) return 1;
  return model == "logistic" && classes == 2 && loss == Loss::sigmoid_cross_entropy ? 1 : classes;
}

}  // namespace

namespace {

struct ImageModel {
  const char* name;
  std::size_t halvings;  // of the image's side
  std::unique_ptr<Layer> (*make)(ImageShape in, std::size_t outputs);
};
constexpr ImageModel kImageModels[] = {{"gn-lenet", 3, gn_lenet}, {"resnet20", 2, resnet20}};

const ImageModel* find_image_model(const std::string& model) {
  for (const ImageModel& row : kImageModels)
    if (model == row.name) return &row;
  return nullptr;
}

constexpr std::string_view kLayers = "layers:";

void require_default_activation(const ModelRequest& request, const char* why) {
  parse_activation(request.activation);
  if (request.activation != ModelRequest{}.activation)
    throw InputError("--activation {}: --model {}: {}; leave it out, or give --model mlp:WIDTHS", request.activation,
                     request.model, why);
}

// Of a row, or of a text where there is none.
std::unique_ptr<Problem> make_layered(const ImageModel* row, const ModelRequest& request, const Dataset& data) {
  const std::string name = row ? row->name : "layers";
  if (request.initial_half_widths != ModelRequest{}.initial_half_widths)
    throw InputError("--initial: {} starts uniform in 1/sqrt(inputs) of each layer; leave it out", name);
  require_default_activation(request, "layers have their own");
  const Loss loss = !request.loss.empty() ? parse_loss(request.loss)
                    : data.classes == 0   ? Loss::squared
                                          : Loss::softmax;
  check_fit(name, loss, data);
  const std::size_t outputs = count_outputs(name, loss, data.classes);
  std::unique_ptr<Layer> network = row ? row->make(image_of(name, data, row->halvings), outputs)
                                       : layers_of(request.model.substr(kLayers.size()), input_of(name, data), outputs);
  return std::make_unique<LayeredProblem>(request.model, std::move(network), loss, data);
}

}  // namespace

std::unique_ptr<Problem> make_problem(const ModelRequest& request, const Dataset& data) {
  const ImageModel* row = find_image_model(request.model);
  if (row || request.model.starts_with(kLayers)) return make_layered(row, request, data);
  const std::size_t colon = request.model.find(':');
  const std::string model = request.model.substr(0, colon);
  const bool has_widths = colon != std::string::npos, is_mlp = model == "mlp";
  if (!(is_mlp && has_widths) && request.model != "least-squares" && request.model != "logistic")
    throw InputError(
        "--model {}: unknown; choose least-squares, logistic, mlp:WIDTHS, as in mlp:50 or mlp:30,20,20,25, gn-lenet, "
        "resnet20 or layers:LAYER,LAYER, as in layers:conv:32:5,relu,max:2,linear",
        request.model);

  DenseShape shape{.name = model, .biases = is_mlp, .activation = parse_activation(request.activation)};
  shape.loss = request.loss.empty() ? default_loss(model, data.classes) : parse_loss(request.loss);
  check_fit(model, shape.loss, data);

  if (!is_mlp) require_default_activation(request, "has no hidden units");
  if (is_mlp) shape.widths = parse_widths(request.model, std::string_view(request.model).substr(colon + 1));
  shape.widths.insert(shape.widths.begin(), data.features);
  shape.widths.push_back(count_outputs(model, shape.loss, data.classes));
  shape.half_widths = half_widths_of_layers(request.initial_half_widths, shape.widths.size() - 1);
  return std::make_unique<DenseProblem>(std::move(shape), data);
}

double penalised_norm_squared(const Problem& problem, std::span<const Real> x) {
  check(x.size() == problem.dimension(), "penalised_norm_squared: x is [p]");
  double sum = 0;
  for (const auto& [first, last] : problem.penalised())
    for (Real value : x.subspan(first, last - first)) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

}  // namespace quantimed
