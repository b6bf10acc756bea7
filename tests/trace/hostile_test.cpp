// SPDX-License-Identifier: BSD-3-Clause
// Files that are not to be trusted: reading one ends in InputError or in a correct trace.
#include "base/random.hpp"
#include "same.hpp"
#include "sample.hpp"

#include <gmock/gmock.h>
#include <hdf5.h>
#include <sys/stat.h>
#include <zlib.h>

namespace quantimed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::size_t kSealBytes = 32;

class Hostile : public Folder {
 protected:
  std::string read_error(const std::string& name) {
    return input_error([&] { read_trace(path(name)); });
  }
  // InputError, or a trace that is right.
  void expect_no_lie(const std::string& name, const Trace& trace) {
    Trace read;
    if (input_error([&] { read = read_trace(path(name)); }).empty()) expect_same(read, trace);
  }
};

TEST_F(Hostile, NamesWhatCannotBeATrace) {
  spill(path("empty"), "");
  spill(path("text"), "loss 3\n");
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(read_error("none"), AllOf(HasSubstr("none"), HasSubstr("No such file")));
  EXPECT_THAT(read_error("empty"), HasSubstr("not an HDF5 file"));
  EXPECT_THAT(read_error("text"), HasSubstr("not an HDF5 file"));
  EXPECT_THAT(read_error("pipe"), HasSubstr("not a plain file"));
  EXPECT_THAT(read_error(""), HasSubstr("not a plain file"));
  EXPECT_THAT(input_error([] { read_trace("/dev/zero"); }), HasSubstr("not a plain file"));
}

TEST_F(Hostile, TruncatedAnywhere) {
  const Trace trace = sample_trace(40, 60);
  write_trace(path("a.h5"), trace);
  const std::string whole = slurp(path("a.h5"));
  for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 199) {
    spill(path("cut.h5"), whole.substr(0, size));
    expect_no_lie("cut.h5", trace);  // the last few bytes are padding, and may go
  }
  spill(path("cut.h5"), whole.substr(0, whole.size() / 2));
  EXPECT_THAT(read_error("cut.h5"), AllOf(HasSubstr("cut.h5"), HasSubstr("truncated")));
  for (std::size_t left = 1; left <= kSealBytes + 8; ++left) {
    spill(path("cut.h5"), whole.substr(0, whole.size() - left));
    expect_no_lie("cut.h5", trace);
  }
}

TEST_F(Hostile, DamagedAnywhere) {
  const Trace trace = sample_trace(40, 60);
  write_trace(path("a.h5"), trace);
  const std::string whole = slurp(path("a.h5"));
  Stream random({.seed = 1});
  for (int k = 0; k < 300; ++k) {
    std::string bytes = whole;
    bytes[random.index(static_cast<std::uint32_t>(bytes.size()))] ^= static_cast<char>(1u << random.index(8));
    spill(path("bad.h5"), bytes);
    expect_no_lie("bad.h5", trace);
  }
}

std::string sealed(const std::string& image) {
  const auto sum = crc32_z(0, reinterpret_cast<const unsigned char*>(image.data()), image.size());
  return fmt::format("{}quantimed-trace-crc32:{:08x}\n\n", image, sum);
}

// Some of these crash libhdf5 itself, some make it loop; the second file is forged with a seal that fits.
TEST_F(Hostile, ForgedFilesNeverEndTheProgram) {
  write_trace(path("a.h5"), sample_trace(3, 3, 2));
  const std::string whole = slurp(path("a.h5")), image = whole.substr(0, whole.size() - kSealBytes);
  ASSERT_EQ(sealed(image), whole);
  Stream random({.seed = 2});
  int refused = 0;
  for (int k = 0; k < 150; ++k) {
    std::string bytes = image;
    for (std::uint32_t errors = 1 + random.index(3); errors > 0; --errors)
      bytes[random.index(static_cast<std::uint32_t>(bytes.size()))] ^= static_cast<char>(1u << random.index(8));
    spill(path("bad.h5"), k % 2 == 0 ? bytes : sealed(bytes));
    refused += !read_error("bad.h5").empty();
  }
  EXPECT_GT(refused, 15);
}

