# SPDX-License-Identifier: BSD-3-Clause
"""Studies on a SLURM cluster. What a study is, and when a run is done, is bench/studies' to say."""
