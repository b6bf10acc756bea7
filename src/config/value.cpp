// SPDX-License-Identifier: BSD-3-Clause
// Text to field and back. Every refusal reads "--OPTION TEXT: what is wrong; give what is right".
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/error.hpp"
#include "config/item_text.hpp"
#include "config/nearest.hpp"
#include "config/option_table.hpp"
#include "config/steps.hpp"
#include "config/units.hpp"

namespace quantimed {

namespace {

constexpr std::size_t kMostItems = 10'000;  // of a list; a range like 1-4000000000 is a slip, not a wish

template <class T>
constexpr bool kIsList = false;
template <class T>
constexpr bool kIsList<std::vector<T>> = true;

// A range of whole numbers ends at the type's own end unless the row ends before it.
template <class T>
double most_of(const OptionRow& row) {
  return std::min(row.most, static_cast<double>(std::numeric_limits<T>::max()));
}

template <class T>
std::string fix_for(const OptionRow& row) {
  std::string words;
  if constexpr (std::is_same_v<T, bool>)
    words = "true or false";
  else if constexpr (std::is_same_v<T, std::string>)
    words = value_syntax(row);
  else if (row.is_above_least)
    words = fmt::format("a number above {}", row.least);
  else if (row.most < most_of<T>({}))
    words = fmt::format("{} to {}", row.least, static_cast<std::uint64_t>(row.most));
  else
    words = fmt::format("{} or more", row.least);
  if (std::is_arithmetic_v<T> && row.every) words += std::string(", ") + row.every;
  return row.usual ? words + ", or " + row.usual : words;
}

template <class T>
[[noreturn]] void refuse(const OptionRow& row, const std::string& text, const std::string& what) {
  throw InputError("--{} {}: {}; give {}", row.name, text, what, fix_for<T>(row));
}

void refuse_control_characters(const OptionRow& row, const std::string& text) {
  if (std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    throw InputError("--{}: the value has a line break or another control character; leave it out", row.name);
}

bool is_whole(std::string_view item) {
  if (item.starts_with('-')) item.remove_prefix(1);
  return !item.empty() && std::ranges::all_of(item, [](char c) { return '0' <= c && c <= '9'; });
}

// "1e3", "2.5e4": the digits of a whole number that is written with a power of ten; nothing else is changed.
std::string without_exponent(const std::string& item) {
  double value = 0;
  const auto [stop, failure] = std::from_chars(item.data(), item.data() + item.size(), value);
  const bool is_whole_power = failure == std::errc{} && stop == item.data() + item.size() && value >= 0 &&
                              value < 0x1p53 && value == std::floor(value);
  return is_whole_power && item.find_first_of("eE") != std::string::npos ? fmt::format("{:.0f}", value) : item;
}

template <class T>
T parse(const OptionRow& row, const std::string& text, const std::string& given) {
  const std::string item = std::is_integral_v<T> && !std::is_same_v<T, bool> ? without_exponent(given) : given;
  if constexpr (std::is_same_v<T, bool>) {
    if (item != "true" && item != "false") refuse<T>(row, text, "neither true nor false");
    return item == "true";
  } else {
    constexpr bool whole = std::is_integral_v<T>;
    T value{};
    const auto [stop, failure] = std::from_chars(item.data(), item.data() + item.size(), value);
    const bool is_a_number = whole ? is_whole(item)
                                   : failure != std::errc::invalid_argument && stop == item.data() + item.size() &&
                                         !std::isnan(static_cast<double>(value));
    if (!is_a_number) refuse<T>(row, text, quoted_item(text, item) + (whole ? "not a whole number" : "not a number"));
    const double number = static_cast<double>(value);
    if (failure != std::errc{} || !std::isfinite(number) || number < row.least || number > most_of<T>(row) ||
        (row.is_above_least && number == row.least))
      refuse<T>(row, text, quoted_item(text, item) + "out of range");
    return value;
  }
}

template <>
std::string parse<std::string>(const OptionRow& row, const std::string& text, const std::string& item) {
  if (item.empty()) refuse<std::string>(row, text, "empty");
  if (row.check) row.check(item);
  if (!row.choices.empty() && std::ranges::find(row.choices, item) == row.choices.end()) {
    std::string known;
    for (const std::string& choice : row.choices) known += (known.empty() ? "" : ", ") + choice;
    const std::string near = nearest(item, row.choices);
    std::string words = row.every ? std::string(", ") + row.every : "";
    if (row.usual) words += std::string(", or ") + row.usual;
    throw InputError("--{} {}: {}not known; {}give one of {}{}", row.name, text, quoted_item(text, item),
                     near.empty() ? "" : "did you mean " + near + "? ", known, words);
  }
  return item;
}

// "3", or for seeds "1-5".
template <class T>
void append_items(const OptionRow& row, const std::string& text, const std::string& item, std::vector<T>& list) {
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    const std::size_t dash = item.find('-', 1);
    if (dash != std::string::npos) {
      const T first = parse<T>(row, text, item.substr(0, dash)), last = parse<T>(row, text, item.substr(dash + 1));
      if (first > last) throw InputError("--{} {}: the range runs backwards; give {}-{}", row.name, text, last, first);
      if (last - first >= kMostItems) throw InputError("--{} {}: give at most {}", row.name, text, kMostItems);
      for (T offset = 0; offset <= last - first; ++offset) list.push_back(first + offset);
      return;
    }
  }
  list.push_back(parse<T>(row, text, item));
}

template <class T>
std::vector<T> parse_list(const OptionRow& row, const std::string& text) {
  std::vector<T> list;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    append_items(row, text, trimmed(text.substr(begin, end - begin)), list);
    if (list.size() > kMostItems) throw InputError("--{} {}: give at most {}", row.name, text, kMostItems);
    begin = end + 1;
  }
  // Half-widths may repeat; a class, a seed or an algorithm that is named twice is a slip.
  if constexpr (!std::is_same_v<T, double>) {
    std::vector<T> sorted = list;
    std::ranges::sort(sorted);
    const auto twice = std::ranges::adjacent_find(sorted);
    if (twice != sorted.end()) throw InputError("--{} {}: {} is there twice; give it once", row.name, text, *twice);
  }
  return list;
}

template <class T>
std::string print(const OptionRow& row, const T& value) {
  if constexpr (kIsList<T>) {
    if (value.empty() && row.usual) return row.usual;
    std::string text;
    for (const auto& item : value) text += fmt::format("{}{}", text.empty() ? "" : ",", item);
    return text;
  } else {
    bool is_usual = false;
    if constexpr (std::is_same_v<T, std::string>)
      is_usual = value.empty();
    else
      is_usual = static_cast<double>(value) == row.usual_number;
    if (is_usual && row.usual) return row.usual;
    if constexpr (std::is_arithmetic_v<T>)
      if (row.every && value == T{}) return row.every;
    return fmt::format("{}", value);
  }
}

template <class T>
void assign(const OptionRow& row, T& field, const std::string& text) {
  if (row.usual && text == row.usual) {
    field = T{};
    if constexpr (std::is_arithmetic_v<T>) field = static_cast<T>(row.usual_number);
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    field = row.every && text == row.every ? row.choices : parse_list<std::string>(row, text);
  } else if constexpr (kIsList<T>) {
    field = parse_list<typename T::value_type>(row, text);
  } else if (std::is_arithmetic_v<T> && row.every && text == row.every) {
    field = T{};
  } else {
    field = parse<T>(row, text, text);
  }
}

// Not there: the usual one.
void assign(const OptionRow& row, std::map<Parameter, std::string>& values, Parameter parameter,
            const std::string& text) {
  values.erase(parameter);
  if (text == row.usual) return;
  if (text.empty()) refuse<std::string>(row, text, "empty");
  check_parameter(row_of(parameter), text);
  values[parameter] = text;
}
std::string print(const OptionRow& row, const std::map<Parameter, std::string>& values, Parameter parameter) {
  const auto found = values.find(parameter);
  return found == values.end() ? row.usual : found->second;
}

}  // namespace

void set_option(const OptionRow& row, Config& config, const std::string& given) {
  refuse_control_characters(row, given);
  const std::string text = *row.units ? without_units(row.name, given, row.units) : given;
  std::visit(
      [&](auto member) {
        if constexpr (std::is_same_v<decltype(member), Parameter>)
          assign(row, config.parameters, member, text);
        else if constexpr (!std::is_same_v<decltype(member), std::monostate>)
          assign(row, config.*member, text);
      },
      row.field);
}

std::string get_option(const OptionRow& row, const Config& config) {
  return std::visit(
      [&](auto member) -> std::string {
        if constexpr (std::is_same_v<decltype(member), std::monostate>)
          return "";
        else if constexpr (std::is_same_v<decltype(member), Parameter>)
          return print(row, config.parameters, member);
        else
          return print(row, config.*member);
      },
      row.field);
}

}  // namespace quantimed
