// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/labels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "dataset/byte_source.hpp"

namespace quantimed {

namespace {

constexpr std::size_t kMostClasses = 1000;  // more distinct labels than this are values, unless asked for
constexpr std::size_t kFewLabels = 10;      // no more than these are classes, even with gaps
constexpr float kMostExact = 16'777'216;    // 2^24: beyond, neighbouring whole numbers are one float32
constexpr float kUnlabelled = 255;          // what image sets have for "nobody knows"
constexpr std::size_t kNoClass = ~std::size_t{0};

bool is_whole(float y) { return y == std::floor(y); }

std::vector<float> distinct(const std::vector<float>& targets) {
  std::vector<float> labels = targets;
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  labels.shrink_to_fit();
  return labels;
}

bool has_gaps(const std::vector<float>& labels) {
  return labels.back() - labels.front() != static_cast<float>(labels.size() - 1);
}

bool are_from_zero(const std::vector<float>& labels) { return labels.front() == 0 && !has_gaps(labels); }

class Decision {
 public:
  // cppcheck-suppress passedByValue
  Decision(Reading reading, const DatasetRequest& request, const TargetWish& wish)
      : openness_(reading.targets),
        rounded_(std::move(reading.rounded)),
        split_(std::move(reading.split)),
        request_(request),
        wish_(wish) {}

  DataSplit result() {
    const bool are_values = openness_ == Targets::values;
    if (are_values && wish_.asked == Target::classes) openness_ = Targets::open;  // they may be whole
    if (wish_.asked == Target::regression || openness_ == Targets::values) {
      take_values();
    } else if (openness_ == Targets::classes) {
      take_known_classes();
    } else {
      const std::vector<float> labels = distinct(split_.train.targets);
      if (openness_ == Targets::open && !are_classes(labels))
        take_values();
      else
        take_classes(labels);
    }
    return std::move(split_);
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw InputError("--dataset {}: {}", request_.name, fmt::format(format, static_cast<Args&&>(args)...));
  }
  void note(std::string text) { split_.source.notices.push_back(std::move(text)); }

  // Of numbers that may be either. What the files leave open is decided in the open.
  bool are_classes(const std::vector<float>& labels) {
    const auto fraction = std::ranges::find_if_not(labels, is_whole);
    const bool asked = wish_.asked == Target::classes || !request_.classes.empty();
    if (fraction != labels.end()) {
      if (wish_.asked == Target::classes) refuse("{} is no label of a class; number the classes", *fraction);
      return false;
    }
    if (asked || labels.size() <= 2) return true;
    const bool few = labels.size() <= kFewLabels;
    const bool in_a_row = (labels.front() == 0 || labels.front() == 1) && !has_gaps(labels);
    const bool by_themselves = labels.size() <= kMostClasses && (few || in_a_row);
    if (wish_.leaning == Target::classes && labels.size() <= kMostClasses) return true;
    const bool taken = wish_.leaning == Target::automatic && by_themselves;
    const std::string those =
        fmt::format("{} distinct whole numbers, {} to {}", labels.size(), labels.front(), labels.back());
    if (taken)
      note(fmt::format("the targets are {}: taken as classes; to regress on them, --target regression", those));
    else
      note(fmt::format("the targets are {}: taken as values to regress on; if they are classes, --target classes",
                       those));
    return taken;
  }

  void take_values() {
    if (!request_.classes.empty())
      throw InputError("--classes: data set {} has values to regress on, not classes; leave the option out",
                       request_.name);
    if (!rounded_.empty())
      note(fmt::format("{} is a whole number that a 32-bit number rounds: targets are held to about 7 digits",
                       rounded_));
    for (Dataset* data : parts()) data->classes = 0;
    split_.source.labels.clear();
  }

