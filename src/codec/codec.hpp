// SPDX-License-Identifier: BSD-3-Clause
// Q(x): a model, or a difference of models, as a message. Unbiased or a contraction (CodecClass), packed into real
// bits, decoded as it is accumulated.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/random.hpp"
#include "base/types.hpp"

namespace quantimed {

struct Encoded {
  std::size_t bytes = 0;        // of the message in memory: headers, and padding to cache lines
  std::uint64_t overflows = 0;  // coordinates that did not fit the code (clamped, or not a number)
};

// Every code but exact speaks float32 in either precision: a double is rounded to it first (a relative error of 2^-24,
// which contractions and variances bear), values and scales are sent as float32, and a message is as long. What is
// decoded is added up in the precision of the program.
//
// What an algorithm may count on. Bounds hold where no coordinate overflows, beside the rounding of a float.
enum class CodecClass {
  exact,        // Q(x) = x
  contraction,  // biased: E‖Q(x) − x‖² ≤ (1 − δ) ‖x‖², 0 < δ ≤ 1
  unbiased,     // E Q(x) = x, E‖Q(x) − x‖² ≤ ω ‖x‖²
  absolute,     // E Q(x) = x, with an error that is bounded in x's own units: no contraction near 0
  relative      // as absolute, but decoded relative to the receiver's own model: for models, not for differences
};

class Codec {
 public:
  virtual ~Codec() = default;

  virtual std::string name() const = 0;

  virtual CodecClass kind() const = 0;

  // Of vectors of p coordinates: δ of a contraction and ω of an unbiased code, for the worst x; 0 for the others.
  virtual double constant([[maybe_unused]] std::size_t p) const { return 0; }

  // What the paper's clock charges, bits a coordinate out of 16: 16 for exact, s for a grid of step Δ = 10^−s
  // (at least 1: an index cannot be free), and where the paper is silent, the code's nominal width.
  virtual double paper_bits() const = 0;

  // E‖Q(x) − x‖² ≤ variance_bound(x), where no coordinate overflows and beside the rounding of a float. Of a biased
  // code this is the whole error, bias and variance.
  virtual double variance_bound(std::span<const Real> x) const = 0;

  // True where the message is the model's own bytes: then a node may keep its model in its outbox.
  virtual bool is_identity() const { return false; }

  // The largest message of a model of p coordinates, in bytes.
  virtual std::size_t capacity(std::size_t p) const = 0;

  // What a message of p coordinates is charged for, in bytes: its headers and its numbers one after the other, as a
  // sender would put them on a wire. Padding to cache lines and tables of where things are, which are there for
  // readers in the same memory, are not counted, for no code. What a receiver can draw itself from the key is not sent.
  // Sliceable codes do not look at the message: theirs are all of one length.
  virtual std::size_t wire_bytes(std::span<const std::byte> message, std::size_t p) const = 0;

  // Writes Q(x) into message (≥ capacity(p) bytes, cache-line aligned). The key fixes every random choice:
  // the same key and x give the same bytes on every machine. Nothing beyond Encoded::bytes is ever read.
  virtual Encoded encode(std::span<const Real> x, const StreamKey& key, std::span<std::byte> message) const = 0;

  // acc[k] += weight · Q(x)[first + k]: one vectorised pass, no intermediate vector.
  // first: a multiple of kSlice; slices that are multiples of kSlice are the fastest, any size is right.
  // `own`: the receiver's model at the same coordinates (for codes that are relative to it).
  // Messages are trusted: they are our own encode's. Returns how many blocks of kSlice coordinates are known to have
  // been decoded wrongly: 0, but for codes that are relative to `own` where that is too far off.
  virtual std::uint64_t accumulate(std::span<const std::byte> message, Real weight, std::size_t first,
                                   std::span<const Real> own, std::span<Real> acc) const = 0;

  // True where encode(x) of a slice depends on that slice alone and lands at a fixed place; then encode_slice
  // may be called side by side for slices that start at multiples of kSlice (and but for the last one end there).
  // first: where the slice starts in the model. Returns the slice's own bytes and overflows.
  virtual bool is_sliceable() const { return false; }
  virtual Encoded encode_slice(std::span<const Real> x, const StreamKey& key, std::size_t first,
                               std::span<std::byte> message) const;

  static constexpr std::size_t kSlice = 512;  // coordinates
};

// --codec NAME or NAME:VALUE, one of codec_table(). Throws InputError.
std::unique_ptr<Codec> make_codec(const std::string& text);

// One row a code: how it is written, one line of help, how its value (the text after ':') makes one.
struct CodecRow {
  const char* syntax;
  const char* help;
  std::unique_ptr<Codec> (*make)(const std::string& value);
};
std::span<const CodecRow> codec_table();

}  // namespace quantimed
