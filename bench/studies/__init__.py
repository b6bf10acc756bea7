# SPDX-License-Identifier: BSD-3-Clause
"""Studies: many runs from one file, and the claims of the paper that they check."""
