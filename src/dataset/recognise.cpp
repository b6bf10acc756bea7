// SPDX-License-Identifier: BSD-3-Clause
// Formats that are not read, told by their first bytes, and the way to turn each into one that is.
//
// A command in a message has {FILE} where the file's name stands and {H5} where that of the HDF5 file does; both are
// quoted for a shell. tests/analysis/test_conversions.py runs each of them, taken from the message itself.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/text_file.hpp"
#include "dataset/byte_source.hpp"
#include "dataset/formats.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

using Head = std::string_view;

struct Foreign {
  const char* what;
  bool (*is)(Head head);
  const char* fix;
  bool is_fixed_packed = false;  // the fix is the same whether the file is packed or not
};

bool holds(Head head, std::size_t at, std::string_view text) {
  return head.size() >= at + text.size() && head.substr(at, text.size()) == text;
}

// A page or a document may begin with blanks, and in letters of either case.
bool opens_with(Head head, std::string_view text) {
  head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  return head.size() >= text.size() && std::equal(text.begin(), text.end(), head.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
         });
}

// The name of the first file in a zip archive.
std::string_view first_member(Head head) {
  if (!holds(head, 0, "PK\x03\x04") || head.size() < 30) return {};
  const std::size_t length = static_cast<unsigned char>(head[26]) + 256u * static_cast<unsigned char>(head[27]);
  return head.substr(30, length);
}

std::uint64_t little_endian(Head head, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t k = bytes; k-- > 0;) value = value << 8 | static_cast<unsigned char>(head[at + k]);
  return value;
}

// Behind its name come binary data, which no column of that name has.
bool is_orc(Head head) {
  constexpr std::size_t kLooked = 16;
  return holds(head, 0, "ORC") && std::ranges::any_of(head.substr(3, kLooked), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte < ' ' && byte != '\t' && byte != '\r' && byte != '\n';
         });
}

// A record begins with its length, in 8 bytes, and their masked CRC-32C; the format has no magic number.
bool is_tfrecord(Head head) {
  if (head.size() < 12) return false;
  std::uint32_t crc = 0xffffffff;
  for (const char c : head.substr(0, 8)) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0u);
  }
  crc = ~crc;
  return little_endian(head, 8, 4) == static_cast<std::uint32_t>((crc >> 15 | crc << 17) + 0xa282ead8u);
}

// The length of a JSON header, in 8 bytes, then that.
bool is_safetensors(Head head) {
  constexpr std::uint64_t kLongest = std::uint64_t{1} << 32;
  return head.size() > 9 && head[8] == '{' && head[9] == '"' && little_endian(head, 0, 8) < kLongest;
}

#define PYTHON "python3 -c \"import sys, h5py, numpy as n; f = h5py.File(sys.argv[2], 'w'); "
#define CLASSES "f.attrs.update(schema='quantimed-dataset', schema_version=1, classes=int(y.max()) + 1); "
#define README_LINES "write it as HDF5: datasets/README.md has the lines"
#define BOTH "f['train/features'], f['train/targets'] = x, y\" {FILE} {H5}"

