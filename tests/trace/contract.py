# SPDX-License-Identifier: BSD-3-Clause
"""Checks with h5py the names, units and values that h5py_test.cpp wrote: contract.py WITH_TIMELINE WITHOUT"""

import sys

import h5py

COLUMNS = {
    "progress": "iteration time time_paper_bits time_wire_bits energy_j loss accuracy test_loss test_accuracy consensus_error gradient_norm_squared distance_to_optimum sum_error",
    "rounds": "batch compute_time wait_time exchange_time mix_time overshoot staleness bytes_sent",
    "timeline": "node iteration phase start end",
    "network": "edges weights self_weights",
    "model": "mean",
    "classes": "label samples accuracy",
    "counters": "cycles instructions stalled_cycles counted_share",
}

with h5py.File(sys.argv[1]) as f:
    root = f.attrs
    assert root["schema"] == "quantimed-trace" and root["schema_version"] == 3
    assert root["status"] == "complete" and root["verdict"] == "VALID"
    assert {"software_version", "commit", "created"} <= set(root)
    for group, names in COLUMNS.items():
        assert set(names.split()) <= set(f[group]), group
    assert f["config"].attrs["algorithm"] == "quantimed-dsgd" and f["config"].attrs["nodes"] == 5
    assert f["config"].attrs["grey"] and f["config"].attrs["output"] == ""
    assert f["config/ini"].asstr()[()].startswith("# läuft wieder\n")
    assert f["network/edges"].shape == (5, 2) and f["network/edges"][0].tolist() == [0, 1]
    assert 0 < f["network"].attrs["beta"] < 1 and f["network"].attrs["redraws"] == 2
    assert f["rounds/batch"].shape == (7, 5) and f["progress/loss"][:].tolist() == [1, 1 / 2, 1 / 3, 1 / 4]
    assert f["model/mean"].shape == (39,)
    assert f["classes/accuracy"].shape == (4, 3) and f["classes"].attrs["set"] == "training"
    assert f["classes/label"][:].tolist() == [-1, 0.5, 7] and f["classes/samples"][:].tolist() == [2, 0, 6]
    assert f["progress"].attrs["drawn_by"] == "replay"
    assert f["counters"].attrs["cache_misses_missing"] == "no such counter" and "cache_misses" not in f["counters"]
    assert f["counters/instructions"][:].tolist() == [2.0**52 + 1] * 5
    assert f["progress/energy_j"].attrs["unit"] == "J" and f["counters/cycles"].attrs["unit"] == "cycles"
    assert list(f["timeline/phase"].attrs["names"]) == ["compute", "encode", "wait", "exchange", "mix", "publish", "record"]
    assert f["summary"].attrs["time_to_target"] == float("inf")
    assert f["summary"].attrs["warnings"] == "the loss has grown\na code is longer than it should be"
    assert f["rounds/bytes_sent"][0, 0] == 16_777_217

    def has_unit(name, item):
        if isinstance(item, h5py.Dataset):
            assert isinstance(item.attrs["unit"], str), name

    f.visititems(has_unit)
    assert f["rounds/wait_time"].attrs["unit"] == "s" and f["rounds/bytes_sent"].attrs["unit"] == "bytes"

with h5py.File(sys.argv[2]) as f:
    assert "timeline" not in f
    assert f["rounds/batch"].shape == (40, 60) and f["rounds/batch"].compression == "gzip"
