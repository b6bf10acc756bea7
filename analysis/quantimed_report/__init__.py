# SPDX-License-Identifier: BSD-3-Clause
"""From a folder of quantimed's traces to figures, tables, a page and a timeline."""
