// SPDX-License-Identifier: BSD-3-Clause
// From labels to classes or values, and what a test set may not do to it.
#include "dataset/files.hpp"
#include "dataset/target.hpp"

using namespace quantimed;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

DataSplit split_of(const std::string& train, const std::string& test = "", const TargetWish& wish = {},
                   std::vector<int> classes = {}) {
  const TemporaryFolder folder;
  write_file(folder / "d", train);
  if (!test.empty()) write_file(folder / "d.t", test);
  return load_dataset({.name = folder / "d", .classes = std::move(classes)}, wish);
}

std::string error_of_split(const std::string& train, const std::string& test = "", const TargetWish& wish = {},
                           std::vector<int> classes = {}) {
  try {
    split_of(train, test, wish, std::move(classes));
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

// A line for each of these labels.
std::string lines(const std::vector<int>& labels) {
  std::string text;
  for (std::size_t k = 0; k < labels.size(); ++k) text += fmt::format("{} 1:{} 2:1\n", labels[k], k + 1);
  return text;
}

std::vector<int> range(int first, int last) {
  std::vector<int> all;
  for (int k = first; k <= last; ++k) all.push_back(k);
  return all;
}

DataSplit idx_split(const std::string& labels, const std::string& test_labels = "", std::vector<int> classes = {}) {
  const TemporaryFolder folder;
  const auto count = [](const std::string& y) { return static_cast<std::uint32_t>(y.size()); };
  write_file(folder / "train-images-idx3-ubyte", idx({count(labels), 1, 1}, std::string(labels.size(), 'x')));
  write_file(folder / "train-labels-idx1-ubyte", idx({count(labels)}, labels));
  if (!test_labels.empty()) {
    write_file(folder / "t10k-images-idx3-ubyte",
               idx({count(test_labels), 1, 1}, std::string(test_labels.size(), 'x')));
    write_file(folder / "t10k-labels-idx1-ubyte", idx({count(test_labels)}, test_labels));
  }
  return load_dataset({.name = folder.path(), .classes = std::move(classes)});
}

std::string idx_error(const std::string& labels, const std::string& test_labels = "") {
  try {
    idx_split(labels, test_labels);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

// ---- a test set changes nothing ------------------------------------------------------------------------

TEST(TestSet, WithLabelsThatTrainingHasNotIsRefused) {
  const std::string train = lines({-1, 1, -1});
  for (const auto& labels : {std::vector{0, 1}, {0, 0}, {2}, {-1, 1, 3}})
    EXPECT_THAT(error_of_split(train, lines(labels)), HasSubstr("with labels that training has not")) << labels[0];
  EXPECT_THAT(error_of_split(train, lines({0, 1, 1})),
              testing::AllOf(HasSubstr("1 samples of 3"), HasSubstr("0 for instance; training has -1, 1")));
  EXPECT_THAT(error_of_split(lines({0, 1}), lines({1, 2})), HasSubstr("training has 0, 1"));
  EXPECT_THAT(error_of_split(lines({1, 2, 3}), "0.5 1:1\n"), HasSubstr("0.5 for instance"));
  EXPECT_THAT(idx_error({0, 1, 2}, {0, 3}), HasSubstr("3 for instance; training has 0-2"));
}

TEST(TestSet, NeverChangesWhatTrainingIs) {
  const std::string train = lines({-1, 1, -1, 1});
  const DataSplit alone = split_of(train);
  for (const char* test : {"-1 1:1\n", "+1 1:5 2:1 3:7\n1 1:1\n", "1 2:1\n", "-1 1:1 2:2\r\n"}) {
    const DataSplit both = split_of(train, test);
    EXPECT_EQ(fingerprint(both.train), fingerprint(alone.train)) << test;
    EXPECT_EQ(both.source.labels, alone.source.labels);
    EXPECT_EQ(both.test->features, 2u);
    EXPECT_EQ(both.test->classes, 2u);
  }
  // Values stay values, whatever the test set's targets look like.
  const DataSplit values = split_of("0.5 1:1\n1.5 1:2\n", "1 1:1\n2 1:1\n");
  EXPECT_EQ(values.test->classes, 0u);
  EXPECT_THAT(values.test->targets, ElementsAre(1, 2));
}

TEST(TestSet, WithOtherFeaturesIsReadAsTrainingIs) {
  const DataSplit more = split_of("1 1:1 3:1\n2 2:1\n", "1 1:4 7:9 8:1\n2 1:1 2:3 3:1\n");
  EXPECT_EQ(more.train.features, 3u);
  EXPECT_THAT(more.test->values, ElementsAre(4, 0, 0, 1, 3, 1));
  EXPECT_THAT(more.source.notices,
              ElementsAre(testing::AllOf(HasSubstr("2 of 6 values in"), HasSubstr("beyond index 3): left out"))));
}

TEST(TestSet, OfOtherDataIsRefused) {
  EXPECT_THAT(error_of_split("1 1:1 2:1\n2 1:1 2:1\n", "1 1:1 2:1 3:1\n1 1:1 2:1 3:1\n"),
              HasSubstr("every line has 3 features"));
  EXPECT_THAT(split_of("1 1:1 2:1 3:4\n2 1:1 2:1 3:5\n", "1 1:1 2:1\n2 1:1 2:1\n").source.notices,
              ElementsAre(HasSubstr("has 2 features, where those of training have 3: the others are taken as 0")));
  EXPECT_THAT(error_of_split("1 1:1 2:1\n2 1:1\n", "1 50:1 60:1 61:1\n"),
              HasSubstr("3 of its 3 values are of features"));
  EXPECT_THAT(error_of_split("1 1:1 2:1\n2 1:1\n", "1 0:1 1:1\n"), HasSubstr("it has an index 0"));
}

TEST(TestSet, WithoutLabelsIsNamed) {
  EXPECT_THAT(error_of_split(lines({-1, 1}), "1:5 2:1\n"), HasSubstr("line 1: it has no label: \"1:5\" comes first"));
  EXPECT_THAT(error_of_split(lines({-1, 1}), "? 1:5\n"), HasSubstr("label \"?\" is not a number"));
  EXPECT_THAT(split_of(lines({0, 1}), lines({0, 0, 0})).source.notices,
              ElementsAre(HasSubstr("all 3 samples of the test set")));
  EXPECT_THAT(split_of(lines({0, 1}), lines({0, 1})).source.notices, IsEmpty());
}

// ---- classes or values ---------------------------------------------------------------------------------

TEST(Targets, TwoLabelsAreClassesWithoutANotice) {
  for (const Target leaning : {Target::automatic, Target::classes, Target::regression})
    for (const auto& labels : {std::vector{-1, 1}, {0, 1}, {1, 2}}) {
      const DataSplit split = split_of(lines(labels), "", {.leaning = leaning});
      EXPECT_EQ(split.train.classes, 2u);
      EXPECT_THAT(split.source.notices, IsEmpty());
    }
}

TEST(Targets, FractionsAreValuesWithoutANotice) {
  const DataSplit split = split_of("0.5 1:1\n3 1:1\n", "", {.leaning = Target::classes});
  EXPECT_EQ(split.train.classes, 0u);
  EXPECT_THAT(split.source.labels, IsEmpty());
  EXPECT_THAT(split.source.notices, IsEmpty());
}

TEST(Targets, WholeNumbersGoWithTheModelAndSaySo) {
  const std::string years = lines({1998, 2001, 1998, 1999, 1987});
  DataSplit split = split_of(years, "", {.leaning = Target::regression});
  EXPECT_EQ(split.train.classes, 0u);
  EXPECT_THAT(split.train.targets, ElementsAre(1998, 2001, 1998, 1999, 1987));
  EXPECT_THAT(split.source.notices, ElementsAre(HasSubstr("4 distinct whole numbers, 1987 to 2001: taken as values to "
                                                          "regress on; if they are classes, --target classes")));
  split = split_of(years, "", {.leaning = Target::classes});
  EXPECT_EQ(split.train.classes, 4u);
  EXPECT_THAT(split.source.labels, ElementsAre(1987, 1998, 1999, 2001));
}

TEST(Targets, WithoutALeaningFewOrUnbrokenLabelsAreClasses) {
  const auto classes = [](const std::vector<int>& labels) {
    const DataSplit split = split_of(lines(labels));
    EXPECT_THAT(split.source.notices, testing::Contains(HasSubstr("distinct whole numbers"))) << "it is open";
    return split.train.classes;
  };
  EXPECT_EQ(classes({3, 4, 5, 6, 7, 8}), 6u);
  EXPECT_EQ(classes(range(1, 26)), 26u);
  EXPECT_EQ(classes(range(0, 104)), 105u);
  EXPECT_EQ(classes(range(1922, 2011)), 0u);
  EXPECT_EQ(classes({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 29}), 0u);  // rings, counts
  EXPECT_EQ(classes(range(0, 1000)), 0u);
}

TEST(Targets, TheOptionDecidesForEveryFormat) {
  const std::string years = lines(range(1922, 1950));
  EXPECT_EQ(split_of(years, "", {.asked = Target::classes}).train.classes, 29u);
  EXPECT_THAT(split_of(years, "", {.asked = Target::classes}).source.notices, ElementsAre(HasSubstr("1922-1950")));
  EXPECT_EQ(split_of(lines({-1, 1}), lines({1}), {.asked = Target::regression}).train.classes, 0u);
  EXPECT_THAT(split_of(lines({-1, 1}), lines({0}), {.asked = Target::regression}).test->targets, ElementsAre(0));
  EXPECT_EQ(load_dataset({.name = "digits"}, {.asked = Target::regression}).train.classes, 0u);
  EXPECT_THAT(error_of_split("0.5 1:1\n3 1:1\n", "", {.asked = Target::classes}),
              HasSubstr("0.5 is no label of a class"));
  EXPECT_THAT(error_of_split(lines({1, 2, 3}), "", {.asked = Target::regression}, {1, 2}),
              HasSubstr("values to regress on"));
}

TEST(Targets, LabelsThatFloatsCannotTellApartAreNoClasses) {
  EXPECT_THAT(error_of_split("123456789 1:1\n123456790 1:1\n20 1:1\n", "", {.asked = Target::classes}),
              HasSubstr("line 1: 123456789 is a label that a 32-bit number rounds"));
  EXPECT_THAT(error_of_split("1 1:1\n16777217 1:1\n", "", {.asked = Target::classes}), HasSubstr("line 2: 16777217"));
  EXPECT_THAT(error_of_split("16777216 1:1\n16777217 1:1\n", ""), HasSubstr("line 2: 16777217"));
  EXPECT_THAT(error_of_split("16777215 1:1\n16777216 1:1\n", "16777217 1:1\n", {.asked = Target::classes}),
              HasSubstr("line 1: 16777217"));
}

TEST(Targets, ThatFloatsRoundAreSaidWhereTheyAreValues) {
  const DataSplit split = split_of("1.5 1:1\n-123456789 1:1\n", "");
  EXPECT_EQ(split.train.classes, 0u);
  EXPECT_THAT(split.source.notices, ElementsAre(HasSubstr("line 2: -123456789 is a whole number")));
  EXPECT_THAT(split_of("1.5 1:1\n16777216 1:1\n", "").source.notices, IsEmpty());
}

// ---- labels with gaps ----------------------------------------------------------------------------------

TEST(Labels, FromOneAreRenumberedAndSaid) {
  std::string labels, test;
  for (char k = 26; k >= 1; --k) labels += k;
  for (char k = 1; k <= 3; ++k) test += k;
  const DataSplit split = idx_split(labels, test);
  EXPECT_EQ(split.train.classes, 26u);
  EXPECT_EQ(split.train.targets.front(), 25);
  EXPECT_THAT(split.test->targets, ElementsAre(0, 1, 2));
  EXPECT_THAT(describe(split), HasSubstr("26 classes (labels 1-26)"));
  EXPECT_THAT(split.source.notices, ElementsAre("the labels 1-26 are classes 0 to 25, in this order"));
  EXPECT_THAT(idx_split({0, 1, 2}).source.notices, IsEmpty());
  EXPECT_THAT(idx_split({0, 2, 7}).source.notices, ElementsAre(HasSubstr("labels 0, 2, 7 are classes 0 to 2")));
  EXPECT_THAT(split_of(lines({1, 2, 3, 5, 6, 7}), "", {.leaning = Target::classes}).source.notices,
              ElementsAre(HasSubstr("labels 1-3, 5-7 are classes 0 to 5")));
}

TEST(Labels, AnUnlabelledSampleIsNoClass) {
  EXPECT_THAT(idx_error({0, 1, 2, '\xff'}),
              HasSubstr("1 of 4 samples have label 255, which usually stands for unlabelled, beside 0-2"));
  EXPECT_THAT(idx_error({0, 1, 2, '\xff'}), HasSubstr("--classes 0,1,2"));
  const DataSplit split = idx_split({0, 1, 2, '\xff', 1}, {'\xff', 2}, {0, 1, 2});
  EXPECT_EQ(split.train.samples, 4u);
  EXPECT_EQ(split.train.classes, 3u);
  EXPECT_EQ(split.test->samples, 1u);
  // Of text as well, where 0 and 255 alone may be two classes.
  EXPECT_THAT(
      [] {
        split_of(lines({0, 1, 255, 1}), "", {.leaning = Target::classes});
      },
      testing::ThrowsMessage<InputError>(HasSubstr("label 255, which usually stands for unlabelled")));
  EXPECT_EQ(split_of(lines({0, 255, 0}), "", {.leaning = Target::classes}).train.classes, 2u);
}

TEST(Labels, ChosenClassesAreNamedByTheirLabels) {
  const DataSplit split = split_of(lines({-1, 1, -1}), lines({1, 0}), {}, {1, -1});
  EXPECT_THAT(split.train.targets, ElementsAre(1, 0, 1));
  EXPECT_THAT(split.test->targets, ElementsAre(0)) << "a test sample of no chosen class is left out";
  EXPECT_THAT(split.source.labels, ElementsAre(1, -1));
  EXPECT_THAT(idx_split({1, 2, 3, 4}, "", {2, 4}).source.labels, ElementsAre(2, 4));
}
