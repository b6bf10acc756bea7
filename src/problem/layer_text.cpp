// SPDX-License-Identifier: BSD-3-Clause
#include "problem/layer_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace quantimed {

namespace {

constexpr std::size_t kMostChannels = 65'536, kMostKernel = 99, kMostStride = 16, kMostOutputs = 1'000'000;
constexpr std::size_t kMostLayers = 1000, kMostDepth = 8;
constexpr std::size_t kMostWeights = std::size_t{1} << 40;
constexpr std::size_t kMostNumbers = (std::size_t{1} << 30) / sizeof(Real);  // a sample's, or a product's: 1 GiB

std::string to_text(const ImageShape& shape) {
  return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width);
}

class Reader {
 public:
  Reader(std::string_view text, std::size_t outputs) : rest_(text), outputs_(outputs) {}

  std::unique_ptr<Layer> network(const ImageShape& in) {
    std::unique_ptr<Layer> result = layers(in, 0);
    if (!rest_.empty()) throw InputError("--model layers: ']' after layer {} closes no '['; leave it out", number_);
    if (result->out().size() != outputs_)
      throw InputError("--model layers: ends with {}, where {} output{} wanted; end with linear",
                       to_text(result->out()), outputs_, outputs_ == 1 ? " is" : "s are");
    return result;
  }

 private:
  // As many as there are, up to the end of the text or the bracket that closes them.
  std::unique_ptr<Layer> layers(const ImageShape& in, std::size_t depth) {
    Layers list;
    ImageShape shape = in;
    for (bool more = true; more;) {
      list.push_back(rest_.starts_with('[') ? block(shape, depth + 1) : one(shape));
      shape = list.back()->out();
      more = rest_.starts_with(',');
      if (more) rest_.remove_prefix(1);
    }
    // What comes after it adds to its output, or takes its place, before it has looked at it again.
    if (word_ == "relu")
      throw InputError("--model layers: layer {}, relu, ends {}; put it {}", number_,
                       depth > 0 ? "a residual block" : "the network",
                       depth > 0 ? "behind the ']'" : "before the last linear");
    return sequence(in, std::move(list));
  }

  std::unique_ptr<Layer> block(const ImageShape& in, std::size_t depth) {
    const std::size_t first = number_ + 1;
    if (depth > kMostDepth)
      throw InputError("--model layers: more than {} residual blocks within each other, at layer {}", kMostDepth,
                       first);
    rest_.remove_prefix(1);
    std::unique_ptr<Layer> body = layers(in, depth);
    if (!rest_.starts_with(']'))
      throw InputError("--model layers: the residual block of layers {} to {} is not closed; add ']'", first, number_);
    rest_.remove_prefix(1);
    if (!rest_.empty() && rest_.front() != ',' && rest_.front() != ']')
      throw InputError("--model layers: after the ']' behind layer {} comes '{}'; give a comma", number_,
                       rest_.substr(0, 1));
    if (!residual_fits(in, body->out()))
      throw InputError(
          "--model layers: the residual block of layers {} to {} makes {} of {}; it must keep the shape, or halve "
          "height "
          "and width and add an even number of channels, or none",
          first, number_, to_text(body->out()), to_text(in));
    word_ = {};
    return residual(std::move(body));
  }

  std::unique_ptr<Layer> one(const ImageShape& in) {
    const std::size_t end = std::min(rest_.find_first_of(",[]"), rest_.size());
    word_ = rest_.substr(0, end);
    if (++number_ > kMostLayers) throw InputError("--model layers: more than {} layers", kMostLayers);
    if (end < rest_.size() && rest_[end] == '[') refuse(in, "a '[' follows it; give a comma before a residual block");
    rest_.remove_prefix(end);
    std::unique_ptr<Layer> layer = make(in);
    weights_ += layer->parameters();
    floats_ += layer->out().size() + layer->kept();
    if (weights_ > kMostWeights) refuse(in, fmt::format("with it the network has {} weights, too many", weights_));
    if (std::max(floats_, layer->scratch()) > kMostNumbers)
      refuse(in, "with it a sample takes more than 1 GiB; make the layers smaller");
    return layer;
  }

