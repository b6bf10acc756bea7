// SPDX-License-Identifier: BSD-3-Clause
// Rows that stay sparse: from LIBSVM text, as compressed sparse rows in HDF5, generated; and files that lie.
#include <array>
#include <functional>
#include <limits>

#include "base/random.hpp"
#include "dataset/files.hpp"
#include "dataset/formats.hpp"
#include "dataset/hdf5_handle.hpp"
#include "dataset/sparse_logistic.hpp"

using namespace quantimed;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr std::uint32_t kWide = 30'000;  // features: with 40 rows 1.2 million cells

// Rows of three values each among kWide features, every third one with a 0 that is written out.
std::string sparse_text(std::uint32_t rows, const std::string& label = "") {
  Stream random({.seed = 4});
  std::string text;
  for (std::uint32_t i = 0; i < rows; ++i) {
    const std::uint32_t first = 1 + random.index(9'000);
    text += fmt::format("{} {}:{} {}:-2.5 {}:{}\n", label.empty() ? (i % 2 ? "+1" : "-1") : label, first, i + 1,
                        first + 10'000, i == 0 ? kWide : first + 20'000, i % 3 == 0 ? "0" : "1e-3");
  }
  return text;
}

DataSplit wide_set() {
  const TemporaryFolder folder;
  write_file(folder / "wide", sparse_text(40));
  write_file(folder / "wide.t", "+1 7:1 29999:2 40000:3\n-1\n");
  return load(folder / "wide");
}

// Row-major, all of it.
std::vector<float> dense_copy(const Dataset& data) {
  std::vector<SampleId> rows;
  for (SampleId k = 0; k < data.samples; ++k) rows.push_back(k);
  std::vector<float> out(std::size_t{data.samples} * data.features, -1.0f);
  data.gather(rows, out.data());
  return out;
}

void expect_same(const Dataset& a, const Dataset& b) {
  EXPECT_EQ(a.samples, b.samples);
  EXPECT_EQ(a.features, b.features);
  EXPECT_EQ(a.classes, b.classes);
  EXPECT_EQ(a.targets, b.targets);
  EXPECT_EQ(a.sparse.starts, b.sparse.starts);
  EXPECT_EQ(a.sparse.columns, b.sparse.columns);
  EXPECT_EQ(a.sparse.values, b.sparse.values);
}

// Holds whatever a data set of sparse rows promises.
void expect_sound(const Dataset& data) {
  const SparseRows& rows = data.sparse;
  ASSERT_EQ(rows.starts.size(), data.samples + 1u);
  EXPECT_EQ(rows.starts.front(), 0u);
  EXPECT_EQ(rows.starts.back(), rows.values.size());
  EXPECT_EQ(rows.columns.size(), rows.values.size());
  for (std::size_t k = 0; k < data.samples; ++k) {
    std::int64_t before = -1;
    for (const std::uint32_t column : rows.row(k).columns) {
      ASSERT_GT(column, before);
      ASSERT_LT(column, data.features);
      before = column;
    }
    for (const float value : rows.row(k).values) ASSERT_TRUE(value != 0 && std::isfinite(value));
  }
}

// Three rows of four features; row 1 is empty.
Dataset small_sparse() {
  Dataset d;
  d.name = "small";
  d.samples = 3;
  d.features = 4;
  d.classes = 2;
  d.sparse = {{0, 2, 2, 4}, {1, 3, 0, 2}, {0.5f, -1, 2, 1e30f}};
  d.targets = {0, 1, 1};
  return d;
}

// What loading says of the exported small set, changed by `change`.
std::string error_after_change(const std::function<void(hid_t file)>& change) {
  const TemporaryFolder folder;
  export_dataset(folder / "set.h5", {small_sparse(), small_sparse()});
  {
    const Hdf5Handle file(H5Fopen((folder / "set.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    change(file.get());
  }
  return quantimed::error_of(folder / "set.h5");
}

const std::string kRows = "/train/features/";

template <class T>
void put(hid_t file, const std::string& name, hid_t type, const std::vector<T>& elements) {
  H5Ldelete(file, name.c_str(), H5P_DEFAULT);
  const hsize_t size = elements.size();
  const Hdf5Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose);
  const Hdf5Handle dataset(H5Dcreate2(file, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                           H5Dclose);
  ASSERT_TRUE(dataset);
  if (size > 0) H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements.data());
}

void put_shape(hid_t file, const std::vector<std::int64_t>& shape) {
  const Hdf5Handle group(H5Gopen2(file, "/train/features", H5P_DEFAULT), H5Gclose);
  H5Adelete(group.get(), "shape");
  const hsize_t size = shape.size();
  const Hdf5Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose);
  const Hdf5Handle a(H5Acreate2(group.get(), "shape", H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  H5Awrite(a.get(), H5T_NATIVE_INT64, shape.data());
}

std::string error_with_starts(const std::vector<std::int64_t>& starts) {
  return error_after_change([&](hid_t f) { put(f, kRows + "indptr", H5T_NATIVE_INT64, starts); });
}
std::string error_with_columns(const std::vector<std::int64_t>& columns) {
  return error_after_change([&](hid_t f) { put(f, kRows + "indices", H5T_NATIVE_INT64, columns); });
}
std::string error_with_values(const std::vector<float>& values) {
  return error_after_change([&](hid_t f) { put(f, kRows + "data", H5T_NATIVE_FLOAT, values); });
}
std::string error_with_shape(const std::vector<std::int64_t>& shape) {
  return error_after_change([&](hid_t f) { put_shape(f, shape); });
}

}  // namespace

// ---- LIBSVM text -------------------------------------------------------------------------------------
TEST(Sparse, LibsvmTextOfLowDensityStaysSparseAndSaysByWhichRule) {
  const DataSplit split = wide_set();
  ASSERT_TRUE(split.train.is_sparse());
  EXPECT_TRUE(split.train.values.empty());
  expect_sound(split.train);
  EXPECT_EQ(split.train.features, kWide);
  EXPECT_EQ(split.train.sparse.values.size(), 40u * 3 - 14) << "zeros that were written out are not held";
  EXPECT_EQ(split.source.storage_rule, "at most 5 %, and over a million cells");
  EXPECT_THAT(describe(split), HasSubstr("30,000 features, sparse rows (0.00883 % of the cells hold a number: at most "
                                         "5 %, and over a million cells), 2 classes (labels -1, 1), 40 training"));
}

TEST(Sparse, ATestSetIsHeldAsTrainingIsWithoutUnknownFeatures) {
  const DataSplit split = wide_set();
  ASSERT_TRUE(split.test && split.test->is_sparse());
  expect_sound(*split.test);
  EXPECT_EQ(split.test->features, kWide);
  EXPECT_THAT(split.test->sparse.starts, ElementsAre(0, 2, 2));
  EXPECT_THAT(split.test->sparse.columns, ElementsAre(6, 29'998));
  EXPECT_THAT(split.source.notices, ElementsAre(HasSubstr("1 of 3 values in")));
}

TEST(Sparse, SmallOrDenseTextIsHeldDensely) {
  const TemporaryFolder folder;
  write_file(folder / "small", sparse_text(30));  // 900,000 cells
  const DataSplit small = load(folder / "small");
  EXPECT_FALSE(small.train.is_sparse());
  EXPECT_EQ(small.source.storage_rule, "");
  std::string text;  // 6 % of 1.1 million cells
  for (int i = 0; i < 1'100; ++i) {
    text += i % 2 ? "1" : "0";
    for (int k = 1; k <= 60; ++k) text += fmt::format(" {}:1", k == 60 ? 1000 : k);
    text += "\n";
  }
  write_file(folder / "six-per-cent", text);
  EXPECT_FALSE(load(folder / "six-per-cent").train.is_sparse());
}

TEST(Sparse, RowsAreTheSameNumbersAsWhenHeldDensely) {
  const TemporaryFolder folder;
  write_file(folder / "few", sparse_text(34));
  write_file(folder / "many", sparse_text(35));
  const Dataset dense = load(folder / "few").train, sparse = load(folder / "many").train;
  ASSERT_TRUE(!dense.is_sparse() && sparse.is_sparse());
  std::vector<float> rows = dense_copy(sparse);
  rows.resize(dense.values.size());
  EXPECT_EQ(rows, dense.values);
}

TEST(Sparse, FeaturesThatHardlyAnyValueSpeaksOfAreRefused) {
  const TemporaryFolder folder;
  write_file(folder / "wild", "1 1:1\n2 2000000000:1\n");
  EXPECT_THAT(error_of(folder / "wild"), HasSubstr("2000000000 features, and 2 values in all: too large or corrupt"));
  write_file(folder / "wilder", "1 1:1\n2 4294967295:1\n");
  EXPECT_THAT(error_of(folder / "wilder"), HasSubstr("too large or corrupt"));
}

TEST(Sparse, ChosenClassesKeepTheirRows) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 45; ++i) text += fmt::format("{} {}:{}\n", i % 3, i == 44 ? 30'000 : 100 * i + 1, i + 1);
  write_file(folder / "three", text);
  const DataSplit split = load_dataset({.name = (folder / "three").string(), .classes = {2, 0}});
  ASSERT_TRUE(split.train.is_sparse());
  expect_sound(split.train);
  EXPECT_EQ(split.train.samples, 30u);
  for (SampleId k = 0; k < 30; ++k) {
    const SparseRow row = split.train.sparse.row(k);
    ASSERT_EQ(row.values.size(), 1u);
    const auto line = static_cast<int>(row.values[0]) - 1;
    EXPECT_EQ(split.train.targets[k], line % 3 == 2 ? 0 : 1) << line;
    EXPECT_EQ(row.columns[0], line == 44 ? 29'999u : 100u * static_cast<unsigned>(line));
  }
}

// ---- HDF5 --------------------------------------------------------------------------------------------
TEST(Sparse, ExportIsReadBackUnchanged) {
  const TemporaryFolder folder;
  const DataSplit wide = wide_set();
  export_dataset(folder / "wide.h5", wide);
  const DataSplit back = load(folder / "wide.h5");
  expect_same(back.train, wide.train);
  ASSERT_TRUE(back.test);
  expect_same(*back.test, *wide.test);
  EXPECT_EQ(fingerprint(back), fingerprint(wide));
  EXPECT_EQ(back.source.storage_rule, "the file's own");
  export_dataset(folder / "small.h5", {small_sparse(), std::nullopt});
  expect_same(load(folder / "small.h5").train, small_sparse());
}

TEST(Sparse, ZerosAndWiderTypesInAFileAreTheSameRows) {
  const TemporaryFolder folder;
  export_dataset(folder / "set.h5", {small_sparse(), std::nullopt});
  {
    const Hdf5Handle file(H5Fopen((folder / "set.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    put(file.get(), kRows + "indptr", H5T_NATIVE_INT32, std::vector<int>{0, 2, 3, 5});
    put(file.get(), kRows + "indices", H5T_NATIVE_UINT64, std::vector<std::uint64_t>{1, 3, 2, 0, 2});
    put(file.get(), kRows + "data", H5T_NATIVE_DOUBLE, std::vector<double>{0.5, -1, -0.0, 2, 1e30});
  }
  expect_same(load(folder / "set.h5").train, small_sparse());
}

TEST(Sparse, RowStartsThatLieAreRefused) {
  EXPECT_THAT(error_with_starts({1, 2, 2, 4}), HasSubstr("begins with 1, not 0"));
  EXPECT_THAT(error_with_starts({-1, 2, 2, 4}), HasSubstr("begins with -1"));
  EXPECT_THAT(error_with_starts({0, 3, 2, 4}), HasSubstr("falls at place 2"));
  EXPECT_THAT(error_with_starts({0, 2, 2, 3}), HasSubstr("ends with 3, and there are 4 values"));
  EXPECT_THAT(error_with_starts({0, 2, 2, 1'000'000'000}), HasSubstr("ends with 1000000000"));
  EXPECT_THAT(error_with_starts({0, 2, 4}), HasSubstr("has 3 entries for 3 samples"));
  EXPECT_THAT(error_with_starts({0, 2, 2, 4, 4}), HasSubstr("has 5 entries for 3 samples"));
  EXPECT_THAT(error_with_starts({}), HasSubstr("has 0 entries"));
}

TEST(Sparse, ColumnsThatLieAreRefused) {
  EXPECT_THAT(error_with_columns({1, 4, 0, 2}), HasSubstr("column 4 in row 0 of 4 features"));
  EXPECT_THAT(error_with_columns({-1, 3, 0, 2}), HasSubstr("column -1 in row 0"));
  EXPECT_THAT(error_with_columns({3, 1, 0, 2}), HasSubstr("column 1 follows 3 in row 0"));
  EXPECT_THAT(error_with_columns({1, 3, 2, 2}), HasSubstr("column 2 follows 2 in row 2"));
  EXPECT_THAT(error_with_columns({1, 3, 0}), HasSubstr("has 3 entries for 4 values"));
  EXPECT_THAT(error_with_columns({1, 3, 0, std::int64_t{1} << 40}), HasSubstr("in row 2 of 4 features"));
  EXPECT_THAT(error_after_change([](hid_t f) {
                put(f, kRows + "indices", H5T_NATIVE_UINT64, std::vector<std::uint64_t>{1, 3, 0, ~std::uint64_t{0}});
              }),
              HasSubstr("in row 2 of 4 features"));
  EXPECT_THAT(error_after_change([](hid_t f) {
                put(f, kRows + "indices", H5T_NATIVE_FLOAT, std::vector<float>{1, 3, 0, 2});
              }),
              HasSubstr("is not of integers"));
}

TEST(Sparse, ValuesThatLieAreRefused) {
  EXPECT_THAT(error_with_values({1, 2, std::numeric_limits<float>::quiet_NaN(), 4}), HasSubstr("not finite"));
  EXPECT_THAT(error_with_values({1, 2, 3, std::numeric_limits<float>::infinity()}), HasSubstr("not finite"));
  EXPECT_THAT(error_with_values({1, 2, 3}), HasSubstr("has 4 entries for 3 values"));
  EXPECT_THAT(error_after_change([](hid_t f) {
                put(f, kRows + "data", H5T_NATIVE_UINT8, std::vector<std::uint8_t>{1, 2, 3, 4});
              }),
              HasSubstr("is not of floats"));
  EXPECT_THAT(error_after_change([](hid_t f) { H5Ldelete(f, "/train/features/data", H5P_DEFAULT); }),
              HasSubstr("/train/features/data is missing"));
}

TEST(Sparse, ShapesThatLieAreRefused) {
  EXPECT_THAT(error_with_shape({2, 4}), HasSubstr("3 targets for 2 samples"));
  EXPECT_THAT(error_with_shape({3, 3}), HasSubstr("column 3 in row 0 of 3 features"));
  EXPECT_THAT(error_with_shape({3, 0}), HasSubstr("3 samples of 0 features"));
  EXPECT_THAT(error_with_shape({3, -4}), HasSubstr("shape is not [samples, features]"));
  EXPECT_THAT(error_with_shape({3, 4, 1}), HasSubstr("shape is not [samples, features]"));
  EXPECT_THAT(error_with_shape({3, 2'000'000'000}), HasSubstr("2000000000 features, and 4 values in all"));
  EXPECT_THAT(error_with_shape({3, std::int64_t{1} << 40}), HasSubstr("too large or corrupt"));
  EXPECT_THAT(error_after_change([](hid_t f) {
                const Hdf5Handle group(H5Gopen2(f, "/train/features", H5P_DEFAULT), H5Gclose);
                H5Adelete(group.get(), "shape");
              }),
              HasSubstr("shape is not [samples, features]"));
}

TEST(Sparse, OneSparseAndOneDensePartAreRefused) {
  EXPECT_THAT(error_after_change([](hid_t f) {
                H5Ldelete(f, "/test/features", H5P_DEFAULT);
                const std::array<hsize_t, 2> shape = {3, 4};
                const Hdf5Handle space(H5Screate_simple(2, shape.data(), nullptr), H5Sclose);
                const Hdf5Handle dataset(H5Dcreate2(f, "/test/features", H5T_NATIVE_FLOAT, space.get(), H5P_DEFAULT,
                                                    H5P_DEFAULT, H5P_DEFAULT),
                                         H5Dclose);
                const std::vector<float> zeros(12, 0.0f);
                H5Dwrite(dataset.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data());
              }),
              HasSubstr("one holds sparse rows and the other does not"));
}

TEST(Sparse, ListsInOtherFilesOrWithoutTheirBytesAreRefused) {
  EXPECT_THAT(error_after_change([](hid_t f) {
                H5Ldelete(f, "/train/features/data", H5P_DEFAULT);
                H5Lcreate_external("/etc/passwd", "/x", f, "/train/features/data", H5P_DEFAULT, H5P_DEFAULT);
              }),
              HasSubstr("external link"));
  EXPECT_THAT(error_after_change([](hid_t f) {
                H5Ldelete(f, "/train/features", H5P_DEFAULT);
                H5Lcreate_soft("/test/features", f, "/train/features", H5P_DEFAULT, H5P_DEFAULT);
              }),
              HasSubstr("soft or external link"));
  EXPECT_THAT(error_after_change([](hid_t f) {  // never written, so not stored
                const hsize_t size = hsize_t{1} << 31;
                const Hdf5Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose);
                for (const char* name : {"/train/features/data", "/train/features/indices"}) {
                  H5Ldelete(f, name, H5P_DEFAULT);
                  const hid_t type = std::string(name).ends_with("data") ? H5T_NATIVE_FLOAT : H5T_NATIVE_INT32;
                  const Hdf5Handle dataset(
                      H5Dcreate2(f, name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
                }
                put(f, kRows + "indptr", H5T_NATIVE_INT64, std::vector<std::int64_t>{0, 2, 2, std::int64_t{1} << 31});
              }),
              HasSubstr("truncated"));
}

TEST(Sparse, AFileThatIsCutAnywhereIsRefused) {
  const TemporaryFolder folder;
  export_dataset(folder / "set.h5", {small_sparse(), std::nullopt});
  const std::string good = read_back(folder / "set.h5");
  for (std::size_t length = 8; length < good.size(); length += 131) {
    write_file(folder / "cut.h5", good.substr(0, length));
    EXPECT_FALSE(error_of(folder / "cut.h5").empty());
  }
}

// ---- generated ---------------------------------------------------------------------------------------
TEST(SparseLogistic, HasTheStatedShapeAndMoments) {
  const DataSplit split = load_dataset({.name = "sparse-logistic:5000,0.004,3000", .seed = 3});
  ASSERT_TRUE(split.test);
  EXPECT_EQ(split.train.samples, 3000u);
  EXPECT_EQ(split.test->samples, 600u);
  EXPECT_EQ(split.train.features, 5000u);
  expect_sound(split.train);
  EXPECT_EQ(split.train.sparse.values.size(), 3000u * 20);
  double squares = 0, ones = 0, low = 0;
  for (const float value : split.train.sparse.values)
    squares += static_cast<double>(value) * static_cast<double>(value);
  for (const float y : split.train.targets) ones += static_cast<double>(y);
  for (const std::uint32_t column : split.train.sparse.columns) low += column < 1250;
  EXPECT_NEAR(squares / 3000, 1, 0.05);
  EXPECT_NEAR(ones / 3000, 0.5, 0.06);
  EXPECT_NEAR(low / (3000 * 20), 0.5, 0.02) << "half of the values are in a quarter of the columns";
}

TEST(SparseLogistic, TheSeedAloneFixesIt) {
  const auto set = [](std::uint64_t seed) {
    return load_dataset({.name = "sparse-logistic:200,0.05,100", .seed = seed});
  };
  const DataSplit a = set(5), b = set(5), c = set(6);
  expect_same(a.train, b.train);
  expect_same(*a.test, *b.test);
  EXPECT_NE(a.train.sparse.values, c.train.sparse.values);
  EXPECT_NE(fingerprint(a), fingerprint(c));
  EXPECT_TRUE(is_generated("sparse-logistic:200,0.05,100"));
}

TEST(SparseLogistic, BadNumbersAreRefused) {
  for (const char* numbers : {"", "5", "5,0.1", "5,0.1,100,1", "0,0.1,100", "10000001,0.1,100", "5,0,100", "5,0.3,100",
                              "5,nan,100", "5,x,100", "5,0.1,9", "5,0.1,1e3", "5,0.1,-3", ",,"})
    EXPECT_THAT(error_of(DatasetRequest{.name = std::string("sparse-logistic:") + numbers}),
                HasSubstr("as in sparse-logistic:47236,0.0016,20242"))
        << numbers;
}

TEST(Generated, ASetTooLargeForMemoryIsRefusedBeforeItIsMade) {
  for (const char* name : {"digits:900000000", "gaussian-linear:2000,900000000", "sparse-logistic:1000,0.1,900000000"})
    EXPECT_THROW(load_dataset({.name = name, .most_bytes = 1e9}), MachineRefused) << name;
}

TEST(Generated, AnyNumberOfSamplesCanBeNamed) {
  const DataSplit digits = load_dataset({.name = "digits:50"}), usual = load_dataset({.name = "digits"}),
                  named = load_dataset({.name = "digits:10000"});
  EXPECT_EQ(digits.train.samples, 50u);
  EXPECT_EQ(digits.test->samples, 10u);
  EXPECT_EQ(digits.train.classes, 10u);
  EXPECT_EQ(fingerprint(named), fingerprint(usual));
  const DataSplit linear = load_dataset({.name = "gaussian-linear:3,25"}),
                  same = load_dataset({.name = "gaussian-linear:3,10000"}),
                  short_name = load_dataset({.name = "gaussian-linear:3"});
  EXPECT_EQ(linear.train.samples, 25u);
  EXPECT_EQ(linear.test->samples, 5u);
  EXPECT_EQ(fingerprint(same), fingerprint(short_name));
  for (const char* name : {"digits:", "digits:9", "digits:1,2", "digits:x", "gaussian-linear:3,", "gaussian-linear:3,9",
                           "gaussian-logistic:3,20,1"})
    EXPECT_THAT(error_of(DatasetRequest{.name = name}), HasSubstr(", as in ")) << name;
}

TEST(LargeSets, AreFoundByNameInTheirFolders) {
  const TemporaryFolder root;
  const Environment data("QUANTIMED_DATA", root.path().string());
  EXPECT_THAT(error_of(DatasetRequest{.name = "rcv1"}), HasSubstr("to get it: datasets/fetch rcv1"));
  write_file(root / "rcv1/rcv1_train.binary.bz2", bzip2(sparse_text(40)));
  const DataSplit rcv1 = load_dataset({.name = "rcv1"});
  EXPECT_TRUE(rcv1.train.is_sparse());
  EXPECT_EQ(rcv1.train.name, "rcv1");
  write_file(root / "rcv1/rcv1_test.binary.bz2", bzip2("-1 1:1\n+1 2:3\n"));
  EXPECT_EQ(load_dataset({.name = "rcv1"}).test->samples, 2u);
  write_file(root / "a9a/a9a", "-1 1:1\n+1 2:1\n");
  write_file(root / "a9a/a9a.t", "+1 1:1\n");
  const DataSplit a9a = load_dataset({.name = "a9a"});
  EXPECT_FALSE(a9a.train.is_sparse());
  EXPECT_EQ(a9a.test->samples, 1u);
}
