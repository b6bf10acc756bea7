// SPDX-License-Identifier: BSD-3-Clause
// The transport over MPI. Two-sided, MPI_THREAD_FUNNELED: the thread that made it calls it, and nobody else calls MPI.
#pragma once

#include "engine/spread/transport.hpp"

#include <mpi.h>

#include <string>
#include <vector>

namespace quantimed {

class MpiTransport final : public Transport {
 public:
  // Initialises MPI. Throws InputError, the same in all processes, where this MPI has not the level of threads that is
  // needed, where srun's processes have not found each other, or where one is of
  // another version of the program or was given other arguments than rank 0.
  MpiTransport(int& argc, char**& argv);
  ~MpiTransport() override;  // finalises MPI: all processes at the same time

  Rank rank() const override { return rank_; }
  Rank ranks() const override { return static_cast<Rank>(processes_.size()); }
  int most_tag() const override { return most_tag_; }
  std::string where(Rank r) const override;
  std::string host(Rank r) const override { return processes_[r].host; }
  void send(Rank to, int tag, std::span<const std::byte> bytes, Ticket ticket, Mode mode) override;
  void receive(Rank from, int tag, std::span<std::byte> room, Ticket ticket) override;
  void poll(std::vector<Done>& done) override;
  void cancel_receives() override;
  void require_all() override;

  std::string library() const;  // "Open MPI v4.1.4", and the standard that it has
  // Whether it is this process that tells of the loss.
  bool speaks_of(Rank lost) const;
  // Whether other ranks still run on this machine.
  bool sees_others() const;

 private:
  struct Process {
    std::string host;
    int id = 0;
    bool is_seen = false;  // from here, by its id: on the same machine
  };
  void meet(int argc, char** argv, int ranks);
  bool has_ended(Rank r) const;
  void require_heard(int code, Rank other, const char* what) const;
  void remember(MPI_Request request, Ticket ticket, bool is_receive, Rank other);

  Rank rank_ = 0;
  int most_tag_ = 0;
  std::vector<Process> processes_;
  // Under way, side by side.
  std::vector<MPI_Request> requests_;
  std::vector<Ticket> tickets_;
  std::vector<bool> are_receives_;
  std::vector<Rank> others_;
  std::vector<int> ended_;  // scratch of poll()
  std::vector<MPI_Status> statuses_;
};

}  // namespace quantimed
