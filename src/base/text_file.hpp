// SPDX-License-Identifier: BSD-3-Clause
// Text files that users name: read whole, within bounds, and quoted in errors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quantimed {

// All of the file, as plain text (below). Throws InputError that begins with the label: a folder, or not to be opened
// ("give WANTED"), or of more than so many bytes, or no text. A pipe or a device, which do not know their size, is read
// no further than that.
std::string read_text_file(const std::string& label, const std::string& path, const std::string& wanted,
                           std::uint64_t most_bytes);

// Makes a file's bytes what the parsers expect, whichever editor saved them: takes UTF-8's byte-order mark off, and
// ends lines with \n where the file has only \r. Returns what makes it no text that is read ("is text in UTF-16; save
// it as UTF-8 …"), or "". Data sets have no control characters; small files leave them to their own readers, which name
// what they stand in.
enum class Controls { refused, read };
std::string make_plain(std::string& text, Controls controls = Controls::refused);

// Takes the next line off the front of the text, without its end.
std::string_view take_line(std::string_view& text);

// The beginning of a piece of a file, fit for a line on a terminal.
std::string excerpt(std::string_view text);

}  // namespace quantimed
