// SPDX-License-Identifier: BSD-3-Clause
// What is learnt: the data and the model.
#include "config/option_rows.hpp"

#include "dataset/augment.hpp"
#include "dataset/dataset.hpp"
#include "dataset/shards.hpp"

namespace quantimed {

namespace {

using C = Config;
Listing dataset_listing() {
  Listing listing;
  for (const KnownDataset& known : known_datasets()) listing.emplace_back(known.name, known.description);
  return listing;
}
void check_partition(const std::string& text) { parse_partition(text); }
void check_augment(const std::string& text) { parse_augmentation(text); }

}  // namespace

// clang-format off
std::vector<OptionRow> data_rows() {
  return {
    {.name = "dataset", .topic = Topic::data, .commands = kRuns | kExport | kCalibrate | kInfo, .value = "NAME|PATH",
     .help = "looked for in $QUANTIMED_DATA, datasets/ and /usr/share/datasets", .field = &C::dataset,
     .listing = dataset_listing},
    {.name = "classes", .topic = Topic::data, .commands = kRuns | kExport | kCalibrate | kInfo, .value = "N,N",
     .help = "keep only the samples with these labels, as classes 0, 1, ... in this order", .field = &C::classes,
     .usual = "all", .least = -16'777'216, .most = 16'777'216},
    {.name = "target", .topic = Topic::data, .commands = kRuns | kExport | kCalibrate | kInfo,
     .help = "what the targets of LIBSVM text are; auto: two labels are classes, fractions are values, and other whole "
             "numbers are what --model takes, which is said",
     .field = &C::target, .usual = "auto", .choices = {"classes", "regression"}},
    {.name = "grey", .topic = Topic::data, .commands = kRuns | kExport | kCalibrate | kInfo, .help = "colour to grey", .field = &C::grey},
    {.name = "normalise", .topic = Topic::data, .commands = kRuns | kCalibrate | kInfo,
     .help = "features to mean 0 and standard deviation 1 over the training set: of images each colour, of tables each "
             "feature; sparse rows cannot be",
     .field = &C::normalise},
    {.name = "augment", .topic = Topic::data, .commands = kTimedRuns | kCalibrate, .value = "crop:PIXELS,flip",
     .help = "of images: each sample of a gradient is moved at random by up to PIXELS, black where it moved from, and "
             "mirrored half of the time; either or both, drawn from the seed; evaluation sees the images as they are",
     .field = &C::augment, .usual = "none", .check = check_augment},
    {.name = "samples-per-node", .topic = Topic::data, .commands = kRuns | kCalibrate, .value = "M", .help = "each node's own; auto: 200, or equal shares of all where they are fewer; all: equal shares of all",
     .field = &C::samples_per_node, .usual = "auto", .usual_number = kAutoSamples, .most = kAutoSamples - 1, .every = "all"},
    {.name = "partition", .topic = Topic::data, .value = "contiguous|iid|by-label|dirichlet:A",
     .help = "who holds which samples: file order, shuffled, sorted by label, or a class mix from Dirichlet(A)",
     .field = &C::partition, .check = check_partition},
  };
}

std::vector<OptionRow> model_rows() {
  return {
    {.name = "model", .topic = Topic::model, .commands = kRuns | kCalibrate, .value = "least-squares|logistic|mlp:H,H|gn-lenet|resnet20|layers:LAYER,LAYER",
     .help = "mlp: a network with these hidden layers, mlp:50 or mlp:30,20,20,25; gn-lenet, resnet20: convolutional "
             "networks with group norm, for square images; layers: one of your own, of conv:CHANNELS:KERNEL[:STRIDE][:no-bias], "
             "norm:GROUPS, relu, max:SIDE, average[:SIDE], linear[:OUTPUTS] and residual blocks [LAYER,LAYER], as in "
             "layers:conv:32:5,norm:2,relu,max:2,linear", .field = &C::model},
    {.name = "precision", .topic = Topic::model, .commands = kRuns | kCalibrate,
     .help = "of models, gradients and exact messages: float32, or float64, which quantimed-double computes with: the "
             "same program, built beside this one, which is started with the same options. Data stay float32, and so "
             "do the messages of other codes",
     .field = &C::precision, .choices = {"single", "double"}},
    {.name = "activation", .topic = Topic::model, .commands = kRuns | kCalibrate, .help = "of hidden units", .field = &C::activation,
     .choices = {"sigmoid", "tanh", "relu"}},
    {.name = "loss", .topic = Topic::model, .commands = kRuns | kCalibrate, .help = "of one sample; auto: the model's usual one", .field = &C::loss,
     .usual = "auto", .choices = {"sigmoid-cross-entropy", "softmax", "squared"}},
    {.name = "initial", .topic = Topic::model, .value = "A,A",
     .help = "the start is uniform in +-A, one A for all or one a layer", .field = &C::initial},
    {.name = "l2", .topic = Topic::model, .value = "LAMBDA", .help = "weight of the l2 term; biases are left out",
     .field = &C::l2},
    {.name = "l2-per", .topic = Topic::model,
     .help = "gradient + LAMBDA x / (training samples): every algorithm has the same objective; or LAMBDA x / |batch|, "
             "as in the paper's code: the objective then depends on the batch",
     .field = &C::l2_per, .choices = {"dataset", "batch"}},
  };
}
// clang-format on

}  // namespace quantimed