TEST_F(Hostile, WithoutTheSealNothingUnpacksToFarMoreThanTheFile) {
  Trace trace = sample_trace();
  trace.mean_model.assign(20'000'000, 0);  // 80 MB in some 100 KB
  write_trace(path("a.h5"), trace);
  const std::string whole = slurp(path("a.h5"));
  spill(path("bomb.h5"), whole.substr(0, whole.size() - kSealBytes));
  EXPECT_THAT(read_error("bomb.h5"), HasSubstr("has no checksum of ours"));
}

TEST_F(Hostile, ClaimsOfDeflateAreHeldAgainstTheFile) {  // zeros compress well: 1,000 to 1 is honest
  Trace trace = sample_trace();
  trace.mean_model.assign(20'000'000, 0);
  write_trace(path("a.h5"), trace);
  expect_same(read_trace(path("a.h5")), trace);
}

// ---- a valid file, changed with HDF5 -------------------------------------------------------------

hid_t chunked(hsize_t values) {
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 1, &values);
  return creation;
}

void set_text(hid_t object, const char* name, const char* value) {
  const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT), type = H5Aget_type(attribute);
  H5Awrite(attribute, type, &value);
  H5Tclose(type);
  H5Aclose(attribute);
}

// A data set of another type or shape with the same unit. Takes `creation` over.
void replace(hid_t file, const char* name, hid_t type, const std::vector<hsize_t>& shape,
             hid_t creation = H5Pcreate(H5P_DATASET_CREATE)) {
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t made = H5Dcreate2(file, "made", type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  if (H5Aexists_by_name(file, name, "unit", H5P_DEFAULT) > 0) {
    char* unit = nullptr;
    const hid_t old = H5Aopen_by_name(file, name, "unit", H5P_DEFAULT, H5P_DEFAULT), text = H5Aget_type(old);
    const hid_t scalar = H5Aget_space(old), copy = H5Acreate2(made, "unit", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Aread(old, text, &unit);
    H5Awrite(copy, text, &unit);
    H5free_memory(unit);
    for (const hid_t attribute : {old, copy}) H5Aclose(attribute);
    H5Sclose(scalar);
    H5Tclose(text);
  }
  H5Ldelete(file, name, H5P_DEFAULT);
  H5Lmove(file, "made", file, name, H5P_DEFAULT, H5P_DEFAULT);
  H5Dclose(made);
  H5Sclose(space);
  H5Pclose(creation);
}

void set_integer(hid_t file, const char* name, std::int64_t value) {
  const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
  H5Awrite(attribute, H5T_NATIVE_INT64, &value);
  H5Aclose(attribute);
}

template <class T>
void set_first(hid_t file, const char* name, hid_t type, T value) {
  const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(dataset), one = H5Screate(H5S_SCALAR);
  const std::vector<hsize_t> at(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)), 0);
  H5Sselect_elements(space, H5S_SELECT_SET, 1, at.data());
  H5Dwrite(dataset, type, one, space, H5P_DEFAULT, &value);
  H5Sclose(one);
  H5Sclose(space);
  H5Dclose(dataset);
}

struct Change {
  const char* name;
  void (*apply)(hid_t file);
  const char* says;
};
void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

