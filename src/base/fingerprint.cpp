// SPDX-License-Identifier: BSD-3-Clause
#include "base/fingerprint.hpp"

#include "base/error.hpp"

#include <xxhash.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <new>
#include <system_error>

namespace quantimed {

void Fingerprint::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

Fingerprint::Fingerprint() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_.get());
}

void Fingerprint::add_bytes(const void* from, std::size_t size) {
  if (size > 0) XXH3_128bits_update(state_.get(), from, size);
}

std::string Fingerprint::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::uint64_t fingerprint64(const void* from, std::size_t size) { return XXH3_64bits(from, size); }

std::string file_fingerprint(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) return "";
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw InputError("{}: cannot be opened: {}; check the path and its permissions", path,
                     std::generic_category().message(errno));
  Fingerprint fingerprint;
  std::vector<char> piece(std::size_t{1} << 20);
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0)
    fingerprint.add_bytes(piece.data(), static_cast<std::size_t>(file.gcount()));
  if (file.bad()) throw InputError("{}: cannot be read to its end; check the disk", path);
  return fingerprint.hex();
}

}  // namespace quantimed
