// SPDX-License-Identifier: BSD-3-Clause
// HDF5 locks every file that it opens, and some cluster file systems have no locks. We need none: data and traces never
// change once they are there. HDF5_USE_FILE_LOCKING overrides that, so a refusal is still told apart.
#pragma once

#include <hdf5.h>

#include <cstring>

namespace quantimed {

inline constexpr const char* kLockRefused =
    "HDF5 may not lock it: the file system has no locks, or another program holds one";
inline constexpr const char* kFixLock = "set HDF5_USE_FILE_LOCKING=FALSE in the environment";

// No locks, where the library can do without.
inline void disable_locking(hid_t access) {
#if H5_VERSION_GE(1, 10, 7)
  H5Pset_file_locking(access, false, true);
#else
  (void)access;
#endif
}

// Whether the library's last failure is about a lock.
inline bool lock_was_refused() {
  bool refused = false;
  const auto look = [](unsigned, const H5E_error2_t* entry, void* out) -> herr_t {
    if (entry->desc != nullptr && std::strstr(entry->desc, "unable to lock") != nullptr)
      *static_cast<bool*>(out) = true;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look, &refused);
  return refused;
}

}  // namespace quantimed
