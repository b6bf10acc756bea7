// SPDX-License-Identifier: BSD-3-Clause
#include "engine/spread/shares.hpp"

#include <algorithm>
#include <string>

namespace quantimed {

namespace {

CoreShare share_of(std::size_t rank, const std::vector<std::string>& hosts,
                   const std::vector<std::vector<int>>& cores) {
  std::size_t others = 0, before = 0;
  CoreShare share;
  for (std::size_t r = 0; r < hosts.size(); ++r) {
    if (r == rank || hosts[r] != hosts[rank]) continue;
    if (cores[r] == cores[rank]) {
      ++others;
      before += r < rank;
    } else if (std::ranges::find_first_of(cores[r], cores[rank]) != cores[r].end()) {
      share.are_shared = true;
    }
  }
  const std::size_t units = cores[rank].size(), ranks = others + 1;
  const auto at = [&](std::size_t k) { return cores[rank].begin() + static_cast<std::ptrdiff_t>(k * units / ranks); };
  share.cores.assign(at(before), at(before + 1));
  if (share.cores.empty()) share = {cores[rank], true};
  return share;
}

}  // namespace

CoreShare share_cores(Fleet& fleet, const std::vector<int>& mine) {
  std::vector<Parcel> all =
      fleet.gather(std::move(Parcel().put_text(fleet.transport().host(fleet.rank())).put_all(mine)));
  Parcel shares;
  if (fleet.leads()) {
    std::vector<std::string> hosts;
    std::vector<std::vector<int>> cores;
    for (Parcel& parcel : all) {
      hosts.push_back(parcel.take_text());
      cores.push_back(parcel.take_all<int>());
    }
    for (std::size_t r = 0; r < all.size(); ++r) {
      const CoreShare share = share_of(r, hosts, cores);
      shares.put_all(share.cores).put(share.are_shared);
    }
  }
  shares = fleet.broadcast(std::move(shares));
  CoreShare own;
  for (Rank r = 0; r <= fleet.rank(); ++r) {
    own.cores = shares.take_all<int>();
    own.are_shared = shares.take<bool>();
  }
  return own;
}

}  // namespace quantimed
