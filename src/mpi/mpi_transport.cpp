// SPDX-License-Identifier: BSD-3-Clause
#include "mpi/mpi_transport.hpp"

#include "base/build_info.hpp"
#include "base/error.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

#if defined(MPICH_NUMVERSION) && MPICH_NUMVERSION < 40200000
// MPICH before 4.2 over UCX closes its connections one rank at a time and waits for the others where it makes no
// progress for them (pmodels/mpich, pull request 6596): over TCP a rank that comes second never leaves MPI_Finalize.
// Here the program's symbol stands before UCX's: nothing is closed before all are there, and UCX closes all when its
// worker ends. All messages have been received by then: finalise() meets the others first. Under another library at run
// time (their binary interface is one) UCX's own is called.
extern "C" __attribute__((visibility("default"), used)) void* ucp_disconnect_nb(void* endpoint) {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0, major = 0, minor = 0;
  MPI_Get_library_version(text.data(), &length);
  const bool is_old =
      std::sscanf(text.data(), "MPICH Version: %d.%d", &major, &minor) == 2 && (major < 4 || (major == 4 && minor < 2));
  void* const own = is_old ? nullptr : ::dlsym(RTLD_NEXT, "ucp_disconnect_nb");
  return own ? reinterpret_cast<void* (*)(void*)>(own)(endpoint) : nullptr;
}
#endif

namespace quantimed {

namespace {

void finalise() {
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Finalize();
}

std::string error_text(int code, const char* what) {
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  return fmt::format("{}: {}", what, std::string_view(text.data(), static_cast<std::size_t>(length)));
}

void require(int code, const char* what) {
  if (code != MPI_SUCCESS) throw InternalError(error_text(code, what));
}

// Whether the library was asked for what cannot be; else the other side is not there.
bool is_own_fault(int code) {
  int kind = MPI_SUCCESS;
  MPI_Error_class(code, &kind);
  constexpr std::array kOwn = {MPI_ERR_TRUNCATE, MPI_ERR_TAG,  MPI_ERR_RANK,    MPI_ERR_COUNT, MPI_ERR_BUFFER,
                               MPI_ERR_TYPE,     MPI_ERR_COMM, MPI_ERR_REQUEST, MPI_ERR_ARG};
  return std::ranges::find(kOwn, kind) != kOwn.end();
}

// What processes tell each other first, of whatever version they are: this layout never changes.
struct Introduction {
  std::array<char, 64> version, commit, host;
  std::int64_t process;
  std::uint64_t arguments;
};

template <std::size_t N>
void set(std::array<char, N>& field, std::string_view text) {
  field.fill(0);
  std::memcpy(field.data(), text.data(), std::min(text.size(), N - 1));
}

std::uint64_t fingerprint(int argc, char** argv) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (int k = 1; k < argc; ++k)
    for (const char* c = argv[k];; ++c) {
      hash = (hash ^ static_cast<unsigned char>(*c)) * 0x100000001b3;
      if (*c == 0) break;
    }
  return hash;
}

// Its state in /proc: gone, or a zombie that nobody has waited for yet.
bool is_running(int process) {
  if (::kill(process, 0) != 0 && errno == ESRCH) return false;
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string line;
  if (!std::getline(file, line)) return ::kill(process, 0) == 0 || errno != ESRCH;
  const auto name_end = line.rfind(") ");
  return name_end == std::string::npos || (line[name_end + 2] != 'Z' && line[name_end + 2] != 'X');
}

// srun has started several processes, and each of them took itself for the only one: MPI was not asked in its own
// words.
void require_met(int ranks) {
  const char* started = std::getenv("SLURM_STEP_NUM_TASKS");
  const bool has_launcher = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr;  // mpirun, on a node where srun started it
  if (ranks > 1 || has_launcher || !started || std::atoi(started) < 2) return;
  throw InputError(
      "MPI: srun has started {} processes and this MPI library sees one; give srun the --mpi that it understands: pmix "
      "for Open MPI, pmi2 for MPICH (srun --mpi=list tells what there is)",
      started);
}

const char* level_name(int level) {
  return level == MPI_THREAD_SINGLE ? "MPI_THREAD_SINGLE" : "less than MPI_THREAD_FUNNELED";
}

}  // namespace

