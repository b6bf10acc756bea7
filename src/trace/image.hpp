// A trace's bytes on their way to and from the disk. Nothing here knows HDF5.
//
// After HDF5's own end the file carries a seal: 32 bytes with the checksum of all before. HDF5 ignores it, and its
// tools drop it when they change the file. So damage is told from a change made on purpose: a file with a seal must
// match it, a file without (edited with h5py, say) is read on HDF5's own checks. Those do not cover the heap that
// holds texts: of 4,000 one-bit errors in files without a seal, 51 crashed or hung HDF5 1.10.8. With one, none does.
// A checksum is no signature, and a forger can make one: what is read runs isolated either way (base/isolated.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace quantimed {

// Puts `image` and its seal at `path`, whole or not at all: a temporary beside it, fsync, rename.
// Throws InputError with path, reason and mend; the temporary is then gone.
void publish_image(const std::string& path, std::span<const std::byte> image);

struct InputFile {
  std::uint64_t bytes = 0;
  bool is_sealed = false;  // and the seal fits
};
// A plain file that can be read and whose seal, if it has one, fits. Throws InputError.
InputFile checked_file(const std::string& path);

}  // namespace quantimed
