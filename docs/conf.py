"""How Sphinx builds the site: `make docs`."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from llms import llms_text

project = "etltctl"
author = "the etltctl authors"
html_title = "etltctl"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["generate", "diagrams"]
myst_heading_anchors = 4
myst_links_external_new_tab = True
# Links to the project's own files, such as tests and scripts, become downloads of them; Sphinx knows no folders, so
# tests/docs/test_pages.py checks every link and anchor.
suppress_warnings = ["toc.empty_glob", "myst.xref_missing"]

# The reference of the Python API is made of docstrings. Their `code` in backticks is a role without a name to Sphinx.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
# Types of signatures that have no entry on the page: those of the standard library, and etltctl's inner ones.
nitpick_ignore_regex = [("py:.*", ".*")]

html_theme = "furo"
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = True  # a page's Markdown is next to it, for programs that read
html_sourcelink_suffix = ""
# They come with furo. Each of their colours has a contrast of at least 7 to 1; in most other styles grey is too light.
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def setup(app: Any) -> None:
    """Write llms.txt to the root of the site."""
    app.connect(
        "build-finished", lambda app, _: (Path(app.outdir) / "llms.txt").write_text(llms_text(), "utf-8")
    )
