// One plain value for all that a user can set. config.cpp is the only user of Boost.ProgramOptions.
#pragma once

#include "base/types.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace quantimed {

struct Config {
  std::string algorithm;                          // row of the algorithm table
  std::string engine = "virtual";                 // virtual | threads
  std::uint32_t nodes = 0;                        // 0: 50 in virtual time, one a core on threads
  std::uint32_t threads = 0;                      // virtual and evaluation: worker threads; 0: all cores allowed
  bool oversubscribe = false;
  std::string graph = "erdos-renyi:0.4";
  std::string mixing = "laplacian";
  std::string dataset = "fashion-mnist";
  std::vector<int> classes;
  bool grey = false;
  std::uint32_t samples_per_node = 200;           // 0: equal shares of all
  std::string partition = "contiguous";
  std::string model = "mlp:50";
  std::string activation = "sigmoid";
  std::string loss;                               // "": the model's usual one
  std::vector<double> initial = {0.5};            // half-widths of the uniform start, one a layer or one for all
  double l2 = 1.0;                                // λ
  std::string l2_per = "batch";                   // batch | dataset
  std::uint32_t batch = 50;                       // b
  std::string deadline;                           // T_d, s; "": b / E[V] of the speed model
  std::string alpha, epsilon;                     // numbers or c*T^(e); "": the algorithm's published ones
  std::uint32_t iterations = 300;                 // T
  double max_time = kForever;                     // s, on the run's clock
  std::string codec = "low-precision:1e-3";
  std::string speed;                              // "": uniform:10,90 in virtual time, none on threads
  std::string link;                               // "": paper:3 in virtual time, none on threads
  std::string bits = "paper";                     // paper | wire: what the virtual clock charges
  std::string sync = "barrier";                   // barrier | neighbourhood
  std::uint32_t evaluations = 50;                 // K
  double target_loss = 0;                         // 0: none (run), chosen from the runs (compare)
  std::uint64_t seed = 1;
  std::vector<std::uint64_t> seeds = {1, 2, 3, 4, 5};  // compare
  std::vector<std::string> algorithms;            // compare; empty: all
  std::uint32_t repeats = 1;
  bool timeline = false;
  bool dry_run = false;
  bool quiet = false;
  std::string output;                             // "": runs/<algorithm>-<engine>-seed<seed>.h5; compare: a folder
};

// A command line or an .ini that was understood: what to do, and with what.
struct Request {
  std::string command;                 // run | compare | verify | info | export | help | version
  Config config;
  std::vector<std::string> arguments;  // of verify and export: paths
  std::string help;                    // command help: the text to print
};

// Command line first, then each --config FILE. Throws InputError: one line that names the option, the value, the mend.
// Unknown options name the nearest known one.
Request parse_command_line(int argc, const char* const* argv);

// Every option as "name = value" lines that --config reads back to the same Config.
std::string to_ini(const Config& config);
// The same, as pairs, for the trace.
std::vector<std::pair<std::string, std::string>> to_pairs(const Config& config);

// "0.2", or "0.3*T^(-1/6)" (also "15*T^-0.5"): the value at horizon T. Throws InputError naming `option`.
double step_size(const std::string& option, const std::string& text, std::uint32_t horizon);

}  // namespace quantimed