constexpr Foreign kForeign[] = {
    {"a NumPy archive (.npz)", [](Head head) { return first_member(head).ends_with(".npy"); },
     "write it as HDF5, with the names that the archive has in place of x_train, y_train: " PYTHON
     "z = n.load(sys.argv[1]); x, y = z['x_train'], z['y_train']; " CLASSES BOTH},
    {"a PyTorch file (.pt)",
     [](Head head) {  // the second: before version 1.6, a pickle of a magic number
       return first_member(head).ends_with("data.pkl") ||
              (head.size() > 2 && holds(head, 2, "\x8a\nl\xfc\x9c\x46\xf9"));
     },
     "load it with torch.load and write tensors as HDF5: datasets/README.md has the lines"},
    {"a spreadsheet or an office document",
     [](Head head) { return first_member(head) == "[Content_Types].xml" || first_member(head) == "mimetype"; },
     "save it as CSV, and that as HDF5: datasets/README.md has the lines"},
    {"a zip archive", [](Head head) { return holds(head, 0, "PK\x03\x04") || holds(head, 0, "PK\x05\x06"); },
     "unpack it and name a file of it: python3 -m zipfile -e {FILE} ."},
    {"a NumPy array (.npy)", [](Head head) { return holds(head, 0, "\x93NUMPY"); },
     "write it as HDF5, with the labels that are in LABELS.npy: " PYTHON
     "x, y = n.load(sys.argv[1]), n.load(sys.argv[3]); " CLASSES BOTH " LABELS.npy"},
    {"a MATLAB file (.mat, version 7.3)", [](Head head) { return holds(head, 0, "MATLAB 7.3 MAT-file"); },
     "write it as HDF5, with the names that it has in place of X, y (MATLAB's classes begin at 1, ours at 0): " PYTHON
     "m = h5py.File(sys.argv[1], 'r'); x, y = m['X'][()].T, m['y'][()].ravel(); y = y - y.min(); " CLASSES BOTH},
    {"a MATLAB file (.mat)", [](Head head) { return holds(head, 0, "MATLAB 5.0 MAT-file"); },
     "write it as HDF5, with the names that it has in place of X, y (MATLAB's classes begin at 1, ours at 0): " PYTHON
     "import scipy.io; m = scipy.io.loadmat(sys.argv[1]); x, y = m['X'], m['y'].ravel(); y = y - y.min(); " CLASSES
         BOTH},
    {"a Python pickle",
     [](Head head) {
       return (head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5) || holds(head, 0, "(dp") ||
              holds(head, 0, "(lp") || holds(head, 0, "cnumpy");
     },
     "of CIFAR-10 take the binary version, datasets/fetch cifar10; else, if you trust it (a pickle can run any "
     "program), "
     "write it as HDF5, with its names in place of data, labels: " PYTHON
     "import pickle; d = pickle.load(open(sys.argv[1], 'rb'), encoding='bytes'); "
     "x, y = n.asarray(d[b'data']), n.asarray(d[b'labels']); " CLASSES BOTH},
    {"a web page (HTML), not data",
     [](Head head) { return opens_with(head, "<!doctype html") || opens_with(head, "<html"); },
     "the download was refused or led to a page about the file; open its address in a browser and save the file "
     "itself",
     true},
    {"XML", [](Head head) { return opens_with(head, "<?xml"); },
     "if it is a server's error, fetch the file again; else write it as HDF5, see datasets/README.md"},
    {"JSON", [](Head head) { return opens_with(head, "{") || opens_with(head, "["); }, README_LINES},
    {"a pointer of Git LFS, not the data", [](Head head) { return holds(head, 0, "version https://git-lfs"); },
     "get the data: git lfs pull", true},
    {"a companion of macOS (AppleDouble), not the data",
     [](Head head) {
       return holds(head, 0, {"\x00\x05\x16\x07", 4}) || holds(head, 0, {"\x00\x05\x16\x00", 4});
     },
     "name the file without ._ in front", true},
    {"a Matrix Market file", [](Head head) { return holds(head, 0, "%%MatrixMarket"); }, README_LINES},
    {"Weka's ARFF",
     [](Head head) {
       return opens_with(head, "@relation") || opens_with(head, "@attribute") ||
              (opens_with(head, "%") && !holds(head, 0, "%PDF"));
     },
     README_LINES},
    {"Apache Parquet", [](Head head) { return holds(head, 0, "PAR1"); }, README_LINES},
    {"Apache Arrow (Feather)", [](Head head) { return holds(head, 0, "ARROW1") || holds(head, 0, "FEA1"); },
     README_LINES},
    {"Apache ORC", [](Head head) { return is_orc(head); }, README_LINES},
    {"Apache Avro", [](Head head) { return holds(head, 0, "Obj\x01"); }, README_LINES},
    {"a netCDF file (classic)", [](Head head) { return holds(head, 0, "CDF\x01") || holds(head, 0, "CDF\x02"); },
     "write it as HDF5, with the names of its variables in place of x, y: " PYTHON
     "import scipy.io; v = scipy.io.netcdf_file(sys.argv[1], mmap=False).variables; x, y = v['x'][:], "
     "v['y'][:]; " CLASSES BOTH},
    {"a netCDF file (64-bit data)", [](Head head) { return holds(head, 0, "CDF\x05"); }, README_LINES},
    {"HDF4, not HDF5", [](Head head) { return holds(head, 0, "\x0e\x03\x13\x01"); }, README_LINES},
    {"TensorFlow's TFRecord", is_tfrecord, README_LINES},
    {"MXNet's RecordIO", [](Head head) { return holds(head, 0, "\x0a\x23\xd7\xce"); }, README_LINES},
    {"safetensors", is_safetensors, README_LINES},
    {"a FITS file", [](Head head) { return holds(head, 0, "SIMPLE  ="); }, README_LINES},
    {"a file of Stata, SPSS or SAS",
     [](Head head) {
       return holds(head, 0, "<stata_dta>") || holds(head, 0, "$FL2") || holds(head, 0, "$FL3") ||
              holds(head, 84, "SAS FILE") || holds(head, 0, "HEADER RECORD*******LIB");
     },
     README_LINES},
    {"a tar archive", [](Head head) { return holds(head, 257, "ustar"); },
     "unpack it and name a file of it or its folder: tar -xf {FILE}", true},
    {"compressed with Zstandard", [](Head head) { return holds(head, 0, "\x28\xb5\x2f\xfd"); },
     "unpack it: zstd -d {FILE}"},
    {"compressed with LZ4", [](Head head) { return holds(head, 0, "\x04\x22\x4d\x18"); }, "unpack it: lz4 -d {FILE}"},
    {"compressed with LZMA",
     [](Head head) {
       return holds(head, 0, {"\x5d\x00\x00", 3});
     },
     "unpack it: xz -dk --format=lzma {FILE}"},
    {"compressed (.Z)", [](Head head) { return holds(head, 0, "\x1f\x9d"); }, "unpack it: gzip -dk {FILE}"},
    {"a 7z archive", [](Head head) { return holds(head, 0, "7z\xbc\xaf\x27\x1c"); }, "unpack it: 7z x {FILE}"},
    {"a RAR archive", [](Head head) { return holds(head, 0, "Rar!\x1a\x07"); }, "unpack it: unrar x {FILE}"},
    {"compressed again inside", [](Head head) { return holds(head, 0, "\x1f\x8b") || holds(head, 0, "BZh9"); },
     "name {FILE}"},
    {"HDF5 that is compressed as a file", [](Head head) { return holds(head, 0, "\x89HDF\r\n\x1a\n"); }, "name {FILE}"},
    {"one picture",
     [](Head head) {
       return holds(head, 0, "\x89PNG") || holds(head, 0, "\xff\xd8\xff") || holds(head, 0, "GIF8") ||
              holds(head, 0, {"II*\0", 4}) || holds(head, 0, {"MM\0*", 4}) || holds(head, 8, "WEBP");
     },
     "make a data set of a folder of pictures: datasets/prepare-imagenet", true},
    {"a PDF document", [](Head head) { return holds(head, 0, "%PDF"); }, "name the data itself", true},
    {"an SQLite database", [](Head head) { return holds(head, 0, "SQLite format 3"); },
     "write a table of it as HDF5, see datasets/README.md"},
    {"an R data file",
     [](Head head) { return holds(head, 0, "RDX") || holds(head, 0, "X\n\0\0") || holds(head, 0, "RDA"); },
     "write it from R, which reads it packed, too, as LIBSVM text (package e1071: write.matrix.csr) or as HDF5 "
     "(package "
     "hdf5r)",
     true},
    {"a program",
     [](Head head) {
       return holds(head, 0,
                    "\x7f"
                    "ELF");
     },
     "name the data itself", true},
};

