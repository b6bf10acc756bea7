// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <functional>
#include <limits>

#include "dataset/files.hpp"
#include "dataset/hdf5_handle.hpp"

using namespace quantimed;
using testing::HasSubstr;

namespace {

Dataset small_set(bool bytes) {
  Dataset d;
  d.name = "small";
  d.samples = 3;
  d.features = 2;
  d.classes = 2;
  if (bytes)
    d.bytes = {0, 1, 2, 3, 4, 255};
  else
    d.values = {0, -1, 2.5f, 3, 4, 1e30f};
  d.targets = {0, 1, 1};
  return d;
}

void expect_equal(const Dataset& a, const Dataset& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.samples, b.samples);
  EXPECT_EQ(a.features, b.features);
  EXPECT_EQ(a.classes, b.classes);
  EXPECT_EQ(a.bytes, b.bytes);
  EXPECT_EQ(a.values, b.values);
  EXPECT_EQ(a.targets, b.targets);
}

// A good file, changed by `change`, and what loading says of it.
std::string error_after(const std::function<void(hid_t file)>& change) {
  const TemporaryFolder folder;
  export_dataset(folder / "set.h5", {small_set(true), small_set(true)});
  {
    const Hdf5Handle file(H5Fopen((folder / "set.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    change(file.get());
  }
  return error_of(folder / "set.h5");
}

void remove(hid_t file, const char* name) { H5Ldelete(file, name, H5P_DEFAULT); }

template <class T>
void replace(hid_t file, const char* name, std::vector<hsize_t> shape, hid_t type, const std::vector<T>& elements,
             hid_t properties = H5P_DEFAULT) {
  remove(file, name);
  const Hdf5Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
  const Hdf5Handle dataset(H5Dcreate2(file, name, type, space.get(), H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose);
  ASSERT_TRUE(dataset);
  if (!elements.empty()) H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements.data());
}

void set_attribute(hid_t file, const char* name, int value) {
  H5Adelete(file, name);
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Hdf5Handle a(H5Acreate2(file, name, H5T_NATIVE_INT, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  H5Awrite(a.get(), H5T_NATIVE_INT, &value);
}

const std::vector<float> kSixFloats = {1, 2, 3, 4, 5, 6};

}  // namespace

TEST(Hdf5, RoundTripOfBytesAndOfValues) {
  for (const bool bytes : {true, false})
    for (const bool with_test : {true, false}) {
      const TemporaryFolder folder;
      DataSplit split{small_set(bytes), std::nullopt};
      if (with_test) split.test = small_set(bytes);
      export_dataset(folder / "set.h5", split);
      const DataSplit back = load(folder / "set.h5");
      expect_equal(back.train, split.train);
      ASSERT_EQ(back.test.has_value(), with_test);
      if (with_test) expect_equal(*back.test, *split.test);
      const std::filesystem::directory_iterator files(folder.path());
      EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "an unfinished file is left";
    }
}

TEST(Hdf5, RoundTripOfRegression) {
  const TemporaryFolder folder;
  DataSplit split{small_set(false), std::nullopt};
  split.train.classes = 0;
  split.train.targets = {0.25f, -7, 1e9f};
  export_dataset(folder / "set.h5", split);
  expect_equal(load(folder / "set.h5").train, split.train);
}

TEST(Hdf5, ReadsCompressedChunksVariableStringsAndIntegerTargets) {
  const TemporaryFolder folder;
  export_dataset(folder / "set.h5", {small_set(true), std::nullopt});
  {
    const Hdf5Handle file(H5Fopen((folder / "set.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    const Hdf5Handle chunked(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    const std::array<hsize_t, 2> chunk = {2, 2};
    H5Pset_chunk(chunked.get(), 2, chunk.data());
    H5Pset_shuffle(chunked.get());
    H5Pset_deflate(chunked.get(), 9);
    replace(file.get(), "/train/features", {3, 2}, H5T_NATIVE_FLOAT, kSixFloats, chunked.get());
    replace(file.get(), "/train/targets", {3}, H5T_NATIVE_INT64, std::vector<std::int64_t>{1, 0, 1});
    H5Adelete(file.get(), "name");
    const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose), space(H5Screate(H5S_SCALAR), H5Sclose);
    H5Tset_size(type.get(), H5T_VARIABLE);
    const Hdf5Handle a(H5Acreate2(file.get(), "name", type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    const char* text = "from elsewhere";
    H5Awrite(a.get(), type.get(), &text);
  }
  const Dataset d = load(folder / "set.h5").train;
  EXPECT_EQ(d.name, "from elsewhere");
  EXPECT_EQ(d.values, kSixFloats);
  EXPECT_THAT(d.targets, testing::ElementsAre(1, 0, 1));
}

TEST(Hdf5, ExportReplacesAFileAndSaysWhatItCannotWrite) {
  const TemporaryFolder folder;
  write_file(folder / "set.h5", "old");
  export_dataset(folder / "set.h5", {small_set(true), std::nullopt});
  EXPECT_EQ(load(folder / "set.h5").train.samples, 3u);
  EXPECT_THROW(export_dataset(folder / "absent/set.h5", {small_set(true), std::nullopt}), InputError);
  std::filesystem::create_directories(folder / "a-folder/inside");
  EXPECT_THROW(export_dataset(folder / "a-folder", {small_set(true), std::nullopt}), InputError);
  const std::filesystem::directory_iterator files(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 2) << "an unfinished file is left";
}

TEST(Hdf5, RejectsAnotherSchemaOrVersion) {
  EXPECT_THAT(error_after([](hid_t f) { H5Adelete(f, "schema"); }), HasSubstr("schema"));
  EXPECT_THAT(error_after([](hid_t f) { set_attribute(f, "schema", 1); }), HasSubstr("schema is not a string"));
  EXPECT_THAT(error_after([](hid_t f) { set_attribute(f, "schema_version", 3); }), HasSubstr("schema_version 3"));
  EXPECT_THAT(error_after([](hid_t f) { H5Adelete(f, "classes"); }), HasSubstr("classes is missing"));
  EXPECT_THAT(error_after([](hid_t f) { set_attribute(f, "classes", -1); }), HasSubstr("classes = -1"));
}

TEST(Hdf5, RejectsMissingOrMisshapenArrays) {
  EXPECT_THAT(error_after([](hid_t f) { remove(f, "/train"); }), HasSubstr("/train is missing"));
  EXPECT_THAT(error_after([](hid_t f) { remove(f, "/train/targets"); }), HasSubstr("/train/targets is missing"));
  EXPECT_THAT(error_after([](hid_t f) { remove(f, "/test/features"); }), HasSubstr("/test/features is missing"));
  const auto features = [](std::vector<hsize_t> shape, hid_t type) {
    return error_after([=](hid_t f) { replace<float>(f, "/train/features", shape, type, {}); });
  };
  EXPECT_THAT(features({6}, H5T_NATIVE_FLOAT), HasSubstr("has 1 dimensions"));
  EXPECT_THAT(features({3, 2, 1, 1, 1}, H5T_NATIVE_FLOAT), HasSubstr("has 5 dimensions"));
  EXPECT_THAT(features({3, 1u << 31, 1u << 31, 1u << 31}, H5T_NATIVE_FLOAT), HasSubstr("too large"));
  EXPECT_THAT(features({2, 3}, H5T_NATIVE_FLOAT), HasSubstr("3 targets for 2 samples"));
  EXPECT_THAT(features({0, 2}, H5T_NATIVE_FLOAT), HasSubstr("0 samples"));
  EXPECT_THAT(features({3, 2}, H5T_NATIVE_INT), HasSubstr("neither uint8 nor float"));
  EXPECT_THAT(error_after([](hid_t f) {
                replace(f, "/test/features", {3, 1}, H5T_NATIVE_FLOAT, kSixFloats);
              }),
              HasSubstr("differ in features"));
}

TEST(Hdf5, ReadsImagesAsTheyLieAndAColumnOfTargets) {
  const TemporaryFolder folder;
  export_dataset(folder / "set.h5", {small_set(true), std::nullopt});
  {
    const Hdf5Handle file(H5Fopen((folder / "set.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    replace(file.get(), "/train/features", {3, 1, 2}, H5T_IEEE_F64BE, std::vector<double>(6, 0.0));
    replace(file.get(), "/train/targets", {3, 1}, H5T_NATIVE_INT64, std::vector<std::int64_t>{1, 0, 1});
  }
  const DataSplit split = load(folder / "set.h5");
  EXPECT_EQ(split.train.features, 2u);
  EXPECT_THAT(split.source.shape, testing::ElementsAre(1, 2));
  EXPECT_THAT(split.train.targets, testing::ElementsAre(1, 0, 1));
}

TEST(Hdf5, SaysWhatToDoWithAnotherLayout) {
  EXPECT_THAT(error_after([](hid_t f) {
                H5Adelete(f, "schema");
                H5Lmove(f, "/train", f, "/x_train", H5P_DEFAULT, H5P_DEFAULT);
              }),
              HasSubstr("(the file holds test, x_train)"));
  EXPECT_THAT(error_after([](hid_t f) {
                replace<float>(f, "/train/targets", {3, 2}, H5T_NATIVE_FLOAT, {});
              }),
              HasSubstr("argmax(axis=1)"));
  EXPECT_THAT(error_after([](hid_t f) {
                replace<float>(f, "/train/features", {2, 3}, H5T_NATIVE_FLOAT, {});
              }),
              HasSubstr("store x.T"));
  EXPECT_THAT(error_after([](hid_t f) { set_attribute(f, "classes", 1); }), HasSubstr("number the classes from 0"));
}

TEST(Hdf5, RejectsBadValues) {
  auto values = kSixFloats;
  values[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error_after([&](hid_t f) {
                replace(f, "/train/features", {3, 2}, H5T_NATIVE_FLOAT, values);
              }),
              HasSubstr("not finite"));
  for (const float label : {2.0f, -1.0f, 0.5f})
    EXPECT_THAT(error_after([&](hid_t f) {
                  replace(f, "/train/targets", {3}, H5T_NATIVE_FLOAT, std::vector<float>{0, label, 1});
                }),
                HasSubstr("is not one of 0 … 1"));
}

TEST(Hdf5, RejectsSizesThatAreNotStored) {
  // Never written, so nothing is allocated; then chunks that compress far better than deflate can.
  EXPECT_THAT(error_after([](hid_t f) {
                replace<float>(f, "/train/targets", {1u << 30}, H5T_NATIVE_FLOAT, {});
                replace<float>(f, "/train/features", {1u << 30, 1000}, H5T_NATIVE_FLOAT, {});
              }),
              HasSubstr("truncated"));
  EXPECT_THAT(error_after([](hid_t f) {
                const Hdf5Handle chunked(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
                const std::array<hsize_t, 2> chunk = {1, 1 << 20};
                H5Pset_chunk(chunked.get(), 2, chunk.data());
                H5Pset_deflate(chunked.get(), 9);
                replace<float>(f, "/train/features", {3, 1u << 30}, H5T_NATIVE_FLOAT, {}, chunked.get());
              }),
              HasSubstr("truncated"));
}

TEST(Hdf5, RejectsDataOutsideTheFile) {
  EXPECT_THAT(error_after([](hid_t f) {
                remove(f, "/train/features");
                H5Lcreate_external("/etc/passwd", "/x", f, "/train/features", H5P_DEFAULT, H5P_DEFAULT);
              }),
              HasSubstr("external link"));
  EXPECT_THAT(error_after([](hid_t f) {
                const Hdf5Handle outside(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
                H5Pset_external(outside.get(), "/etc/passwd", 0, 24);
                replace<float>(f, "/train/features", {3, 2}, H5T_NATIVE_FLOAT, {}, outside.get());
              }),
              HasSubstr("other files"));
}

TEST(Hdf5, RejectsTruncatedFiles) {
  const TemporaryFolder folder;
  export_dataset(folder / "set.h5", {small_set(true), std::nullopt});
  const std::string good = read_back(folder / "set.h5");
  for (std::size_t length = 8; length < good.size(); length += 97) {
    write_file(folder / "cut.h5", good.substr(0, length));
    EXPECT_FALSE(error_of(folder / "cut.h5").empty());
  }
}
