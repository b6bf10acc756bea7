# SPDX-License-Identifier: BSD-3-Clause
"""Writes mlp_5_4_3.txt: losses and gradients of a 5-4-3 network in float64, by NumPy's matrix products.

Independent of the program: losses from their definitions, gradients by complex-step differentiation
(f'(x) = Im f(x + ih) / h, exact to rounding), so that no backward pass is written a second time.

The file: samples; features [6, 5]; labels [6]; x [39]; then for each case
activation, loss, the sum of losses, the sum of gradients [39].
"""
import pathlib

import numpy as np

D, H, K, SAMPLES = 5, 4, 3, 6


def activate(name, z):
    if name == "sigmoid":
        return 1 / (1 + np.exp(-z))
    if name == "tanh":
        return np.tanh(z)
    return np.where(z.real > 0, z, 0)


def loss(activation, name, x, features, labels):
    w1, b1, w2, b2 = np.split(x, np.cumsum([D * H, H, H * K]))
    hidden = activate(activation, features @ w1.reshape(D, H) + b1)
    z = hidden @ w2.reshape(H, K) + b2
    y = np.eye(K)[labels]
    if name == "sigmoid-cross-entropy":
        p = 1 / (1 + np.exp(-z))
        return -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))
    if name == "softmax":
        return np.sum(np.log(np.sum(np.exp(z), axis=1))) - np.sum(y * z)
    return 0.5 * np.sum((z - y) ** 2)


def main():
    rng = np.random.default_rng(543)
    # Multiples of 1/64 are exact in float32 and in the text.
    features = rng.integers(-64, 65, (SAMPLES, D)) / 64
    labels = rng.integers(0, K, SAMPLES)
    x = rng.integers(-64, 65, D * H + H + H * K + K) / 64
    rows = [[SAMPLES], features.ravel(), labels, x]
    lines = [" ".join(f"{v:.17g}" for v in row) for row in rows]
    for activation in ("sigmoid", "tanh", "relu"):
        for name in ("sigmoid-cross-entropy", "softmax", "squared"):
            value = loss(activation, name, x.astype(complex), features, labels).real
            gradient = [loss(activation, name, x + 1e-30j * e, features, labels).imag / 1e-30 for e in np.eye(x.size)]
            lines.append(f"{activation} {name} {value:.17g}")
            lines.append(" ".join(f"{g:.17g}" for g in gradient))
    path = pathlib.Path(__file__).with_name("mlp_5_4_3.txt")
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