// The fix of a file as it stands in a message; one that reads a packed file reads what was unpacked.
std::string filled_in(std::string fix, fs::path path, bool is_fixed_packed = false) {
  if (const Unpacking unpacked = unpacking(path); !unpacked.command.empty() && !is_fixed_packed) {
    fix = unpack_first(path) + fix;
    path = unpacked.made;
  }
  const auto put = [&](std::string_view mark, const std::string& text) {
    if (const std::size_t at = fix.find(mark); at != std::string::npos) fix.replace(at, mark.size(), text);
  };
  put("{FILE}", shell_word(path.string()));
  std::string h5 = fs::path(path.filename()).replace_extension(".h5").string();
  if (h5 == path.filename()) h5 = path.stem().string() + "-converted.h5";
  put("{H5}", shell_word(h5));
  return fix;
}

// ---- tables of numbers ---------------------------------------------------------------------------

std::vector<std::string_view> split(std::string_view line, char delimiter) {
  std::vector<std::string_view> fields;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(delimiter, begin), line.size());
    if (delimiter != ' ' || end > begin) fields.push_back(line.substr(begin, end - begin));  // several blanks are one
    begin = end + 1;
  }
  return fields;
}

std::string_view trimmed(std::string_view field) {
  constexpr std::string_view kAround = " \t\r\"'";
  field.remove_prefix(std::min(field.find_first_not_of(kAround), field.size()));
  return field.substr(0, field.find_last_not_of(kAround) + 1);
}

bool is_a_label(std::string_view field) {
  std::string name(trimmed(field));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* known : {"label", "labels", "class", "classes", "target", "targets", "y", "species", "quality"})
    if (name == known) return true;
  return false;
}

bool is_numeric(std::string_view field, bool has_decimal_commas) {
  std::string text(trimmed(field));
  if (has_decimal_commas) std::ranges::replace(text, ',', '.');
  double value = 0;
  const char* first = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, failure] = std::from_chars(first, text.data() + text.size(), value);
  return !text.empty() && failure != std::errc::invalid_argument && end == text.data() + text.size();
}

struct Table {
  char delimiter = ',';  // ' ': any blanks
  std::size_t columns = 0, label = 0;
  bool has_header = false, has_decimal_commas = false, has_quotes = false, has_words = false;  // words: as labels
};

