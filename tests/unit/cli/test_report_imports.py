"""The drawing library is loaded only when there is something to draw."""

from __future__ import annotations

import subprocess
import sys


def test_a_report_without_plots_loads_no_drawing_library() -> None:
    script = (
        "import sys; import etltctl.reports, etltctl.cli.report; from etltctl.reports.plot_sections import drawn;"
        "print(sorted({'vl_convert', 'duckdb', 'pyarrow', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
