// SPDX-License-Identifier: BSD-3-Clause
// --link: what a message costs besides the machine's own time.
#pragma once

#include <cstdint>
#include <string>

#include "base/types.hpp"

namespace quantimed {

struct LinkModel {
  enum class Kind { none, paper, alpha_beta };
  Kind kind = Kind::none;
  Seconds full_exchange_s = 0;  // paper: T_c, the exchange of unquantized models
  Seconds latency_s = 0;        // alpha-beta
  double bytes_per_second = 0;  // alpha-beta: bandwidth

  // One exchange with all neighbours on the paper's clock, where 16 bits a coordinate take T_c: T_c · bits/16.
  // 0 unless paper.
  Seconds exchange(double bits_per_coordinate) const {
    return kind == Kind::paper ? full_exchange_s * bits_per_coordinate / 16 : 0;
  }
  bool delays() const { return kind == Kind::alpha_beta; }
  // `newest` delivery: messages of one node that can be under way at once, on either engine. Where a sender outruns its
  // link beyond this its message is dropped, and the run says so.
  static constexpr std::uint32_t kMostInFlight = 64;
  std::uint32_t most_in_flight() const { return delays() ? kMostInFlight : 0; }
  // From the end of sending to the message being visible: latency + bytes/bandwidth. 0 unless alpha-beta.
  Seconds delay(double bytes) const { return kind == Kind::alpha_beta ? latency_s + bytes / bytes_per_second : 0; }
  // A ring all-reduce among n nodes, each of which sends `bytes` in 2 (n − 1) steps. 0 unless alpha-beta.
  Seconds all_reduce(double bytes, double n) const {
    const double steps = 2 * (n - 1);
    return steps > 0 ? steps * delay(bytes / steps) : 0;
  }
};

// What a node's message of an exchange is charged for on the link of virtual time (--bits): the bits on the wire, or
// the paper's count: the code's bits a coordinate for each vector, 16 for a number that travels with it.
struct Charge {
  bool wire_bits = false;
  double paper_bits = 0;  // a coordinate, of the code
  double dimension = 0;   // coordinates
  double vectors = 1;     // of a message
  double scalars = 0;     // of a message

  // share: of the vectors that is sent, where that is not all.
  double bits_per_coordinate(double wire_bytes, double share = 1) const {
    return wire_bits ? 8 * wire_bytes / dimension : paper_bits * vectors * share + 16 * scalars / dimension;
  }
  double bytes(double wire_bytes, double share = 1) const {
    return wire_bits ? wire_bytes : bits_per_coordinate(wire_bytes, share) * dimension / 8;
  }
};

// One row a kind: how it is written, one line of help.
struct LinkKind {
  const char* syntax;
  const char* help;
};
inline constexpr LinkKind kLinkKinds[] = {
    {"none", "messages cost no more than on this machine (virtual: nothing)"},
    {"paper:T_C", "an exchange takes T_C seconds at 16 bits a coordinate (virtual only; the paper: 3)"},
    {"alpha-beta:LATENCY,BANDWIDTH", "a message arrives after LATENCY seconds + bytes / BANDWIDTH (bytes per second)"},
};

// Throws InputError that names --link.
LinkModel parse_link(const std::string& text);
// For people: "0.1 ms, 125 MB/s", "3 s for 16 bits a coordinate", "none".
std::string in_words(const LinkModel& link);
// "0.1 ms": in the largest unit of which it is a tenth or more. As in analysis/quantimed_report/words.py.
std::string with_unit(Seconds duration);

}  // namespace quantimed