std::optional<Table> recognise_table(Head head) {
  std::string_view line;  // the first that is neither empty nor a comment
  while (!head.empty() && (line.empty() || line.starts_with('#'))) line = trimmed(take_line(head));
  const auto has = [&](char c) { return line.find(c) != std::string_view::npos; };
  if (has(':')) return std::nullopt;  // LIBSVM's INDEX:VALUE
  Table table{.delimiter = has(';') ? ';' : has('\t') ? '\t' : has(',') ? ',' : ' '};
  table.has_quotes = has('"');
  table.has_decimal_commas = table.delimiter != ',' && has(',');
  const std::vector<std::string_view> fields = split(line, table.delimiter);
  table.columns = fields.size();
  const auto is_word = [&](std::string_view field) { return !is_numeric(field, table.has_decimal_commas); };
  const auto words = static_cast<std::size_t>(std::ranges::count_if(fields, is_word));
  if (table.columns < 2 || (table.delimiter == ' ' && (table.columns < 3 || words > 0))) return std::nullopt;
  table.has_header = 2 * words > table.columns;
  table.has_words = words > 0 && !table.has_header;
  auto label = table.has_header ? std::ranges::find_if(fields, is_a_label) : std::ranges::find_if(fields, is_word);
  if (table.has_header) {  // numbers stand below it, and perhaps labels that are words
    const std::string_view below = take_line(head);
    table.has_decimal_commas = table.delimiter != ',' && below.find(',') != std::string_view::npos;
    table.has_quotes = table.has_quotes || below.find('"') != std::string_view::npos;
    const std::vector<std::string_view> values = split(below, table.delimiter);
    const auto word = std::ranges::find_if(values, is_word);
    table.has_words = values.size() == fields.size() && word != values.end();
    if (table.has_words && label == fields.end()) label = fields.begin() + (word - values.begin());
  }
  if (label != fields.end()) table.label = static_cast<std::size_t>(label - fields.begin());
  return table;
}

[[noreturn]] void refuse_table(const fs::path& path, const Table& table) {
  std::string lines = "sys.argv[1], encoding='utf-8-sig'", changes;
  if (table.has_decimal_commas) changes += ".replace(',', '.')";  // genfromtxt knows decimal points alone
  if (table.has_quotes) changes += ".replace(chr(34), '')";
  if (!changes.empty()) lines = fmt::format("(s{} for s in open({}))", changes, lines);
  const bool is_last = table.label + 1 == table.columns;
  std::string delimiter = fmt::format(", delimiter='{}'", table.delimiter);
  if (table.delimiter == '\t') delimiter = ", delimiter='\\t'";
  if (table.delimiter == ' ') delimiter = "";
  const std::string arrays = fmt::format(
      "a = n.genfromtxt({}{}{}{}); k = {}; {} and sys.exit('a label is empty{}'); "
      "y = n.unique(a[:, k], return_inverse=True)[1]; x = n.delete(a, k, 1).astype('float32'); ",
      lines, delimiter, table.has_header ? ", skip_header=1" : "", table.has_words ? ", dtype=str" : "",
      is_last ? "-1" : std::to_string(table.label), table.has_words ? "'' in a[:, k]" : "n.isnan(a[:, k]).any()",
      table.has_words ? "" : ", or no number");
  const char* between = table.delimiter == ',' ? "commas" : table.delimiter == ';' ? "semicolons" : "tabs";
  reject_data(
      path,
      fmt::format("is a table with {} (CSV), of {} columns{}{}, not LIBSVM text",
                  table.delimiter == ' ' ? "blanks" : between, table.columns,
                  table.has_header ? " and a header line" : "",
                  table.has_decimal_commas ? ", with decimal commas" : ""),
      filled_in("write it as HDF5, where k is the column of the labels, 0 the first and -1 the last (of values to "
                "regress on: y = a[:, k] and classes=0): " PYTHON +
                    arrays + CLASSES BOTH,
                path));
}

}  // namespace

void refuse_foreign(const fs::path& path, std::string_view head) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (head.starts_with(kMark)) head.remove_prefix(kMark.size());
  for (const Foreign& row : kForeign)
    if (row.is(head)) reject_data(path, fmt::format("is {}", row.what), filled_in(row.fix, path, row.is_fixed_packed));
  std::string text(head);
  const std::string wrong = make_plain(text);
  const bool is_text =
      text.size() >= 1 && (static_cast<unsigned char>(text[0]) >= 0x20 || (text[0] >= '\t' && text[0] <= '\r'));
  if (is_text && wrong.empty())
    if (const auto table = recognise_table(text)) refuse_table(path, *table);
}

}  // namespace quantimed
