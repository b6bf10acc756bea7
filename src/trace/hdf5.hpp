// SPDX-License-Identifier: BSD-3-Clause
// The HDF5 C library behind RAII. Internal to src/trace: nothing outside includes it.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace quantimed::hdf5 {

// What went wrong, without the path; write_trace and read_trace put that in front and throw their own kind.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The library's own words for its last failure: the innermost entry of its error stack.
inline std::string last_reason() {
  std::string reason = "unknown";
  const auto keep_first = [](unsigned depth, const H5E_error2_t* entry, void* out) -> herr_t {
    if (depth == 0 && entry->desc != nullptr) *static_cast<std::string*>(out) = entry->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &reason);
  for (char& c : reason)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return reason.substr(0, 200);
}

template <class Status>  // herr_t, htri_t, hid_t or ssize_t: negative is failure in all of them
Status need(Status status, const std::string& what) {
  if (status < 0) throw Fault(what + " (HDF5: " + last_reason() + ")");
  return status;
}

template <herr_t (*Close)(hid_t)>
class Handle {
 public:
  Handle(hid_t id, const std::string& what) : id_(need(id, what)) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) Close(id_);
  }
  void close(const std::string& what) { need(Close(std::exchange(id_, H5I_INVALID_HID)), what); }
  operator hid_t() const { return id_; }  // implicit: a handle is used wherever the C library wants its id

 private:
  hid_t id_;
};

using File = Handle<H5Fclose>;
using Object = Handle<H5Oclose>;  // group or data set
using AttributeHandle = Handle<H5Aclose>;
using Space = Handle<H5Sclose>;
using Type = Handle<H5Tclose>;
using PropertyList = Handle<H5Pclose>;

// The library prints its error stack on stderr unless told otherwise; what was set before comes back at the end.
class Silence {
 public:
  Silence() {
    H5Eget_auto2(H5E_DEFAULT, &printer_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Silence() { H5Eset_auto2(H5E_DEFAULT, printer_, data_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  H5E_auto2_t printer_ = nullptr;
  void* data_ = nullptr;
};

// Types in the file (the same on every machine) and in memory. Not constants: the library makes them at start-up.
template <class T>
hid_t stored_type();
template <>
inline hid_t stored_type<float>() {
  return H5T_IEEE_F32LE;
}
template <>
inline hid_t stored_type<double>() {
  return H5T_IEEE_F64LE;
}
template <>
inline hid_t stored_type<std::uint8_t>() {
  return H5T_STD_U8LE;
}
template <>
inline hid_t stored_type<std::uint32_t>() {
  return H5T_STD_U32LE;
}
template <>
inline hid_t stored_type<std::int64_t>() {
  return H5T_STD_I64LE;
}

template <class T>
hid_t memory_type();
template <>
inline hid_t memory_type<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
inline hid_t memory_type<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
inline hid_t memory_type<std::uint8_t>() {
  return H5T_NATIVE_UINT8;
}
template <>
inline hid_t memory_type<std::uint32_t>() {
  return H5T_NATIVE_UINT32;
}
template <>
inline hid_t memory_type<std::int64_t>() {
  return H5T_NATIVE_INT64;
}

// Of any length, not fixed: h5py gives these to Python as str, the others as bytes.
inline Type text_type(H5T_cset_t encoding = H5T_CSET_UTF8) {
  Type type(H5Tcopy(H5T_C_S1), "text type");
  need(H5Tset_size(type, H5T_VARIABLE), "text type");
  need(H5Tset_cset(type, encoding), "text type");
  return type;
}

// The convention of h5py, which reads it back as a Boolean.
inline Type bool_type() {
  Type type(H5Tenum_create(H5T_STD_I8LE), "Boolean type");
  constexpr std::int8_t kFalse = 0, kTrue = 1;
  need(H5Tenum_insert(type, "FALSE", &kFalse), "Boolean type");
  need(H5Tenum_insert(type, "TRUE", &kTrue), "Boolean type");
  return type;
}

}  // namespace quantimed::hdf5
