# SPDX-License-Identifier: BSD-3-Clause
"""Gossip SGD as one writes it in mpi4py and NumPy: a node a rank on a ring. ranks.py starts it:

    mpirun -n 4 python3 gossip_mpi4py.py sync|async ITERATIONS SEED DATA     prints one JSON document

sync   x_i ← Σ_j w_ij x_j − α g_i(x_i): persistent requests, started before the gradient and awaited after it, so that
       messages travel while it is computed.
async  the same with what has come of each neighbour so far: a receive is always posted, at most one message is on its way to each
       neighbour (Issend, so that nothing piles up), what is skipped is lost, nobody waits.
The step, the start and the loss are those of forms.py, on as many nodes as there are ranks.
"""
from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import forms
import numpy as np
from mpi4py import MPI

WARM_UP = 20
SHAPES = ((forms.INPUT, forms.HIDDEN), (forms.HIDDEN,), (forms.HIDDEN, forms.OUTPUT), (forms.OUTPUT,))
SIZE = sum(int(np.prod(shape)) for shape in SHAPES)


def parts_of(flat: np.ndarray) -> list[np.ndarray]:
    """Views of one vector, so that a model is one message."""
    parts, at = [], 0
    for shape in SHAPES:
        size = int(np.prod(shape))
        parts.append(flat[at:at + size].reshape(shape))
        at += size
    return parts


class Gradient:
    """Of one node, in place."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y, self.flat = x, y, np.zeros(SIZE, np.float32)
        self.parts = parts_of(self.flat)

    def at(self, model: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
        w1, b1, w2, b2 = model
        g1, c1, g2, c2 = self.parts
        x, y = self.x[rows], self.y[rows]
        h = forms.sigmoid(x @ w1 + b1)
        d2 = (forms.sigmoid(h @ w2 + b2) - y) / np.float32(forms.BATCH)
        d1 = (d2 @ w2.T) * h * (1 - h)
        np.matmul(x.T, d1, out=g1)
        g1 += np.float32(forms.L2) * w1
        np.matmul(h.T, d2, out=g2)
        g2 += np.float32(forms.L2) * w2
        np.sum(d1, 0, out=c1)
        np.sum(d2, 0, out=c2)
        return self.flat


class Node:
    def __init__(self, comm: MPI.Comm, folder: Path, seed: int) -> None:
        self.comm, self.rank = comm, comm.Get_rank()
        ranks = comm.Get_size()
        self.neighbours = [(self.rank - 1) % ranks, (self.rank + 1) % ranks]
        forms.NODES = ranks
        self.images, self.labels = forms.load(folder)
        own = slice(self.rank * forms.SAMPLES, (self.rank + 1) * forms.SAMPLES)
        self.gradient = Gradient(self.images[own], self.labels[own])
        self.rng = np.random.default_rng([seed, self.rank])
        self.start = np.random.default_rng(seed).uniform(-0.5, 0.5, SIZE).astype(np.float32)
        self.x = self.start.copy()
        self.model = parts_of(self.x)
        self.heard = 0  # messages
        # W = I − L/(d_max + 2)
        self.beside = np.float32(1 / 4)
        self.itself = np.float32(1 - 2 / 4)

    def rows(self) -> np.ndarray:
        return self.rng.integers(0, forms.SAMPLES, forms.BATCH)

    def update(self, heard: list[np.ndarray], gradient: np.ndarray) -> None:
        x = self.x
        x *= self.itself
        for other in heard:
            x += self.beside * other
        gradient *= np.float32(forms.ALPHA)
        x -= gradient

    def loss(self) -> float:
        mean = np.zeros(SIZE, np.float64)
        self.comm.Allreduce(self.x.astype(np.float64), mean, MPI.SUM)
        w1, b1, w2, b2 = parts_of(mean / self.comm.Get_size())
        z = forms.sigmoid(self.images @ w1 + b1) @ w2 + b2
        cross_entropy = (np.logaddexp(0, z) - self.labels * z).sum() / len(self.images)
        return float(cross_entropy + forms.LAMBDA / (2 * len(self.images)) * ((w1**2).sum() + (w2**2).sum()))


def synchronous(node: Node, iterations: int) -> float:
    heard = [np.empty(SIZE, np.float32) for _ in node.neighbours]
    requests = [node.comm.Recv_init(buffer, j, 1) for buffer, j in zip(heard, node.neighbours)]
    requests += [node.comm.Send_init(node.x, j, 1) for j in node.neighbours]
    node.comm.Barrier()
    begun = time.perf_counter()
    for _ in range(iterations):
        MPI.Prequest.Startall(requests)
        gradient = node.gradient.at(node.model, node.rows())
        MPI.Request.Waitall(requests)
        node.heard += len(heard)
        node.update(heard, gradient)
    return time.perf_counter() - begun


def asynchronous(node: Node, iterations: int) -> float:
    count = len(node.neighbours)
    newest = [node.x.copy() for _ in range(count)]  # all nodes start at the same point
    room, out = ([np.empty(SIZE, np.float32) for _ in range(count)] for _ in range(2))
    receives = [node.comm.Irecv(room[k], j, 2) for k, j in enumerate(node.neighbours)]
    sends = [MPI.REQUEST_NULL] * count

    def hear() -> None:
        for k, j in enumerate(node.neighbours):
            while receives[k].Test():
                newest[k], room[k] = room[k], newest[k]
                node.heard += 1
                receives[k] = node.comm.Irecv(room[k], j, 2)

    node.comm.Barrier()
    begun = time.perf_counter()
    for _ in range(iterations):
        gradient = node.gradient.at(node.model, node.rows())
        hear()
        node.update(newest, gradient)
        for k, j in enumerate(node.neighbours):
            if sends[k].Test():
                out[k][:] = node.x
                sends[k] = node.comm.Issend(out[k], j, 2)
    spent = time.perf_counter() - begun
    while not MPI.Request.Testall(sends):
        hear()
    everybody = node.comm.Ibarrier()
    while not everybody.Test():
        hear()
    for request in receives:
        request.Cancel()
        request.Wait()
    return spent


def main() -> None:
    kind, iterations, seed, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    node = Node(MPI.COMM_WORLD, folder, seed)
    run = {"sync": synchronous, "async": asynchronous}[kind]
    run(node, WARM_UP)
    node.x[:] = node.start
    node.heard = 0
    spent = run(node, iterations)
    rates = node.comm.gather(iterations / spent)
    heard = node.comm.allreduce(node.heard)
    loss = node.loss()
    if node.rank == 0:
        print(json.dumps({"rates": rates, "loss": loss, "heard": heard / node.comm.Get_size() / iterations}))


if __name__ == "__main__":
    main()