MpiTransport::MpiTransport(int& argc, char**& argv) {
  int provided = MPI_THREAD_SINGLE, rank = 0;
  if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
    throw InternalError("MPI cannot be initialised");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  require(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
  rank_ = static_cast<Rank>(rank);
  int* most = nullptr;
  int is_known = 0;
  require(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, static_cast<void*>(&most), &is_known), "MPI_TAG_UB");
  most_tag_ = is_known ? *most : 32767;
  try {
    if (provided < MPI_THREAD_FUNNELED)
      throw InputError("MPI: {} has {}, and MPI_THREAD_FUNNELED is needed; use a build of it with threads", library(),
                       level_name(provided));
    int ranks = 0;
    require(MPI_Comm_size(MPI_COMM_WORLD, &ranks), "MPI_Comm_size");
    require_met(ranks);
    meet(argc, argv, ranks);
  } catch (const InputError&) {  // the same in all processes
    finalise();
    throw;
  }
}

// All are the same program with the same arguments, or none of them starts.
void MpiTransport::meet(int argc, char** argv, int ranks) {
  Introduction own{};
  std::array<char, MPI_MAX_PROCESSOR_NAME> host{};
  int length = 0;
  require(MPI_Get_processor_name(host.data(), &length), "MPI_Get_processor_name");
  set(own.version, build::kVersion);
  set(own.commit, build::kCommit);
  set(own.host, host.data());
  own.process = ::getpid();
  own.arguments = fingerprint(argc, argv);
  std::vector<Introduction> all(static_cast<std::size_t>(ranks));
  require(MPI_Allgather(&own, sizeof own, MPI_BYTE, all.data(), sizeof own, MPI_BYTE, MPI_COMM_WORLD), "MPI_Allgather");
  for (const Introduction& other : all)
    processes_.push_back({other.host.data(), static_cast<int>(other.process), other.host == own.host});
  for (Process& other : processes_) other.is_seen = other.is_seen && is_running(other.id);
  for (Rank r = 1; r < all.size(); ++r) {
    if (all[r].version != all[0].version || all[r].commit != all[0].commit)
      throw InputError("rank {} ({}) is quantimed {} {}, and rank 0 is {} {}; start the same program everywhere", r,
                       where(r), all[r].version.data(), all[r].commit.data(), all[0].version.data(),
                       all[0].commit.data());
    if (all[r].arguments != all[0].arguments)
      throw InputError("rank {} ({}) was given other arguments than rank 0; give all ranks the same", r, where(r));
  }
}

MpiTransport::~MpiTransport() { finalise(); }

std::string MpiTransport::where(Rank r) const {
  return fmt::format("{}, process {}", processes_[r].host, processes_[r].id);
}

std::string MpiTransport::library() const {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0, version = 0, subversion = 0;
  MPI_Get_library_version(text.data(), &length);
  MPI_Get_version(&version, &subversion);
  std::string name(text.data(), static_cast<std::size_t>(length));
  std::ranges::replace(name, '\t', ' ');
  const std::size_t end = name.find_first_of(std::string_view(",\n\r\0", 4));  // what follows is how it was built
  return fmt::format("{} (MPI {}.{})", name.substr(0, end), version, subversion);
}

// Of a message from or to that rank.
void MpiTransport::require_heard(int code, Rank other, const char* what) const {
  if (code == MPI_SUCCESS) return;
  if (is_own_fault(code)) throw InternalError(error_text(code, what));
  throw RankLost(other, fmt::format("rank {} ({}) is gone: {}", other, where(other), error_text(code, what)));
}

void MpiTransport::remember(MPI_Request request, Ticket ticket, bool is_receive, Rank other) {
  others_.push_back(other);
  requests_.push_back(request);
  tickets_.push_back(ticket);
  are_receives_.push_back(is_receive);
}

