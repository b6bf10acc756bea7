#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The four algorithms on MNIST in plain NumPy, written from the equations and sharing nothing with src/.

    mnist_numpy.py DATA_FOLDER [ITERATIONS [SEEDS]]     prints: algorithm seed iteration time loss

Setting: 50 nodes, Erdős–Rényi 0.4, W = I − L/(d_max + 2), 200 samples a node in file order, 784–50–10, sigmoid
everywhere, summed cross-entropy, ℓ2 gradient (1/|S|) Θ, V ~ U(10, 90), T_c = 3, b = 50, step 10^−3.
Random numbers are NumPy's own, so curves agree in distribution, not in bits.
"""
import gzip
import sys
from pathlib import Path

import numpy as np

N, M, B, TC, DELTA, LAMBDA = 50, 200, 50, 3.0, 1e-3, 1.0
SIZES = (784, 50, 10)


def load(folder):
    def read(name, offset):
        with gzip.open(f"{folder}/{name}.gz") as f:
            return np.frombuffer(f.read(), np.uint8, offset=offset)
    x = read("train-images-idx3-ubyte", 16).reshape(-1, 784)[: N * M].astype(np.float32) / 255
    y = np.eye(10, dtype=np.float32)[read("train-labels-idx1-ubyte", 8)[: N * M]]
    return x, y


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def split(theta):
    (a, b, c), at = SIZES, 0
    parts = []
    for rows, cols in ((a, b), (1, b), (b, c), (1, c)):
        parts.append(theta[at: at + rows * cols].reshape(rows, cols))
        at += rows * cols
    return parts


P = sum(SIZES[k] * SIZES[k + 1] + SIZES[k + 1] for k in range(2))


def gradient(theta, x, y):
    w1, b1, w2, b2 = split(theta)
    h = sigmoid(x @ w1 + b1)
    d2 = (sigmoid(h @ w2 + b2) - y) / len(x)
    d1 = (d2 @ w2.T) * h * (1 - h)
    l2 = LAMBDA / len(x)
    return np.concatenate([(x.T @ d1 + l2 * w1).ravel(), d1.sum(0), (h.T @ d2 + l2 * w2).ravel(), d2.sum(0)])


def loss(theta, x, y):
    w1, b1, w2, b2 = split(theta)
    z = sigmoid(x @ w1 + b1) @ w2 + b2
    cross_entropy = np.logaddexp(0, z) - y * z
    return cross_entropy.sum() / len(x) + LAMBDA / (2 * N * M) * ((w1 ** 2).sum() + (w2 ** 2).sum())


def graph(rng):
    while True:
        a = np.triu(rng.random((N, N)) < 0.4, 1)
        a = (a | a.T).astype(float)
        laplacian = np.diag(a.sum(0)) - a
        if np.linalg.eigvalsh(laplacian)[1] > 1e-9:
            return np.eye(N) - laplacian / (a.sum(0).max() + 2)


def quantize(x, rng):
    return (np.floor(x / DELTA + rng.random(x.shape)) * DELTA).astype(np.float32)


def run(algorithm, data, iterations, seed, points):
    rng = np.random.default_rng(seed)
    x_all, y_all = data
    w = graph(rng).astype(np.float32)
    self_w, others = np.diag(w)[:, None], w - np.diag(np.diag(w))
    models = np.tile(rng.uniform(-0.5, 0.5, P).astype(np.float32), (N, 1))
    alpha, epsilon = ((0.3 / iterations ** (1 / 6), 15 / iterations ** 0.5)
                      if algorithm in ("quantimed-dsgd", "q-dsgd") else (0.2, 1.0))

    def grad(node, batch):
        rows = node * M + rng.integers(0, M, batch)
        return gradient(models[node], x_all[rows], y_all[rows])

    def report(iteration, time):
        print(algorithm, seed, iteration, f"{time:.4f} {loss(models.mean(0), x_all, y_all):.6f}", flush=True)

    every = max(1, iterations // points)
    clock = 0.0
    if algorithm == "async-dsgd":
        own = B / rng.uniform(10, 90, N) + TC
        for update in range(iterations * N + 1):
            if update % (every * N) == 0:
                report(update // N, clock)
            node = own.argmin()
            clock = own[node]
            models[node] = w[node] @ models - alpha * grad(node, B)
            own[node] += B / rng.uniform(10, 90) + TC
        return
    for t in range(iterations + 1):
        if t % every == 0:
            report(t, clock)
        speeds = rng.uniform(10, 90, N)
        batches = np.floor(speeds * B / 50).astype(int) if algorithm == "quantimed-dsgd" else np.full(N, B)
        g = np.stack([grad(i, batches[i]) for i in range(N)]).astype(np.float32)
        if algorithm == "dsgd":
            models = w @ models - alpha * g
            clock += (B / speeds).max() + TC
        else:
            z = quantize(models, rng)
            models = (1 - epsilon + epsilon * self_w) * models + epsilon * (others @ z) - alpha * epsilon * g
            clock += (B / 50 if algorithm == "quantimed-dsgd" else (B / speeds).max()) + TC * 3 / 16
        models = models.astype(np.float32)


def main():
    folder = sys.argv[1]
    iterations = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    data = load(folder)
    for seed in range(1, seeds + 1):
        for algorithm in ("quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"):
            run(algorithm, data, iterations, seed, 50)


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[2] / "analysis"))
    from whole_output import end_with
    end_with(main)
