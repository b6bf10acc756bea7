// The order of an iteration, that an algorithm's text keeps and every engine relies on:
//   round    publish and gradient, then messages (once the node has published), then update
//   newest   gradient and messages, then update, then publish; and one publish before the first iteration
// each once (a gradient may be left out), and a text ends only where begins() has said so. Whatever the engine, a text
// that does otherwise is told, instead of reading what was never sent or waiting for it.
#pragma once

#include "base/error.hpp"

#include <cstdint>

namespace quantimed {

enum class Delivery { round, newest };

class Protocol {
 public:
  explicit Protocol(Delivery delivery) : is_round_(delivery == Delivery::round) {}

  void begins() {
    check((done_ & kUpdated) && (is_round_ || (done_ & kPublished)),
          is_round_ ? "a text begins an iteration before it has updated in the one before"
                    : "a text begins an iteration before it has published what that starts from");
  }
  void begun(bool goes_on) {
    done_ = 0;
    is_over_ = !goes_on;
  }
  void publishes() {
    check(!(done_ & kPublished), "a text publishes twice in one iteration");
    check(is_round_ == !(done_ & kUpdated), is_round_ ? "a text updates before it publishes in an iteration"
                                                      : "a text publishes before it has updated in an iteration");
    done_ |= kPublished;
  }
  void takes_gradient() {
    check(!(done_ & (kGradient | kUpdated)),
          "a text takes a second gradient in one iteration, or one after its update");
    done_ |= kGradient;
  }
  void takes_messages() {
    check(!is_round_ || (done_ & kPublished), "a text asks for messages before it has published its own");
    check(!(done_ & (kMessages | kUpdated)), "a text asks for messages twice in one iteration, or after its update");
    done_ |= kMessages;
  }
  void updates() {
    check(done_ & kMessages, "a text updates before it has its messages");
    check(!(done_ & kUpdated), "a text updates twice in one iteration");
    done_ |= kUpdated;
  }
  bool is_over() const { return is_over_; }  // begins() has said so

 private:
  enum Step : std::uint8_t { kPublished = 1, kGradient = 2, kMessages = 4, kUpdated = 8 };
  bool is_round_, is_over_ = false;
  std::uint8_t done_ = kUpdated;  // of this iteration; what comes before the first is as if it had ended
};

}  // namespace quantimed
