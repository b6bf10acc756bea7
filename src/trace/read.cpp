// SPDX-License-Identifier: BSD-3-Clause
// HDF5 file → Trace, by a child whose memory and time are limited: the file is not trusted, nor is what the child
// sends.
#include "base/error.hpp"
#include "base/isolated.hpp"
#include "dataset/hdf5_locking.hpp"
#include "trace/hdf5_read.hpp"
#include "trace/image.hpp"
#include "trace/read_parts.hpp"
#include "trace/shapes.hpp"
#include "trace/transfer.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <new>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace quantimed {

using namespace hdf5;

namespace {

PropertyList reading_access() {
  PropertyList access(H5Pcreate(H5P_FILE_ACCESS), "access");
  need(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), "access");
  disable_locking(access);
  return access;
}

File open_file(const std::string& path) {
  const PropertyList access = reading_access();
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
  if (id < 0 && lock_was_refused()) throw InputError("{}: {}; {}", path, kLockRefused, kFixLock);
  return File(id, "is not an HDF5 file, or is truncated");
}

Trace read_file(const std::string& path, const InputFile& file, Parts parts) {
  require_room_for_hdf5();
  const Silence silence;
  const File opened = open_file(path);
  const std::uint64_t foreign = foreign_file_limits(file.bytes).memory_bytes - kForHdf5;
  return read_parts({opened, file.bytes, file.is_sealed ? kMostBytes : foreign}, parts);
}

[[noreturn]] void reject(const std::string& path, const std::string& what) {
  throw InputError("{}: {}; name a trace that `quantimed run` wrote", path, what);
}

[[noreturn]] void refuse_memory(const std::string& path) {
  throw MachineRefused("{}: does not fit into the memory that is free; read it where more is granted", path);
}

// In the child. What it throws is an InputError, or MachineRefused.
Trace read_values_of(const std::string& path, const InputFile& file, Parts parts) {
  try {
    return read_file(path, file, parts);
  } catch (const Fault& fault) {
    reject(path, fault.what());
  } catch (const std::bad_alloc&) {
    refuse_memory(path);
  } catch (const std::length_error&) {
    refuse_memory(path);
  }
}

// Our own traces may compress by 1,000 to 1, and HDF5 unpacks over 100 MB/s.
IsolationLimits limits_for(const InputFile& file) {
  IsolationLimits limits = foreign_file_limits(file.bytes);
  if (!file.is_sealed) return limits;
  limits.memory_bytes += std::min(kMostBytes, kDeflateRatio * file.bytes);
  limits.cpu_s = 5 + 10 * (file.bytes >> 20);
  return limits;
}

Trace read_isolated(const std::string& path, Parts parts) {
  const InputFile file = checked_file(path);
  try {
    auto trace = isolated<Trace>(limits_for(file), [&] { return read_values_of(path, file, parts); });
    trace.is_sealed = file.is_sealed;
    // Here, so that nothing a child sends is believed unchecked.
    if (const std::string contradiction = shape_finding(trace); !contradiction.empty()) reject(path, contradiction);
    index_neighbours(trace.network);
    if (trace.network.schedule.is_listed()) trace.network.list_arcs();
    return trace;
  } catch (const IsolatedFailure& failure) {
    reject(path, failure.what());
  } catch (const std::bad_alloc&) {
    refuse_memory(path);
  }
}

}  // namespace

Trace read_trace(const std::string& path) { return read_isolated(path, Parts::all); }

Trace read_trace_summary(const std::string& path) { return read_isolated(path, Parts::summary); }

bool claims_to_be_a_trace(const std::string& path) try {
  const InputFile file = checked_file(path);
  return file.is_sealed || isolated<bool>(limits_for(file), [&] {
           const Silence silence;
           try {
             const File opened = open_file(path);
             return read_named<std::string>(opened, "schema", "/") == kTraceSchema;
           } catch (const Fault&) {
             return false;
           }
         });
} catch (const DamagedTrace&) {
  return true;
} catch (const InputError&) {
  return false;
} catch (const IsolatedFailure&) {
  return false;
}

// HDF5 opens no such file, so its first bytes have to tell: the signature, the version of the head, where HDF5's own
// end is, and the text of /schema, which is written first.
std::optional<CutShort> cut_short(const std::string& path) {
  constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n\x02", 9);
  constexpr std::size_t kEndAt = 28, kHead = 1 << 16;
  std::string head(kHead, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  std::error_code error;
  CutShort found{.bytes = std::filesystem::file_size(path, error)};
  if (error || !head.starts_with(kSignature) || head.size() < kEndAt + sizeof(std::uint64_t) ||
      head.find(kTraceSchema) == std::string::npos)
    return {};
  for (std::size_t k = 0; k < sizeof(std::uint64_t); ++k)
    found.at_least |= std::uint64_t{static_cast<unsigned char>(head[kEndAt + k])} << (8 * k);
  if (found.bytes >= found.at_least) return {};
  return found;
}

}  // namespace quantimed
