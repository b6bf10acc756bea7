// SPDX-License-Identifier: BSD-3-Clause
// Attributes and data sets of an HDF5 file that is not trusted: every size is held against the file's own before memory
// is taken, links must stay inside the file, and only the filters that the writer uses are run. All throw Fault.
#pragma once

#include "base/error.hpp"
#include "trace/columns.hpp"
#include "trace/hdf5.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace quantimed::hdf5 {

inline constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 30;  // of all data sets together, in memory
inline constexpr std::uint64_t kForHdf5 = std::uint64_t{16} << 20;    // the library's own, beside the values
inline constexpr std::uint64_t kDeflateRatio = 1032;                  // zlib's best possible

struct Input {
  hid_t file;
  std::uint64_t bytes;      // of the file
  std::uint64_t most;       // of memory
  std::uint64_t taken = 0;  // of memory
  std::int64_t version = kTraceSchemaVersion;
  bool is_double = false;  // --precision of the run, which its models are stored in
};

// ---- objects and attributes ---------------------------------------------------------------------
// Only hard links: a soft or external one may lead out of the file. `shown` is what a Fault calls it.
Object open_object(hid_t parent, const char* name, H5I_type_t kind, const std::string& shown);
Object open_group(hid_t file, const char* name);

Attribute read_attribute(hid_t attribute, const std::string& shown);
// In the order in which they were written.
Attributes read_attributes(hid_t group, const std::string& owner);

template <class T>
T read_named(hid_t object, const char* name, const std::string& owner) {
  const std::string shown = fmt::format("attribute {} of {}", name, owner);
  if (need(H5Aexists(object, name), shown) == 0) throw Fault("has no " + shown);
  const Attribute attribute = read_attribute(AttributeHandle(H5Aopen(object, name, H5P_DEFAULT), shown), shown);
  if (const T* value = std::get_if<T>(&attribute)) return *value;
  throw Fault(shown + " is of the wrong type");
}

// ---- data sets -----------------------------------------------------------------------------------
// A data set that is a single text.
std::string read_text_dataset(hid_t parent, const char* name, const std::string& shown);

// Throws unless the data set is stored in the file itself, by filters that we know: a foreign one would load a plug-in.
void need_plain_storage(hid_t dataset, const std::string& shown);

// How many values of so many bytes, once it is plausible that the file holds as many; notes the memory that they take.
std::size_t plausible_count(Input& input, hid_t dataset, std::span<const hsize_t> shape, std::size_t value_bytes,
                            const std::string& shown);

// HDF5 fails or crashes where malloc gives it nothing, and that must not be taken for a fault of the file. Throws
// std::bad_alloc.
void require_room_for_hdf5();

template <class T>
struct Values {
  std::vector<hsize_t> shape;
  std::vector<T> values;
};

// How numbers lie in the file: as they will in memory; or float32 will do for double; or in the precision of the run,
// whatever that of this program is.
enum class Stored { as_in_memory, maybe_narrow, by_precision };

template <class T>
bool is_stored_as(const Input& input, hid_t stored, Stored how, const std::string& shown) {
  const auto is = [&](hid_t type) { return need(H5Tequal(stored, type), shown) > 0; };
  if (how == Stored::by_precision) return is(input.is_double ? stored_type<double>() : stored_type<float>());
  return is(stored_type<T>()) || (how == Stored::maybe_narrow && is(stored_type<float>()));
}

template <class T>
Values<T> read_values(Input& input, hid_t group, const char* group_name, const char* name, const std::string& unit,
                      std::size_t rank, Stored how = Stored::as_in_memory) {
  const std::string shown = fmt::format("/{}/{}", group_name, name);
  const Object dataset = open_object(group, name, H5I_DATASET, shown);
  const Type stored(H5Dget_type(dataset), shown);
  if (!is_stored_as<T>(input, stored, how, shown))
    throw Fault(fmt::format("{} is not of {}-byte {}", shown,
                            how != Stored::by_precision ? sizeof(T)
                            : input.is_double           ? sizeof(double)
                                                        : sizeof(float),
                            std::is_floating_point_v<T> ? "floating-point numbers" : "unsigned integers"));
  const Space space(H5Dget_space(dataset), shown);
  Values<T> result{std::vector<hsize_t>(rank), {}};
  if (H5Sget_simple_extent_type(space) != H5S_SIMPLE || H5Sget_simple_extent_ndims(space) != static_cast<int>(rank))
    throw Fault(fmt::format("{} does not have {} dimension{}", shown, rank, rank == 1 ? "" : "s"));
  need(H5Sget_simple_extent_dims(space, result.shape.data(), nullptr), shown);
  need_plain_storage(dataset, shown);
  result.values.resize(plausible_count(input, dataset, result.shape, sizeof(T), shown));
  require_room_for_hdf5();
  if (!result.values.empty())
    need(H5Dread(dataset, memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, result.values.data()), shown);
  if (const auto found = read_named<std::string>(dataset, "unit", shown); found != unit)
    throw Fault(fmt::format("{} is in {}, {} expected", shown, found, unit));
  return result;
}

template <class Column>
bool is_left_out(hid_t group, const Column& column) {
  return column.is_optional && need(H5Lexists(group, column.name, H5P_DEFAULT), column.name) == 0;
}

// Fills all columns of a table and returns the first one's shape; shape_finding() compares the others.
template <class Table, class Record>
std::vector<hsize_t> read_columns(Input& input, const char* group_name, const Table& table, Record& record,
                                  std::size_t rank) {
  const Object group = open_group(input.file, group_name);
  std::vector<hsize_t> shape;
  columns::for_each(table, [&]<class T>(const columns::Column<Record, T>& column) {
    if (is_left_out(group, column)) return;
    const Stored how = column.is_of_models                 ? Stored::by_precision
                       : input.version < column.wide_since ? Stored::maybe_narrow
                                                           : Stored::as_in_memory;
    Values<T> read = read_values<T>(input, group, group_name, column.name, column.unit, rank, how);
    if (shape.empty()) shape = read.shape;
    if (read.shape != shape)
      throw Fault(fmt::format("/{}/{} is [{}], [{}] expected", group_name, column.name, fmt::join(read.shape, ", "),
                              fmt::join(shape, ", ")));
    record.*column.values = std::move(read.values);
  });
  return shape;
}

}  // namespace quantimed::hdf5
