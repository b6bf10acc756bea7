#include "engine/virtual_engines.hpp"

namespace quantimed {

Outcome run_virtual(const Run& run, Watcher& watcher) {
  return run.algorithm.delivery == Delivery::round ? run_virtual_round(run, watcher) : run_virtual_newest(run, watcher);
}

}  // namespace quantimed