  // Of the source itself: 0 … classes − 1, all of them checked by its reader.
  void take_known_classes() {
    if (split_.train.classes == 1) refuse_one_class();
    std::vector<float> labels;
    for (std::uint32_t k = 0; k < split_.train.classes; ++k) labels.push_back(static_cast<float>(k));
    if (const std::size_t seen = distinct(split_.train.targets).size();
        request_.classes.empty() && seen < labels.size())
      note(fmt::format("{} of {} classes have no training sample", labels.size() - seen, labels.size()));
    number(labels);
  }

  void take_classes(const std::vector<float>& labels) {
    if (!rounded_.empty())
      refuse("{} is a label that a 32-bit number rounds, and others with it; number the classes", rounded_);
    if (labels.size() == 1) refuse_one_class();
    if (std::max(-labels.front(), labels.back()) > kMostExact)
      refuse("label {:.0f} is beyond 16777216; number the classes",
             -labels.front() > labels.back() ? labels.front() : labels.back());
    if (request_.classes.empty()) {
      // Of text, 0 and 255 alone may be two classes.
      const bool may_be_unlabelled = openness_ == Targets::labels || labels.size() > 2;
      if (may_be_unlabelled && labels.back() == kUnlabelled && labels[labels.size() - 2] != kUnlabelled - 1)
        refuse(
            "{} of {} samples have label 255, which usually stands for unlabelled, beside {}; take them out, or name "
            "the classes: --classes {}",
            std::ranges::count(split_.train.targets, kUnlabelled), split_.train.samples, all_but_last(labels),
            examples(labels));
      const bool usual = are_from_zero(labels) || labels.size() == 2 ||
                         (openness_ == Targets::open && labels.front() == 1 && !has_gaps(labels));
      if (!usual)
        note(fmt::format("the labels {} are classes 0 to {}, in this order", text_of(labels), labels.size() - 1));
    }
    number(labels);
  }

  [[noreturn]] void refuse_one_class() const { refuse("all labels are the same; at least two classes are needed"); }

  // Replaces labels by their classes, and keeps the chosen ones.
  void number(const std::vector<float>& all) {
    std::vector<float> labels = all;
    if (!request_.classes.empty()) labels = chosen(all);
    split_.source.labels.assign(labels.begin(), labels.end());
    // Ascending, each with its class.
    std::vector<std::pair<float, std::size_t>> order;
    for (std::size_t k = 0; k < labels.size(); ++k) order.emplace_back(labels[k], k);
    std::ranges::sort(order);
    const auto class_of = [&](float label) {
      const auto at = std::ranges::lower_bound(order, label, {}, &std::pair<float, std::size_t>::first);
      return at == order.end() || at->first != label ? kNoClass : at->second;
    };
    if (split_.test && request_.classes.empty()) check_test(*split_.test, class_of);
    for (Dataset* data : parts()) renumber(*data, class_of, static_cast<std::uint32_t>(labels.size()));
    if (split_.test && split_.test->samples == 0) {
      split_.test.reset();
      note(fmt::format("the test set in {} has none of the chosen classes", split_.source.test));
      split_.source.test = "none";
    }
  }

  std::vector<float> chosen(const std::vector<float>& all) const {
    if (request_.classes.size() < 2)
      throw InputError("--classes {}: name at least two classes", request_.classes.front());
    std::vector<float> labels;
    for (const int c : request_.classes) {
      const auto label = static_cast<float>(c);
      if (!std::ranges::binary_search(all, label) || std::abs(label) > kMostExact)
        throw InputError("--classes: {} is not a class of {}; its classes have the labels {}", c, request_.name,
                         text_of(all));
      if (std::ranges::find(labels, label) != labels.end())
        throw InputError("--classes: {} is named twice; name each class once", c);
      if (std::ranges::find(split_.train.targets, label) == split_.train.targets.end())
        throw InputError("--classes: class {} of {} has no training sample; leave it out", c, request_.name);
      labels.push_back(label);
    }
    return labels;
  }

