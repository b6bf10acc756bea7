// SPDX-License-Identifier: BSD-3-Clause
// Networks from a text: those that have a name to the bit, and what is no network.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "problem/layer_text.hpp"
#include "problem/problem.hpp"

namespace quantimed {
namespace {

using testing::HasSubstr;

const std::string kLenet = "conv:32:5,norm:2,relu,max:2,conv:32:5,norm:2,relu,max:2,conv:64:5,norm:2,relu,max:2,linear";

std::string resnet20_text() {
  std::string text = "conv:16:3:no-bias,norm:2,relu";
  for (const int channels : {16, 32, 64})
    for (int k = 0; k < 3; ++k) {
      const std::string c = std::to_string(channels), stride = k == 0 && channels > 16 ? ":2" : "";
      text += ",[conv:" + c + ":3" + stride + ":no-bias,norm:2,relu,conv:" + c + ":3:no-bias,norm:2],relu";
    }
  return text + ",average,linear";
}

Dataset pictures(std::vector<std::uint32_t> shape, std::uint32_t classes) {
  Dataset data;
  data.name = "pictures";
  data.samples = 40;
  data.shape = std::move(shape);
  data.features = 1;
  for (const std::uint32_t extent : data.shape) data.features *= extent;
  data.classes = classes;
  Stream words({.seed = 4});
  for (std::size_t i = 0; i < std::size_t{data.samples} * data.features; ++i)
    data.values.push_back(static_cast<float>(words.uniform(-1, 1)));
  for (std::uint32_t k = 0; k < data.samples; ++k)
    data.targets.push_back(classes > 0 ? static_cast<float>(k % classes) : static_cast<float>(words.uniform(-1, 1)));
  return data;
}

std::vector<float> gradient_of(const Problem& problem, std::uint64_t seed) {
  std::vector<float> x(problem.dimension()), sum(problem.dimension());
  std::vector<SampleId> rows;
  for (SampleId k = 0; k < 40; ++k) rows.push_back(39 - k);
  Workspace work = problem.make_workspace();
  problem.initialise(x, seed);
  problem.gradient_sum(x, rows, false, sum, work);
  sum.insert(sum.end(), x.begin(), x.end());
  return sum;
}

TEST(LayerText, OfANamedNetworkIsThatNetworkToTheBit) {
  for (const std::vector<std::uint32_t>& shape : {std::vector<std::uint32_t>{3, 16, 16}, {8, 8}}) {
    const Dataset data = pictures(shape, 7);
    for (const auto& [name, text] :
         {std::pair<std::string, std::string>{"gn-lenet", kLenet}, {"resnet20", resnet20_text()}}) {
      const auto named = make_problem({.model = name}, data), written = make_problem({.model = "layers:" + text}, data);
      ASSERT_EQ(named->dimension(), written->dimension()) << name;
      EXPECT_EQ(gradient_of(*named, 3), gradient_of(*written, 3)) << name;
      EXPECT_EQ(named->penalised().size(), written->penalised().size());
      EXPECT_EQ(named->gradient_flops(), written->gradient_flops());
      EXPECT_THAT(written->description(), testing::StartsWith("layers:" + text));
    }
  }
}

TEST(LayerText, TakesTablesWideImagesAndRegression) {
  EXPECT_EQ(make_problem({.model = "layers:linear:5,relu,linear"}, pictures({12}, 3))->dimension(),
            12u * 5 + 5 + 15 + 3);
  EXPECT_EQ(make_problem({.model = "layers:linear"}, pictures({12}, 0))->dimension(), 13u);
  EXPECT_EQ(make_problem({.model = "layers:linear:3"}, pictures({12}, 3))->dimension(), 39u);
  // 2x6x10 → 4x3x5 → 4x1x2
  const auto wide = make_problem({.model = "layers:conv:4:3:2,relu,max:2,linear"}, pictures({2, 6, 10}, 3));
  EXPECT_EQ(wide->dimension(), 4u * 2 * 9 + 4 + 8 * 3 + 3);
}

TEST(LayerText, EveryWordHasItsLayer) {
  const ImageShape in{4, 8, 8};
  const auto shape = [&](const std::string& text, std::size_t outputs) { return layers_of(text, in, outputs)->out(); };
  EXPECT_EQ(shape("conv:6:3", 6 * 64), (ImageShape{6, 8, 8}));
  EXPECT_EQ(shape("conv:6:3:2", 6 * 16), (ImageShape{6, 4, 4}));
  EXPECT_EQ(shape("conv:6:3:3:no-bias", 6 * 9), (ImageShape{6, 3, 3}));
  EXPECT_EQ(shape("norm:4", 256), in);
  EXPECT_EQ(shape("max:3", 16), (ImageShape{4, 2, 2}));
  EXPECT_EQ(shape("average:8", 4), (ImageShape{4, 1, 1}));
  EXPECT_EQ(shape("average", 4), (ImageShape{4, 1, 1}));
  EXPECT_EQ(shape("linear:5", 5), (ImageShape{.channels = 5}));
  EXPECT_EQ(shape("[conv:4:3]", 256), in);
  EXPECT_EQ(shape("[[conv:4:1,norm:2],relu,conv:8:3:2]", 128), (ImageShape{8, 4, 4}));
  EXPECT_EQ(layers_of("conv:6:3", in, 384)->parameters(), 6u * 4 * 9 + 6);
  EXPECT_EQ(layers_of("conv:6:3:no-bias", in, 384)->parameters(), 6u * 4 * 9);
}

std::string refusal(const std::string& text, const ImageShape& in = {3, 32, 32}, std::size_t outputs = 10) {
  try {
    layers_of(text, in, outputs);
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "accepted";
}

TEST(LayerText, SaysWhichLayerIsWrongAndWhatItGets) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "layer 1, '', which gets 3x32x32: unknown"},
      {"linear,", "layer 2, '', which gets 10x1x1: unknown"},
      {"conv:8:3,,linear", "layer 2, '', which gets 8x32x32: unknown"},
      {"conv:8:3,dropout:2,linear", "layer 2, 'dropout:2', which gets 8x32x32: unknown; give conv:CHANNELS:KERNEL"},
      {"conv:8", "layer 1, 'conv:8', which gets 3x32x32: give conv:CHANNELS:KERNEL"},
      {"conv:8:3:1:1", "give conv:CHANNELS:KERNEL"},
      {"conv", "give conv:CHANNELS:KERNEL"},
      {"conv:no-bias", "give conv:CHANNELS:KERNEL"},
      {"conv:8:4,linear", "layer 1, 'conv:8:4', which gets 3x32x32: a kernel of 4 has no middle"},
      {"conv:0:3", "'0' is no number of channels; give a whole number from 1 to 65536"},
      {"conv:-1:3", "'-1' is no number of channels"},
      {"conv:8:3:0", "'0' is no number of pixels of a stride"},
      {"conv:8:3x", "'3x' is no number of pixels of a kernel"},
      {"conv:99999999999999999999999:3", "is no number of channels"},
      {"conv:8:3,norm:3,linear", "layer 2, 'norm:3', which gets 8x32x32: 3 groups do not divide 8 channels"},
      {"norm", "give norm:GROUPS"},
      {"relu:1,linear", "relu takes nothing"},
      {"max:2,max:20,linear", "layer 2, 'max:20', which gets 3x16x16: areas of 20x20 do not fit into 16x16"},
      {"max,linear", "give max:SIDE"},
      {"average:1:2,linear", "give average:SIDE"},
      {"linear:1:2", "give linear:OUTPUTS"},
      {"linear:0", "'0' is no number of outputs"},
      {"conv:8:3,relu", "layer 2, relu, ends the network; put it before the last linear"},
      {"relu", "layer 1, relu, ends the network"},
      {"conv:8:3,norm:2", "ends with 8x32x32, where 10 outputs are wanted; end with linear"},
      {"linear:9", "ends with 9x1x1, where 10 outputs are wanted"},
      {"[conv:3:3,relu],linear", "layer 2, relu, ends a residual block; put it behind the ']'"},
      {"[conv:3:3,linear", "the residual block of layers 1 to 2 is not closed"},
      {"conv:3:3],linear", "']' after layer 1 closes no '['"},
      {"[],linear", "layer 1, '', which gets 3x32x32: unknown"},
      {"[conv:3:3]linear", "after the ']' behind layer 1 comes 'l'; give a comma"},
      {"conv:3:3[conv:3:3]", "layer 1, 'conv:3:3', which gets 3x32x32: a '[' follows it"},
      {"relu,[conv:4:3],linear",
       "the residual block of layers 2 to 2 makes 4x32x32 of 3x32x32; it must keep the shape, or halve"},
      {"[[[[[[[[[conv:3:3]]]]]]]]],linear", "more than 8 residual blocks within each other"},
      {"conv:65536:3,conv:65536:3,linear",
       "layer 2, 'conv:65536:3', which gets 65536x32x32: with it a sample takes more than 1 GiB"},
      {"linear:1000000,linear:1000000,linear:1000000,linear", "weights, too many"},
  };
  for (const auto& [text, says] : cases) EXPECT_THAT(refusal(text), HasSubstr(says)) << text;
  std::string many = "relu";
  for (int k = 0; k < 1000; ++k) many += ",relu";
  EXPECT_THAT(refusal(many + ",linear"), HasSubstr("more than 1000 layers"));
  EXPECT_THAT(refusal(std::string(5000, 'x')), HasSubstr("…', which gets"));
  EXPECT_LT(refusal(std::string(5000, 'x')).size(), 400u);
  EXPECT_THAT(refusal("average,linear", {3, 4, 6}), HasSubstr("average alone takes a square image"));
}

