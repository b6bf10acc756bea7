// Q(x): a model as a message. Unbiased, packed into real bits, decoded as it is accumulated.
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

class Codec {
 public:
  virtual ~Codec() = default;

  virtual std::string name() const = 0;

  // What the paper's clock charges, bits a coordinate out of 16: 16 for exact, s for a grid of step Δ = 10^−s
  // (at least 1: an index cannot be free), and where the paper is silent, the code's nominal width.
  virtual double paper_bits() const = 0;

  // E‖Q(x) − x‖² ≤ variance_bound(x), where no coordinate overflows and beside the rounding of a float.
  virtual double variance_bound(std::span<const float> x) const = 0;

  // True where the message is the model's own bytes: then a node may keep its model in its outbox.
  virtual bool is_identity() const { return false; }

  // The largest message of a model of p coordinates, in bytes.
  virtual std::size_t capacity(std::size_t p) const = 0;

  // What a message of p coordinates is charged for, in bytes: its headers and its numbers one after the other, as a
  // sender would put them on a wire. Padding to cache lines, which is there for readers in the same memory, is not
  // counted, for no code. Sliceable codes do not look at the message: theirs are all of one length.
  virtual std::size_t wire_bytes(std::span<const std::byte> message, std::size_t p) const = 0;

  // Writes Q(x) into message (≥ capacity(p) bytes, cache-line aligned). The key fixes every random choice:
  // the same key and x give the same bytes on every machine. Nothing beyond Encoded::bytes is ever read.
  virtual Encoded encode(std::span<const float> x, const StreamKey& key, std::span<std::byte> message) const = 0;

  // acc[k] += weight · Q(x)[first + k]: one vectorised pass, no intermediate vector.
  // first: a multiple of kSlice; slices that are multiples of kSlice are the fastest, any size is right.
  // `own`: the receiver's model at the same coordinates (for codes that are relative to it).
  // Messages are trusted: they are our own encode's. Returns how many blocks of kSlice coordinates are known to have
  // been decoded wrongly: 0, but for codes that are relative to `own` where that is too far off.
  virtual std::uint64_t accumulate(std::span<const std::byte> message, float weight, std::size_t first,
                                   std::span<const float> own, std::span<float> acc) const = 0;

  // True where encode(x) of a slice depends on that slice alone and lands at a fixed place; then encode_slice
  // may be called side by side for slices that start at multiples of kSlice (and but for the last one end there).
  // first: where the slice starts in the model. Returns the slice's own bytes and overflows.
  virtual bool is_sliceable() const { return false; }
  virtual Encoded encode_slice(std::span<const float> x, const StreamKey& key, std::size_t first,
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
