// SPDX-License-Identifier: BSD-3-Clause
// What the twins' formulas are made of: vectors of all nodes, their sums, and the exchange of messages.
#pragma once

#include "algorithm/twins.hpp"

#include <array>
#include <stdexcept>
#include <string>

namespace quantimed::twin {

inline Matrix operator+(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < a[i].size(); ++k) a[i][k] += b[i][k];
  return a;
}

inline Matrix operator-(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < a[i].size(); ++k) a[i][k] -= b[i][k];
  return a;
}

inline Matrix operator*(double factor, Matrix a) {
  for (Vector& row : a)
    for (double& value : row) value *= factor;
  return a;
}

// A number for each node times its vector.
inline Matrix operator*(const Vector& factors, Matrix a) {
  for (std::size_t i = 0; i < a.size(); ++i)
    for (double& value : a[i]) value *= factors[i];
  return a;
}

inline Matrix zeros(const Matrix& like) { return Matrix(like.size(), Vector(like.front().size(), 0.0)); }

// Σ_j w_ij q_j
inline Matrix times(const Matrix& w, const Matrix& q) {
  Matrix out = zeros(q);
  for (std::size_t i = 0; i < q.size(); ++i)
    for (std::size_t j = 0; j < q.size(); ++j)
      for (std::size_t k = 0; k < q[j].size(); ++k) out[i][k] += w[i][j] * q[j][k];
  return out;
}

inline Vector times(const Matrix& w, const Vector& s) {
  Vector out(s.size(), 0.0);
  for (std::size_t i = 0; i < s.size(); ++i)
    for (std::size_t j = 0; j < s.size(); ++j) out[i] += w[i][j] * s[j];
  return out;
}

// (1/n) Σ_j q_j, at every node
inline Matrix mean(const Matrix& q) {
  const double n = static_cast<double>(q.size());
  Vector sum(q.front().size(), 0.0);
  for (const Vector& row : q)
    for (std::size_t k = 0; k < row.size(); ++k) sum[k] += row[k];
  for (double& value : sum) value /= n;
  return Matrix(q.size(), sum);
}

constexpr unsigned kModels = 0, kTrackers = 1;  // channels

class Field {
 public:
  Field(const Setting& setting, const Matrix& start) : s(setting), p(setting.parameters), w(setting.w), x0(start) {
    if (x0.empty() || w.size() != x0.size()) throw std::invalid_argument("w and x0 are of different nodes");
    for (std::size_t i = 0; i < w.size(); ++i) {
      if (w[i].size() != w.size()) throw std::invalid_argument("w is not square");
      if (x0[i] != x0[0]) throw std::invalid_argument("nodes start at different points");
    }
  }

  Matrix gradient(std::size_t t, const Matrix& at, unsigned kth = 0) const {
    Matrix g;
    for (unsigned i = 0; i < at.size(); ++i) g.push_back(s.gradient(i, t, kth, at[i]));
    return g;
  }

  // q_j: everyone's next message on the channel, as all decode it.
  Matrix send(unsigned channel, const Matrix& exact) {
    const std::size_t k = sent_[channel]++;
    if (!s.send) return exact;
    Matrix q;
    for (unsigned i = 0; i < exact.size(); ++i) q.push_back(s.send(i, channel, k, exact[i]));
    return q;
  }

  // M(q)_i = Σ_j w_ij q_j
  Matrix mixed(const Matrix& q) const { return times(w, q); }

  // A(q)_i = Σ_{j≠i} w_ij (q_j − q_i)
  Matrix apart(const Matrix& q) const {
    Matrix out = zeros(q);
    for (std::size_t i = 0; i < q.size(); ++i)
      for (std::size_t j = 0; j < q.size(); ++j)
        if (j != i)
          for (std::size_t k = 0; k < q[i].size(); ++k) out[i][k] += w[i][j] * (q[j][k] - q[i][k]);
    return out;
  }

  std::vector<std::size_t> neighbours(std::size_t i) const {
    std::vector<std::size_t> out;
    for (std::size_t j = 0; j < w.size(); ++j)
      if (j != i && w[i][j] != 0) out.push_back(j);
    return out;
  }

  const Setting& s;
  const Parameters& p;
  const Matrix& w;
  const Matrix& x0;

 private:
  std::array<std::size_t, 2> sent_{};  // messages so far, by channel
};

using Text = Matrix (*)(Field&, std::size_t iterations);
struct Named {
  std::string_view name;
  Text text;
};

template <typename Table>
Matrix run_one_of(const Table& table, std::string_view algorithm, const Setting& setting, const Matrix& x0,
                  std::size_t iterations) {
  for (const Named& row : table)
    if (row.name == algorithm) {
      Field field(setting, x0);
      return row.text(field, iterations);
    }
  throw std::invalid_argument("no twin is called " + std::string(algorithm));
}

template <typename Table>
std::vector<std::string_view> names_of(const Table& table) {
  std::vector<std::string_view> out;
  for (const Named& row : table) out.push_back(row.name);
  return out;
}

}  // namespace quantimed::twin
