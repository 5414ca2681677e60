"""How the site is made of the pages: `make docs`."""

project = "clspec"
html_title = "clspec"
extensions = ["myst_parser"]
html_theme = "furo"
myst_heading_anchors = 4
html_show_copyright = False
html_show_sourcelink = False
nitpicky = True
suppress_warnings: list[str] = []