void MpiTransport::send(Rank to, int tag, std::span<const std::byte> bytes, Ticket ticket, Mode mode) {
  MPI_Request request = MPI_REQUEST_NULL;
  const auto start = mode == Mode::matched ? MPI_Issend : MPI_Isend;
  require_heard(start(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, static_cast<int>(to), tag, MPI_COMM_WORLD,
                      &request),
                to, "a message cannot be sent");
  remember(request, ticket, false, to);
}

void MpiTransport::receive(Rank from, int tag, std::span<std::byte> room, Ticket ticket) {
  MPI_Request request = MPI_REQUEST_NULL;
  require_heard(MPI_Irecv(room.data(), static_cast<int>(room.size()), MPI_BYTE, static_cast<int>(from), tag,
                          MPI_COMM_WORLD, &request),
                from, "a message cannot be received");
  remember(request, ticket, true, from);
}

void MpiTransport::poll(std::vector<Done>& done) {
  const int count = static_cast<int>(requests_.size());
  ended_.resize(requests_.size());
  statuses_.resize(requests_.size());
  int ended = 0;
  const int code = MPI_Testsome(count, requests_.data(), &ended, ended_.data(), statuses_.data());
  if (ended == MPI_UNDEFINED) return;  // nothing is under way
  for (int k = 0; code == MPI_ERR_IN_STATUS && k < ended; ++k)
    require_heard(statuses_[static_cast<std::size_t>(k)].MPI_ERROR,
                  others_[static_cast<std::size_t>(ended_[static_cast<std::size_t>(k)])], "a message was lost");
  require(code, "messages cannot be tested");
  for (int k = 0; k < ended; ++k) {
    const auto at = static_cast<std::size_t>(ended_[static_cast<std::size_t>(k)]);
    int bytes = 0;
    if (are_receives_[at]) MPI_Get_count(&statuses_[static_cast<std::size_t>(k)], MPI_BYTE, &bytes);
    done.push_back({tickets_[at], static_cast<std::size_t>(bytes)});
  }
  if (ended == 0) return;
  std::size_t kept = 0;
  for (std::size_t at = 0; at < requests_.size(); ++at) {
    if (requests_[at] == MPI_REQUEST_NULL) continue;
    requests_[kept] = requests_[at];
    tickets_[kept] = tickets_[at];
    others_[kept] = others_[at];
    are_receives_[kept++] = are_receives_[at];
  }
  requests_.resize(kept);
  tickets_.resize(kept);
  others_.resize(kept);
  are_receives_.resize(kept);
}

void MpiTransport::cancel_receives() {
  for (std::size_t at = 0; at < requests_.size(); ++at) {
    check(are_receives_[at], "a message is still on its way when all should have arrived");
    MPI_Cancel(&requests_[at]);
    MPI_Wait(&requests_[at], MPI_STATUS_IGNORE);
  }
  requests_.clear();
  tickets_.clear();
  others_.clear();
  are_receives_.clear();
}

bool MpiTransport::has_ended(Rank r) const { return processes_[r].is_seen && !is_running(processes_[r].id); }

void MpiTransport::require_all() {
  std::vector<Rank> ended;
  for (Rank r = 0; r < processes_.size(); ++r)
    if (r != rank_ && has_ended(r)) ended.push_back(r);
  if (ended.empty()) return;
  if (ended.size() == 1)
    throw RankLost(ended[0], fmt::format("rank {} ({}) has ended: killed, or crashed", ended[0], where(ended[0])));
  throw RankLost(ended[0], fmt::format("ranks {} have ended: one of them was killed, or crashed, the others after it",
                                       fmt::join(ended, ", ")));
}

bool MpiTransport::sees_others() const {
  for (Rank r = 0; r < processes_.size(); ++r)
    if (r != rank_ && processes_[r].is_seen && is_running(processes_[r].id)) return true;
  return false;
}

bool MpiTransport::speaks_of(Rank lost) const {
  if (lost != 0) return rank_ == 0;
  // The first that is left on rank 0's machine, where it was seen to end; rank 1 where rank 0 was alone there.
  Rank speaker = 1;
  for (Rank r = ranks(); r-- > 1;)
    if (processes_[r].host == processes_[0].host && (r == rank_ || !has_ended(r))) speaker = r;
  return rank_ == speaker;
}

}  // namespace quantimed
