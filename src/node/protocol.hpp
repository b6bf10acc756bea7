// SPDX-License-Identifier: BSD-3-Clause
// What every engine relies on, and an algorithm's text must keep to. Whatever the engine, a text that does otherwise is
// told the rule that it breaks, instead of reading what was never sent or waiting for it.
//
// `round` delivery, within an iteration:
//   - messages of a channel are asked for once after each publication on it, and nothing else is published there
//   before;
//   - a formula reads what its channel has brought in this iteration, and a gradient that was taken in it, at a vector
//     that has not changed since;
//   - lasting vectors (the model among them) change last: nothing is published, asked for or computed after that. So an
//     iteration that is resumed does nothing twice. Scratch vectors may change at any time;
//   - there is at least one exchange and one pass, and the text ends only where begins() has said so.
// `newest` delivery: one publication before the first iteration; then gradient and messages, one pass, and one
// publication: after the pass, or before the messages are asked for. Whoever publishes more than its model does so on
// all its channels in their order, before it asks for messages; they travel as one.
// `pairwise` delivery: a node's model changes while it computes, as others average with it. So gradients are taken at
// copies, the node averages once, and its model changes in one pass after that. All other vectors are kept with it.
#pragma once

#include "node/expression.hpp"

#include <span>

namespace quantimed {

enum class Delivery { round, newest, pairwise };
inline const char* name_of(Delivery delivery) {
  constexpr const char* kNames[] = {"round", "newest", "pairwise"};
  return kNames[static_cast<std::size_t>(delivery)];
}

class Protocol {
 public:
  static constexpr std::size_t kMostChannels = 4, kMostVectors = 16;

  // scratch: bit k is set where vector k is scratch.
  Protocol(Delivery delivery, std::uint8_t channels, std::uint32_t vectors, std::uint32_t scratch,
           bool sends_its_model = true)
      : sends_its_model_(sends_its_model),
        is_round_(delivery == Delivery::round),
        is_pairwise_(delivery == Delivery::pairwise),
        channels_(channels),
        vectors_(vectors),
        scratch_(is_pairwise_ ? ~std::uint32_t{1} : scratch) {
    check(channels <= kMostChannels && vectors <= kMostVectors, "an algorithm has too many channels or vectors");
  }

  void begins() const {
    const bool is_newest = !is_round_ && !is_pairwise_;
    check(is_changed_ && (!is_newest || is_published_),
          is_newest ? "a text begins an iteration before it has published what that starts from"
                    : "a text begins an iteration before it has updated in the one before");
    for (std::uint8_t c = 0; is_round_ && c < channels_; ++c)
      check(!is_sent_[c], "a text begins an iteration before it has asked for the messages of the one before");
    check(is_newest || has_exchanged_, "a text begins an iteration without an exchange in the one before");
  }
  void begun(bool goes_on) {
    is_published_ = is_changed_ = has_exchanged_ = has_gradient_ = false;
    is_there_.fill(false);
    is_own_there_.fill(false);
    is_over_ = !goes_on;
    has_begun_ = true;
    next_ = 0;
  }

