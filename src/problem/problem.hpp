// SPDX-License-Identifier: BSD-3-Clause
// What is minimised: f(x) = (1/n) Σ_i (1/m) Σ_{θ in shard i} ℓ(x, θ), plus an ℓ2 term (paper.md).
#pragma once

#include <algorithm>
#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/types.hpp"
#include "dataset/augment.hpp"
#include "dataset/dataset.hpp"

namespace quantimed {

// The ℓ2 term leaves biases out. Θ: the penalised coordinates.
//   per batch   (the authors' code): gradient + (λ/|S|) Θ,  reported loss + λ/(2N) ‖Θ‖²
//   per dataset (the usual one):     gradient + (λ/N) Θ,    reported loss + λ/(2N) ‖Θ‖²,   N: all training samples used
struct Penalty {
  double lambda = 0;
  enum class Per { batch, dataset } per = Per::batch;
};

struct CoordinateRange {
  std::size_t first = 0, last = 0;  // [first, last)
};

// Scratch memory of one thread: activations and a gathered batch. Allocated once, before the clock starts.
struct Workspace {
  AlignedVector<Real> floats;
};

// Sums over samples, without the ℓ2 term; division is the caller's.
struct LossSum {
  double loss = 0;
  std::uint64_t correct = 0;  // classification only
  std::uint64_t samples = 0;
};

// Samples of the training set that a gradient is taken of: by row, and moved where they are images that are to be.
class Batch {
 public:
  // moves: [rows], or none. Both outlive it.
  template <class Rows>
  requires std::convertible_to<const Rows&, std::span<const SampleId>> Batch(const Rows& rows,
                                                                             std::span<const Move> moves = {})
      : rows_(rows), moves_(moves) {
    check(moves_.empty() || moves_.size() == rows_.size(), "a batch has as many moves as rows, or none");
  }
  std::span<const SampleId> rows() const { return rows_; }
  std::size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  // Its first `most` samples or all, which leave it.
  Batch take(std::size_t most) {
    const std::size_t count = std::min(most, size()), moved = moves_.empty() ? 0 : count;
    const Batch front(rows_.first(count), moves_.first(moved));
    rows_ = rows_.subspan(count);
    moves_ = moves_.subspan(moved);
    return front;
  }
  // Of row k, gathered.  image: [features]
  void move(const Dataset& data, std::size_t k, float* image) const {
    if (!moves_.empty()) move_image(data, moves_[k], image);
  }

 private:
  std::span<const SampleId> rows_;
  std::span<const Move> moves_;
};

class Problem {
 public:
  explicit Problem(const Dataset& data) : data_(data) {}
  virtual ~Problem() = default;
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  virtual std::size_t dimension() const = 0;    // p
  virtual std::string description() const = 0;  // "mlp 784-50-10 sigmoid, sigmoid-cross-entropy"
  virtual bool is_classification() const = 0;

  // The start that every node shares.  x: [p]
  virtual void initialise(std::span<Real> x, std::uint64_t seed) const = 0;

  // sum ← Σ_{θ in batch} ∇ℓ(x; θ), or sum += where `accumulate`. No ℓ2 term.  x, sum: [p]; any batch size ≥ 1.
  virtual void gradient_sum(std::span<const Real> x, Batch batch, bool accumulate, std::span<Real> sum,
                            Workspace& work) const = 0;

  // Loss and hits over rows of `data` (the training set or a test set of the same shape). No ℓ2 term.
  // hits [classes]: += those of each class; empty: not wanted.
  virtual LossSum loss_sum(std::span<const Real> x, const Dataset& data, std::span<const SampleId> rows,
                           Workspace& work, std::span<std::uint64_t> hits) const = 0;
  LossSum loss_sum(std::span<const Real> x, const Dataset& data, std::span<const SampleId> rows,
                   Workspace& work) const {
    return loss_sum(x, data, rows, work, {});
  }

  // Touches its pages: to be called on the thread that will use it.
  virtual Workspace make_workspace() const = 0;

  // Where the ℓ2 term applies, in ascending order, and biases elsewhere.
  virtual std::vector<CoordinateRange> penalised() const = 0;

  // Floating-point operations of one sample's gradient (multiply and add count two); matrix products only.
  virtual double gradient_flops() const = 0;

  const Dataset& data() const { return data_; }

 protected:
  const Dataset& data_;
};

// ‖Θ‖² over the penalised coordinates, summed in float64.
double penalised_norm_squared(const Problem& problem, std::span<const Real> x);

// --model least-squares | logistic | mlp:50 | mlp:30,20,20,25 | gn-lenet | resnet20 (layered.hpp)
//         | layers:conv:32:5,relu,max:2,linear (layer_text.hpp)
// --activation sigmoid | tanh | relu
// --loss sigmoid-cross-entropy | softmax | squared  ("" picks: least-squares → squared, logistic →
// sigmoid-cross-entropy
//        of one output for two classes, softmax for more; mlp → sigmoid-cross-entropy, squared for regression;
//        networks of layers → softmax)
// --initial uniform half-widths a layer (weights and biases), e.g. {0.5} for all or {0.5,0.5,0.5,1,2}
struct ModelRequest {
  std::string model = "mlp:50";
  std::string activation = "sigmoid";
  std::string loss{};
  std::vector<double> initial_half_widths = {0.5};
};

// Throws InputError where model, loss and data do not fit together.
std::unique_ptr<Problem> make_problem(const ModelRequest& request, const Dataset& data);

}  // namespace quantimed