constexpr Change kChanges[] = {
    {"OtherSchema", [](hid_t f) { set_text(f, "schema", "weather"); }, "no trace"},
    {"NoSchema", [](hid_t f) { H5Adelete(f, "schema"); }, "no trace"},
    {"LaterVersion", [](hid_t f) { set_integer(f, "schema_version", 4); }, "newer quantimed"},
    {"EarlierVersion", [](hid_t f) { set_integer(f, "schema_version", 1); }, "older quantimed"},
    {"NoVersion", [](hid_t f) { H5Adelete(f, "schema_version"); }, "schema_version"},
    {"VersionZero", [](hid_t f) { set_integer(f, "schema_version", 0); }, "schema version 0"},
    {"UnknownStatus", [](hid_t f) { set_text(f, "status", "well"); }, "unknown status well"},
    {"NoGroup", [](hid_t f) { H5Ldelete(f, "rounds", H5P_DEFAULT); }, "has no /rounds"},
    {"NoDataSet", [](hid_t f) { H5Ldelete(f, "rounds/batch", H5P_DEFAULT); }, "has no /rounds/batch"},
    {"NoIni", [](hid_t f) { H5Ldelete(f, "config/ini", H5P_DEFAULT); }, "has no /config/ini"},
    {"NoUnit", [](hid_t f) { H5Adelete_by_name(f, "progress/time", "unit", H5P_DEFAULT); }, "unit of /progress/time"},
    {"OtherUnit",
     [](hid_t f) {
       const hid_t d = H5Dopen2(f, "progress/time", H5P_DEFAULT);
       set_text(d, "unit", "ms");
       H5Dclose(d);
     },
     "/progress/time is in ms"},
    {"GroupForDataSet",
     [](hid_t f) {
       H5Ldelete(f, "progress/time", H5P_DEFAULT);
       H5Gclose(H5Gcreate2(f, "progress/time", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
     },
     "/progress/time is not a data set"},
    {"DataSetForGroup", [](hid_t f) { replace(f, "rounds", H5T_IEEE_F32LE, {3}); }, "/rounds is not a group"},
    {"SoftLink",
     [](hid_t f) {
       H5Ldelete(f, "model/mean", H5P_DEFAULT);
       H5Lcreate_soft("/progress/time", f, "model/mean", H5P_DEFAULT, H5P_DEFAULT);
     },
     "is a link"},
    {"ExternalLink",
     [](hid_t f) {
       H5Ldelete(f, "model", H5P_DEFAULT);
       H5Lcreate_external("other.h5", "/model", f, "model", H5P_DEFAULT, H5P_DEFAULT);
     },
     "is a link"},
    {"WrongType",
     [](hid_t f) {
       replace(f, "rounds/batch", H5T_STD_I32LE, {7, 5});
     },
     "/rounds/batch is not of 4-byte"},
    {"WrongRank", [](hid_t f) { replace(f, "rounds/batch", H5T_IEEE_F32LE, {35}); }, "does not have 2 dimensions"},
    {"WrongShape",
     [](hid_t f) {
       replace(f, "rounds/mix_time", H5T_IEEE_F32LE, {6, 0});
     },
     "[7, 5] expected"},
    {"WideEdges",
     [](hid_t f) {
       replace(f, "network/edges", H5T_STD_U32LE, {0, 3});
     },
     "rows of 3"},
    {"ShortWeights", [](hid_t f) { replace(f, "network/weights", H5T_IEEE_F64LE, {0}); }, "/network/weights has 0"},
    {"NothingWritten", [](hid_t f) { replace(f, "model/mean", H5T_IEEE_F32LE, {39}); }, "holds 0 bytes"},
    {"AbsurdSize", [](hid_t f) { replace(f, "model/mean", H5T_IEEE_F32LE, {hsize_t{1} << 61}, chunked(1024)); },
     "claims [2305843009213693952]"},
    {"OversizedChunk", [](hid_t f) { replace(f, "model/mean", H5T_IEEE_F32LE, {hsize_t{1} << 40}, chunked(1u << 29)); },
     "oversized chunks"},
    {"ForeignFilter",
     [](hid_t f) {
       const hid_t creation = chunked(39);
       H5Pset_nbit(creation);
       replace(f, "model/mean", H5T_IEEE_F32LE, {39}, creation);
     },
     "uses filter"},
    {"OutsideStorage",
     [](hid_t f) {
       const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
       H5Pset_external(creation, "/etc/passwd", 0, 16);
       replace(f, "model/mean", H5T_IEEE_F32LE, {4}, creation);
     },
     "in another file"},
    {"EdgeToNowhere", [](hid_t f) { set_first(f, "network/edges", H5T_NATIVE_UINT32, 99u); }, "edge 0 is (99"},
    {"UnnamedPhase", [](hid_t f) { set_first(f, "timeline/phase", H5T_NATIVE_UINT8, std::uint8_t{9}); }, "phase 9"},
    {"EventOfNobody", [](hid_t f) { set_first(f, "timeline/node", H5T_NATIVE_UINT32, 5u); }, "node 5 of 5"},
    {"ListAttribute",
     [](hid_t f) {
       const hsize_t three = 3;
       const hid_t space = H5Screate_simple(1, &three, nullptr), group = H5Gopen2(f, "summary", H5P_DEFAULT);
       H5Aclose(H5Acreate2(group, "list", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT));
       H5Gclose(group);
       H5Sclose(space);
     },
     "list of /summary is not a single value"},
};

class Changed : public Hostile, public ::testing::WithParamInterface<Change> {};

TEST_P(Changed, IsNamedInOneLine) {
  write_trace(path("a.h5"), sample_trace());
  const hid_t file = H5Fopen(path("a.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  GetParam().apply(file);
  ASSERT_GE(H5Fclose(file), 0);
  EXPECT_THAT(read_error("a.h5"), AllOf(HasSubstr("a.h5"), HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(Hostile, Changed, ::testing::ValuesIn(kChanges),
                         [](const auto& test) { return test.param.name; });

TEST_F(Hostile, CheckpointsAreHeldAgainstTheRestBeforeTheyAreBelieved) {
  const Change changes[] = {
      {"", [](hid_t f) { replace(f, "checkpoint/payload", H5T_STD_U8LE, {hsize_t{1} << 50}, chunked(64)); }, "claims"},
      {"", [](hid_t f) { replace(f, "checkpoint/models", H5T_IEEE_F32LE, {195}); }, "does not have 2 dimensions"},
      {"", [](hid_t f) { replace(f, "checkpoint/event_time", H5T_IEEE_F32LE, {5}); }, "8-byte"},
      {"", [](hid_t f) { set_first(f, "checkpoint/message_node", H5T_NATIVE_UINT32, 5u); }, "node 5 of 5"},
      {"", [](hid_t f) { set_first(f, "checkpoint/message_bytes", H5T_NATIVE_UINT32, ~0u); },
       "/checkpoint/payload has 5"},
      {"", [](hid_t f) { H5Ldelete(f, "checkpoint/iteration", H5P_DEFAULT); }, "has no /checkpoint/iteration"},
  };
  Trace trace = sample_trace();
  trace.checkpoint = sample_checkpoint(trace);
  for (const Change& change : changes) {
    write_trace(path("a.h5"), trace);
    const hid_t file = H5Fopen(path("a.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    change.apply(file);
    ASSERT_GE(H5Fclose(file), 0);
    EXPECT_THAT(read_error("a.h5"), AllOf(HasSubstr("a.h5"), HasSubstr(change.says)));
  }
  void (*const spoils[])(Checkpoint&) = {
      [](Checkpoint& c) { c.models.pop_back(); },       [](Checkpoint& c) { c.iteration.push_back(1); },
      [](Checkpoint& c) { c.start_time.clear(); },      [](Checkpoint& c) { c.speed.pop_back(); },
      [](Checkpoint& c) { c.message_visible.clear(); }, [](Checkpoint& c) { c.payload.push_back(1); },
  };
  for (const auto spoil : spoils) {
    Trace spoilt = trace;
    spoil(*spoilt.checkpoint);
    EXPECT_THAT(verify_trace(spoilt), testing::ElementsAre(HasSubstr("/checkpoint/")));
  }
}

TEST_F(Hostile, ChangesOnPurposeAreReadWithoutTheSeal) {
  write_trace(path("a.h5"), sample_trace());
  const hid_t file = H5Fopen(path("a.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  set_first(file, "progress/loss", H5T_NATIVE_DOUBLE, 7.0);
  H5Fclose(file);
  EXPECT_EQ(slurp(path("a.h5")).find("quantimed-trace-crc32"), std::string::npos);
  EXPECT_EQ(read_trace(path("a.h5")).progress.loss[0], 7);
}

TEST_F(Hostile, LeavesTheErrorPrinterAsItWas) {
  H5E_auto2_t before = nullptr, after = nullptr;
  void* data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &data);
  spill(path("text"), "loss 3\n");
  EXPECT_NE(read_error("text"), "");
  H5Eget_auto2(H5E_DEFAULT, &after, &data);
  EXPECT_EQ(before, after);
  EXPECT_NE(after, nullptr);
}

}  // namespace
}  // namespace quantimed
