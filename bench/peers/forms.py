# SPDX-License-Identifier: BSD-3-Clause
"""DSGD on 50 nodes as one writes it in NumPy, and what all forms share: setting, data, graph, start and loss.

Setting: 50 nodes, Erdős–Rényi 0.4, W = I − L/(d_max + 2), 200 MNIST images a node in file order, 784–50–10, sigmoid
everywhere, cross-entropy summed over outputs, ℓ2 gradient (1/|S|) Θ of the weights, batch 50,
x_i ← Σ_j w_ij x_j − α g_i with α = 0.2, and all nodes start at the same point, uniform in ±0.5.
"""
from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

NODES, SAMPLES, BATCH, ALPHA, LAMBDA = 50, 200, 50, 0.2, 1.0
INPUT, HIDDEN, OUTPUT = 784, 50, 10
L2 = LAMBDA / BATCH


@dataclass
class Model:
    """Of one node, or with a first dimension NODES of all."""

    w1: np.ndarray  # [784, 50]
    b1: np.ndarray  # [50]
    w2: np.ndarray  # [50, 10]
    b2: np.ndarray  # [10]

    def parts(self) -> tuple[np.ndarray, ...]:
        return self.w1, self.b1, self.w2, self.b2


@dataclass
class Problem:
    x: np.ndarray  # [NODES * SAMPLES, 784]
    y: np.ndarray  # [NODES * SAMPLES, 10], one-hot
    w: np.ndarray  # [NODES, NODES]
    start: Model


class Form(Protocol):
    def __init__(self, problem: Problem) -> None: ...
    def step(self, rows: np.ndarray) -> None: ...  # [NODES, BATCH], which samples each node takes
    def models(self) -> Model: ...  # of all nodes


def load(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    def read(name: str, offset: int) -> np.ndarray:
        packed = folder / f"{name}.gz"
        with gzip.open(packed) if packed.is_file() else open(folder / name, "rb") as f:
            return np.frombuffer(f.read(), np.uint8, offset=offset)

    count = NODES * SAMPLES
    x = read("train-images-idx3-ubyte", 16).reshape(-1, INPUT)[:count].astype(np.float32) / 255
    return x, np.eye(OUTPUT, dtype=np.float32)[read("train-labels-idx1-ubyte", 8)[:count]]


def mixing(rng: np.random.Generator) -> np.ndarray:
    while True:
        upper = np.triu(rng.random((NODES, NODES)) < 0.4, 1)
        edges = (upper | upper.T).astype(float)
        laplacian = np.diag(edges.sum(0)) - edges
        if np.linalg.eigvalsh(laplacian)[1] > 1e-9:  # connected
            return (np.eye(NODES) - laplacian / (edges.sum(0).max() + 2)).astype(np.float32)


def make_problem(x: np.ndarray, y: np.ndarray, seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    shapes = ((INPUT, HIDDEN), (HIDDEN,), (HIDDEN, OUTPUT), (OUTPUT,))
    w = mixing(rng)
    return Problem(x, y, w, Model(*(rng.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in shapes)))


def draw(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, SAMPLES, (NODES, BATCH)) + SAMPLES * np.arange(NODES)[:, None]


def copies(start: Model) -> Model:
    return Model(*(np.repeat(part[None], NODES, 0) for part in start.parts()))


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def loss(models: Model, problem: Problem) -> float:
    """At the mean model, over all samples."""
    w1, b1, w2, b2 = (part.astype(np.float64).mean(0) for part in models.parts())
    z = sigmoid(problem.x @ w1 + b1) @ w2 + b2
    cross_entropy = (np.logaddexp(0, z) - problem.y * z).sum() / len(problem.x)
    return float(cross_entropy + LAMBDA / (2 * len(problem.x)) * ((w1**2).sum() + (w2**2).sum()))


def mix(w: np.ndarray, models: Model, gradients: Model) -> Model:
    """x_i ← Σ_j w_ij x_j − α g_i"""
    mixed = Model(*((w @ part.reshape(NODES, -1)).reshape(part.shape) for part in models.parts()))
    for part, gradient in zip(mixed.parts(), gradients.parts()):
        gradient *= ALPHA
        part -= gradient
    return mixed


class NumpyLoop:
    """Node after node, as in tests/independent/mnist_numpy.py."""

    def __init__(self, problem: Problem) -> None:
        self.p, self.m = problem, copies(problem.start)
        self.g = copies(problem.start)

    def step(self, rows: np.ndarray) -> None:
        for i in range(NODES):
            w1, b1, w2, b2 = (part[i] for part in self.m.parts())
            x, y = self.p.x[rows[i]], self.p.y[rows[i]]
            h = sigmoid(x @ w1 + b1)
            d2 = (sigmoid(h @ w2 + b2) - y) / BATCH
            d1 = (d2 @ w2.T) * h * (1 - h)
            self.g.w1[i] = x.T @ d1 + L2 * w1
            self.g.b1[i] = d1.sum(0)
            self.g.w2[i] = h.T @ d2 + L2 * w2
            self.g.b2[i] = d2.sum(0)
        self.m = mix(self.p.w, self.m, self.g)

    def models(self) -> Model:
        return self.m


class NumpyBatched:
    """All nodes in each product: matmul over a first dimension of 50 is one BLAS call a node, no Python between."""

    def __init__(self, problem: Problem) -> None:
        self.p, self.m = problem, copies(problem.start)
        self.g = copies(problem.start)

    def step(self, rows: np.ndarray) -> None:
        w1, b1, w2, b2 = self.m.parts()
        g = self.g
        x, y = self.p.x[rows], self.p.y[rows]  # [NODES, BATCH, …]
        h = sigmoid(x @ w1 + b1[:, None])
        d2 = (sigmoid(h @ w2 + b2[:, None]) - y) / BATCH
        d1 = (d2 @ w2.swapaxes(1, 2)) * h * (1 - h)
        np.matmul(x.swapaxes(1, 2), d1, out=g.w1)
        g.w1 += L2 * w1
        np.matmul(h.swapaxes(1, 2), d2, out=g.w2)
        g.w2 += L2 * w2
        np.sum(d1, 1, out=g.b1)
        np.sum(d2, 1, out=g.b2)
        self.m = mix(self.p.w, self.m, g)

    def models(self) -> Model:
        return self.m


class ProductsAlone:
    """Not DSGD: the matrix products of one iteration in place, nothing else: what arithmetic costs in this BLAS."""

    def __init__(self, problem: Problem) -> None:
        self.p, self.m, self.g = problem, copies(problem.start), copies(problem.start)
        self.x = problem.x[draw(np.random.default_rng(1))]
        self.h = np.zeros((NODES, BATCH, HIDDEN), np.float32)
        self.z = np.zeros((NODES, BATCH, OUTPUT), np.float32)
        self.mixed = np.zeros((NODES, INPUT * HIDDEN), np.float32)

    def step(self, rows: np.ndarray) -> None:
        np.matmul(self.x, self.m.w1, out=self.h)
        np.matmul(self.h, self.m.w2, out=self.z)
        np.matmul(self.z, self.m.w2.swapaxes(1, 2), out=self.h)
        np.matmul(self.x.swapaxes(1, 2), self.h, out=self.g.w1)
        np.matmul(self.h.swapaxes(1, 2), self.z, out=self.g.w2)
        np.matmul(self.p.w, self.m.w1.reshape(NODES, -1), out=self.mixed)

    def models(self) -> Model:
        return self.m