  std::unique_ptr<Layer> make(const ImageShape& in) {
    std::vector<std::string_view> parts;
    for (std::string_view left = word_;;) {
      const std::size_t colon = left.find(':');
      parts.push_back(left.substr(0, colon));
      if (colon == std::string_view::npos) break;
      left.remove_prefix(colon + 1);
    }
    const std::string_view kind = parts[0];
    const std::size_t count = parts.size() - 1;  // of what it is given
    if (kind == "conv") return make_convolution(in, parts);
    if (kind == "norm") {
      if (count != 1) refuse(in, "give norm:GROUPS, as in norm:2");
      const std::size_t groups = whole(in, parts[1], "groups", kMostChannels);
      if (in.channels % groups != 0)
        refuse(in, fmt::format("{} groups do not divide {} channels", groups, in.channels));
      return group_norm(in, groups);
    }
    if (kind == "relu") {
      if (count != 0) refuse(in, "relu takes nothing");
      return relu(in);
    }
    if (kind == "max" || kind == "average") {
      if (count > 1 || (count == 0 && kind == "max")) refuse(in, fmt::format("give {0}:SIDE, as in {0}:2", kind));
      const std::size_t most = std::min(in.height, in.width);
      if (count == 0 && in.height != in.width) refuse(in, "average alone takes a square image; give average:SIDE");
      const std::size_t side = count == 0 ? most : whole(in, parts[1], "pixels a side", kMostChannels);
      if (side > most) refuse(in, fmt::format("areas of {0}x{0} do not fit into {1}x{2}", side, in.height, in.width));
      return kind == "max" ? max_pool(in, side) : average_pool(in, side);
    }
    if (kind == "linear") {
      if (count > 1) refuse(in, "give linear:OUTPUTS, as in linear:100, or linear for as many as the loss takes");
      return linear(in, count == 0 ? outputs_ : whole(in, parts[1], "outputs", kMostOutputs));
    }
    refuse(in,
           "unknown; give conv:CHANNELS:KERNEL, norm:GROUPS, relu, max:SIDE, average:SIDE, linear:OUTPUTS or a "
           "residual block [LAYER,LAYER]");
  }

  std::unique_ptr<Layer> make_convolution(const ImageShape& in, std::vector<std::string_view>& parts) {
    const bool bias = parts.back() != "no-bias";
    if (!bias) parts.pop_back();
    if (parts.size() < 3 || parts.size() > 4)
      refuse(in, "give conv:CHANNELS:KERNEL, conv:CHANNELS:KERNEL:STRIDE, either with :no-bias, as in conv:32:5");
    const std::size_t channels = whole(in, parts[1], "channels", kMostChannels),
                      kernel = whole(in, parts[2], "pixels of a kernel", kMostKernel),
                      stride = parts.size() == 4 ? whole(in, parts[3], "pixels of a stride", kMostStride) : 1;
    if (kernel % 2 == 0) refuse(in, fmt::format("a kernel of {} has no middle; give an odd one", kernel));
    return convolution(in, channels, kernel, stride, bias);
  }

  std::size_t whole(const ImageShape& in, std::string_view word, const char* what, std::size_t most) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size() || value < 1 || value > most)
      refuse(in, fmt::format("'{}' is no number of {}; give a whole number from 1 to {}", word, what, most));
    return value;
  }

  [[noreturn]] void refuse(const ImageShape& in, const std::string& why) const {
    constexpr std::size_t kShown = 60;
    throw InputError("--model layers: layer {}, '{}{}', which gets {}: {}", number_, word_.substr(0, kShown),
                     word_.size() > kShown ? "…" : "", to_text(in), why);
  }

  std::string_view rest_;
  std::size_t outputs_;
  std::string_view word_ = {};  // the newest layer's; empty: a block
  std::size_t number_ = 0;      // its number, from 1
  std::size_t weights_ = 0, floats_ = 0;
};

}  // namespace

std::unique_ptr<Layer> layers_of(const std::string& text, const ImageShape& in, std::size_t outputs) {
  return Reader(text, outputs).network(in);
}

}  // namespace quantimed
