"""How Sphinx builds the site: `make docs`."""

project = "etltctl"
author = "the etltctl authors"
html_title = "etltctl"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["generate"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
# Links to the project's own files, such as tests and scripts, become downloads of them; Sphinx knows no folders, so
# tests/docs/test_pages.py is what sees that every link and anchor leads somewhere.
suppress_warnings = ["toc.empty_glob", "myst.xref_missing"]

html_theme = "furo"
html_show_sphinx = False
html_copy_source = True  # a page's Markdown lies beside it, for programs that read
html_sourcelink_suffix = ""
pygments_style = "friendly"
pygments_dark_style = "native"
