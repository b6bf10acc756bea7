"""From a folder of quantimed's traces to figures, tables, a page and a timeline."""
