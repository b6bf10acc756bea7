// SPDX-License-Identifier: BSD-3-Clause
// --codec: the table of codes, and what a user may write.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "codec/codecs.hpp"
#include "codec/packing.hpp"

namespace quantimed {

namespace {

// A grid's step and its inverse must be ordinary floats, with room for an index of 24 bits.
constexpr double kSmallestStep = 1e-30, kLargestStep = 1e30;
constexpr auto kMostLevels = static_cast<std::uint32_t>(packing::kMaxIndex);

double parse_positive(const char* name, const std::string& value, const char* what, const char* example) {
  double number = 0;
  const char* end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, number);
  // Written so that a NaN fails too.
  const bool is_valid = number >= kSmallestStep && number <= kLargestStep;
  if (error != std::errc{} || rest != end || !is_valid)
    throw InputError("--codec {}:{}: {} must be a number from {} to {}, for example {}:{}", name, value, what,
                     kSmallestStep, kLargestStep, name, example);
  return number;
}

std::uint32_t parse_levels(const char* name, const std::string& value) {
  std::uint32_t number = 0;
  const char* end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc{} || rest != end || number == 0 || number > kMostLevels)
    throw InputError("--codec {}:{}: LEVELS must be a whole number from 1 to {}, for example {}:16", name, value,
                     kMostLevels, name);
  return number;
}

double parse_share(const char* name, const std::string& value) {
  double number = 0;
  const char* end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, number);
  // Written so that a NaN fails too.
  const bool is_valid = number > 0 && number <= 1;
  if (error != std::errc{} || rest != end || !is_valid)
    throw InputError("--codec {}:{}: SHARE of the coordinates must be above 0 and at most 1, for example {}:0.1", name,
                     value, name);
  return number;
}

std::size_t parse_sign_block(const std::string& value) {
  std::uint32_t number = 0;
  const char* end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc{} || rest != end || !is_sign_block(number))
    throw InputError(
        "--codec sign:{}: B must be 32, 64, 128, 256 or a multiple of {}, the slices in which models are mixed, "
        "for example sign:{}",
        value, Codec::kSlice, Codec::kSlice);
  return number;
}

std::unique_ptr<Codec> parse_modulo(const std::string& value) {
  const std::size_t comma = std::min(value.find(','), value.size());
  const std::string text = value.substr(std::min(comma + 1, value.size()));
  std::uint32_t bits = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, bits);
  if (error != std::errc{} || rest != end || bits < 2 || bits > packing::kMaxWidth)
    throw InputError("--codec modulo:{}: give a grid's step and bits from 2 to {}, for example modulo:1e-3,8", value,
                     packing::kMaxWidth);
  return make_modulo(parse_positive("modulo", value.substr(0, comma), "STEP", "1e-3,8"), bits);
}

constexpr CodecRow kTable[] = {
    {"exact", "the model itself, in its own precision", [](const std::string&) { return make_exact(); }},
    {"float16", "IEEE half precision, unbiased", [](const std::string&) { return make_float16(); }},
    {"low-precision:STEP", "unbiased rounding to a grid of step STEP, in as many bits as the indices need",
     [](const std::string& v) { return make_low_precision(parse_positive("low-precision", v, "STEP", "1e-3")); }},
    {"rounding", "unbiased rounding to the integers", [](const std::string&) { return make_rounding(1); }},
    {"rounding:STEP", "the same on the integers times STEP",
     [](const std::string& v) { return make_rounding(parse_positive("rounding", v, "STEP", "0.5")); }},
    {"modulo:STEP,BITS", "low-precision's indices modulo 2^BITS, taken nearest to the receiver's own model",
     parse_modulo},
    {"sparsifier:M", "sign(x) M with probability |x| / M, else 0; M at least the largest |x|",
     [](const std::string& v) { return make_sparsifier(parse_positive("sparsifier", v, "M", "4")); }},
    {"qsgd:LEVELS", "unbiased rounding to LEVELS levels of the model's norm",
     [](const std::string& v) { return make_qsgd(parse_levels("qsgd", v)); }},
    {"qsgd-rescaled:LEVELS", "qsgd divided by 1 + min(p / LEVELS^2, sqrt(p) / LEVELS); biased",
     [](const std::string& v) { return make_qsgd_rescaled(parse_levels("qsgd-rescaled", v)); }},
    {"top-k:SHARE", "the SHARE of the coordinates that is largest in magnitude, the others 0; biased",
     [](const std::string& v) { return make_top_k(parse_share("top-k", v)); }},
    {"random-k:SHARE", "a random SHARE of the coordinates, the others 0; biased",
     [](const std::string& v) { return make_random_k(parse_share("random-k", v), false); }},
    {"random-k-unbiased:SHARE", "the same divided by SHARE",
     [](const std::string& v) { return make_random_k(parse_share("random-k-unbiased", v), true); }},
    {"sign", "the signs of x times the mean of |x|; biased", [](const std::string&) { return make_sign(); }},
    {"sign:B", "the same in blocks of B coordinates",
     [](const std::string& v) { return make_sign_blocks(parse_sign_block(v)); }},
};

std::string all_syntaxes() {
  std::string all;
  for (const CodecRow& row : kTable) all += (all.empty() ? "" : ", ") + std::string(row.syntax);
  return all;
}

}  // namespace

std::span<const CodecRow> codec_table() { return kTable; }

std::unique_ptr<Codec> make_codec(const std::string& text) {
  const std::size_t colon = text.find(':');
  const bool has_value = colon != std::string::npos;
  const std::string name = text.substr(0, colon);
  for (const CodecRow& row : kTable) {
    const std::string_view syntax = row.syntax;
    const bool wants_value = syntax.find(':') != std::string_view::npos;
    if (syntax.substr(0, syntax.find(':')) == name && wants_value == has_value)
      return row.make(has_value ? text.substr(colon + 1) : std::string{});
  }
  throw InputError("--codec {}: no such code; choose one of {}", text, all_syntaxes());
}

}  // namespace quantimed