  void publishes(Channel c, const Linear& what) {
    check(c.index < channels_, "a text publishes on a channel that its row does not have");
    if (is_round_) {
      check(!is_sent_[c.index], "a text publishes twice on a channel before it has asked for its messages");
      check(!is_changed_, "a text publishes after it has updated in an iteration");
      reads(what);
    } else if (!sends_its_model_ && !is_pairwise_) {
      check(next_ == c.index, "newest delivery: a text publishes once on each of its channels, in their order");
      check((!has_exchanged_ && !is_changed_) || !has_begun_,
            "newest delivery: a text publishes a form after it has asked for messages or updated");
      reads(what);
      next_ = static_cast<std::uint8_t>(c.index + 1);
    } else {
      check(!is_published_, "a text publishes twice in one iteration");
      check(is_changed_ || !has_exchanged_,
            "a text publishes before it has updated in an iteration, and after it has asked for messages");
      check(what.is_model(), "newest delivery: what is published is the model");
    }
    is_sent_[c.index] = is_own_there_[c.index] = is_published_ = true;
    is_there_[c.index] = false;
  }
  void takes_gradient(Source at) {
    check(at.kind == Source::Kind::vector && at.index < vectors_, "a text takes a gradient at what is no vector");
    check(!is_changed_, "a text takes a gradient after it has updated in an iteration");
    check(is_round_ || is_pairwise_ || !has_gradient_,
          "newest delivery: a text takes a second gradient in one iteration");
    check(!is_pairwise_ || at.index > 0,
          "pairwise delivery: a text takes a gradient at its model, which others change");
    has_gradient_ = true;
    gradient_at_ = at.index;
  }
  void takes_messages(Channel c) {
    check(c.index < channels_, "a text asks for messages of a channel that its row does not have");
    check(!is_changed_, "a text asks for messages after it has updated in an iteration");
    check(!is_there_[c.index], "a text asks for messages twice");
    check(is_sent_[c.index], "a text asks for messages before it has published its own");
    check(is_round_ || sends_its_model_ || next_ == channels_,
          "newest delivery: a text asks for messages before it has published on all its channels");
    is_sent_[c.index] = !is_round_;
    is_there_[c.index] = is_own_there_[c.index] = has_exchanged_ = true;
  }
  void averages() {
    check(is_pairwise_, "a text averages with a partner, and its row's delivery is another");
    check(!has_exchanged_, "a text averages twice in one iteration");
    has_exchanged_ = true;
  }
  void passes(std::span<const Statement> statements) {
    check(!statements.empty(), "a pass without a statement");
    check(is_round_ || !is_changed_, "a text updates twice in one iteration");
    for (const Statement& statement : statements) {
      check(statement.destination.kind == Source::Kind::vector && statement.destination.index < vectors_,
            "a pass assigns to what is no vector");
      reads(statement.value);
    }
    for (const Statement& statement : statements) {
      if (has_gradient_ && statement.destination.index == gradient_at_) has_gradient_ = false;
      if (!(scratch_ >> statement.destination.index & 1)) is_changed_ = true;
    }
    check(!is_changed_ || has_exchanged_ || !(is_round_ || is_pairwise_),
          is_pairwise_ ? "a text updates before it has averaged" : "a text updates before it has its messages");
  }
  bool is_over() const { return is_over_; }  // begins() has said so

 private:
  void reads(const Linear& value) const {
    for (const Linear::Term& term : value) {
      const Source& source = term.source;
      if (source.kind == Source::Kind::vector) {
        check(source.index < vectors_, "a formula reads a vector that its row does not have");
      } else if (source.kind == Source::Kind::gradient) {
        check(has_gradient_, "a formula reads a gradient that was not taken, or whose point has changed since");
      } else if (check(source.index < channels_, "a formula reads a channel that its row does not have");
                 source.kind == Source::Kind::rest) {
        check(!is_there_[source.index], "a formula relays messages that are not of the iteration before");
      } else {
        check(source.kind == Source::Kind::own ? is_own_there_[source.index] : is_there_[source.index],
              "a text updates before it has its messages");
      }
    }
  }

  bool sends_its_model_;
  bool is_round_, is_pairwise_, is_over_ = false, has_begun_ = false;
  std::uint8_t next_ = 0;  // newest: the channel that a form is published on next
  std::uint8_t channels_;
  std::uint32_t vectors_, scratch_;
  // Of this iteration; what comes before the first is as if one had ended.
  bool is_published_ = false, is_changed_ = true, has_exchanged_ = true, has_gradient_ = false;
  std::uint8_t gradient_at_ = 0;
  std::array<bool, kMostChannels> is_sent_{}, is_there_{}, is_own_there_{};
};

}  // namespace quantimed