// Whatever the text, a network of the outputs that were wanted, or one line that says why not.
TEST(LayerText, AnyTextGivesANetworkOrAReason) {
  const char* const pieces[] = {"conv:4:3", "conv:6:1:2", "conv:4:3:no-bias",
                                "norm:2",   "relu",       "max:2",
                                "average",  "average:2",  "linear",
                                "linear:6", "[",          "]",
                                ",",        ",",          ",",
                                ":",        "9",          "no-bias",
                                "conv",     "\xff",       " "};
  std::size_t networks = 0, refused = 0;
  for (std::uint32_t k = 0; k < 30'000; ++k) {
    Stream words({.seed = 8, .node = k});
    std::string text;
    if (k % 2 == 0) {  // put together
      for (std::uint32_t left = 1 + words.index(9); left > 0; --left) {
        text += pieces[words.index(std::size(pieces))];
        if (words.index(3) > 0) text += ',';
      }
      text += "linear";
    } else {  // a good one with a few changes
      text = k % 4 == 1 ? kLenet : resnet20_text();
      for (std::uint32_t changes = 1 + words.index(3); changes > 0; --changes) {
        const std::size_t at = words.index(static_cast<std::uint32_t>(text.size()));
        if (words.index(2) == 0)
          text.erase(at, 1 + words.index(4));
        else
          text.insert(at, pieces[words.index(std::size(pieces))]);
      }
    }
    const std::string why = refusal(text, {4, 8, 8}, 10);
    (why == "accepted" ? networks : refused) += 1;
    if (why == "accepted") {
      EXPECT_EQ(layers_of(text, {4, 8, 8}, 10)->out().size(), 10u) << text;
    } else {
      EXPECT_THAT(why, testing::StartsWith("--model layers: ")) << text;
    }
  }
  EXPECT_GT(networks, 500u);
  EXPECT_GT(refused, 5'000u);
}

}  // namespace
}  // namespace quantimed