  // A label that training lacks has no output of the model: neither a loss nor a hit can be told of it.
  template <class ClassOf>
  void check_test(const Dataset& test, ClassOf&& class_of) {
    const auto is_unknown = [&](float label) { return class_of(label) == kNoClass; };
    const auto unknown = std::ranges::find_if(test.targets, is_unknown);
    if (unknown != test.targets.end())
      refuse(
          "the test set {} has {} samples of {} with labels that training has not, {} for instance; training has {}; "
          "give them the labels of training, or take them out",
          split_.source.test, std::ranges::count_if(test.targets, is_unknown), test.samples, *unknown,
          describe_labels(split_.source.labels));
    const bool all_alike = std::ranges::all_of(test.targets, [&](float y) { return y == test.targets.front(); });
    if (all_alike && test.samples > 1)
      note(
          fmt::format("all {} samples of the test set {} have label {}; if it has no labels of its own, its figures "
                      "mean nothing",
                      test.samples, split_.source.test, test.targets.front()));
  }

  // Row `from` of a sparse matrix becomes row `to`, which is no later; row 0 … to − 1 are done.
  static void move_row(SparseRows& rows, std::uint32_t from, std::uint32_t to) {
    const auto first = static_cast<std::ptrdiff_t>(rows.starts[from]);
    const auto count = static_cast<std::ptrdiff_t>(rows.starts[from + 1]) - first;
    const auto at = static_cast<std::ptrdiff_t>(rows.starts[to]);
    std::copy_n(rows.columns.begin() + first, count, rows.columns.begin() + at);
    std::copy_n(rows.values.begin() + first, count, rows.values.begin() + at);
    rows.starts[to + 1] = static_cast<std::uint64_t>(at + count);
  }

  static void cut(SparseRows& rows, std::size_t kept) {
    rows.starts.resize(kept + 1);
    rows.columns.resize(rows.starts.back());
    rows.values.resize(rows.starts.back());
    rows.columns.shrink_to_fit();
    rows.values.shrink_to_fit();
  }

  // Rows of no class are left out, in order.
  template <class ClassOf>
  static void renumber(Dataset& data, ClassOf&& class_of, std::uint32_t classes) {
    const std::size_t p = data.features;
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < data.samples; ++i) {
      const std::size_t k = class_of(data.targets[i]);
      if (k == kNoClass) continue;
      data.targets[kept] = static_cast<float>(k);
      if (kept != i && !data.bytes.empty()) std::copy_n(&data.bytes[i * p], p, &data.bytes[kept * p]);
      if (kept != i && !data.values.empty()) std::copy_n(&data.values[i * p], p, &data.values[kept * p]);
      if (kept != i && data.is_sparse()) move_row(data.sparse, i, kept);
      ++kept;
    }
    data.classes = classes;
    if (kept == data.samples) return;
    data.samples = kept;
    data.targets.resize(kept);
    if (!data.bytes.empty()) data.bytes.resize(kept * p);
    if (!data.values.empty()) data.values.resize(kept * p);
    if (data.is_sparse()) cut(data.sparse, kept);
    data.bytes.shrink_to_fit();
    data.values.shrink_to_fit();
  }

  static std::string text_of(const std::vector<float>& labels) {
    return describe_labels({labels.begin(), labels.end()});
  }
  static std::string all_but_last(const std::vector<float>& labels) {
    return text_of({labels.begin(), labels.end() - 1});
  }
  // At most a dozen, with commas.
  static std::string examples(const std::vector<float>& labels) {
    std::string text;
    for (std::size_t k = 0; k + 1 < labels.size() && k < 12; ++k)
      text += fmt::format("{}{}", text.empty() ? "" : ",", labels[k]);
    return labels.size() > 13 ? text + ",…" : text;
  }

  std::vector<Dataset*> parts() {
    std::vector<Dataset*> both = {&split_.train};
    if (split_.test) both.push_back(&*split_.test);
    return both;
  }

  Targets openness_;
  std::string rounded_;
  DataSplit split_;
  const DatasetRequest& request_;
  const TargetWish& wish_;
};

}  // namespace

DataSplit decide_targets(Reading reading, const DatasetRequest& request, const TargetWish& wish) {
  return Decision(std::move(reading), request, wish).result();
}

}  // namespace quantimed
