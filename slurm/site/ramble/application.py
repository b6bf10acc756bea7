# SPDX-License-Identifier: BSD-3-Clause
# A Ramble repository's applications/quantimed/application.py; Benchpark takes it as it is.
from ramble.appkit import *


class Quantimed(SpackApplication):
    """Decentralized SGD under stragglers and narrow links, measured."""

    name = "quantimed"
    tags("sgd", "decentralized", "optimization")

    software_spec("quantimed", pkg_spec="quantimed")

    executable("run", "quantimed run --fom --overwrite --dataset {dataset} --algorithm {algorithm} --nodes {nodes_of_run} "
               "--graph {graph} --iterations {iterations} --engine {engine} --output {experiment_run_dir}/trace.h5", use_mpi=False)
    workload("virtual", executables=["run"])
    workload("threads", executables=["run"])

    for one, usual in {"virtual": "50", "threads": "auto"}.items():
        workload_variable("nodes_of_run", default=usual, description="nodes of the algorithm", workloads=[one])
        workload_variable("engine", default=one, description="clock", workloads=[one])
    workload_variable("dataset", default="digits", description="data set", workloads=["virtual", "threads"])
    workload_variable("algorithm", default="quantimed-dsgd", description="algorithm", workloads=["virtual", "threads"])
    workload_variable("graph", default="erdos-renyi:0.4", description="who talks with whom", workloads=["virtual"])
    workload_variable("graph", default="complete", description="who talks with whom", workloads=["threads"])
    workload_variable("iterations", default="1000", description="iterations of each node", workloads=["virtual", "threads"])

    for fom, unit in {"final_loss": "1", "end_time_s": "s", "wall_time_s": "s", "samples_per_second": "samples/s",
                      "iterations_per_second": "iterations/s", "wait_share": "1", "bytes_sent": "bytes"}.items():
        figure_of_merit(fom, fom_regex=rf"^FOM {fom}: (?P<value>\S+) {unit}$", group_name="value", units=unit)
    success_criteria("valid", mode="string", match=r"^FOM verdict: VALID$", file="{log_file}")
