"""Texts that a target's own templates, shells, YAML readers and Python would take for something else."""

from __future__ import annotations

TEXTS = (
    # templates: Argo, Kubeflow, Jinja, Go, Kubernetes, GitHub
    "{{workflow.name}}",
    "{{$.inputs.parameters['store']}}",
    "{{=1+1}} {{{{x}} {%raw%} ${{ secrets.X }}",
    "$(HOME) $$(HOME) $$ $ $(",
    "{0} {name} {title!r} %s %(name)s %%",
    # shells, make, Python
    "a 'quoted' \"text\" \\ with `id` ; exit 1 # & | > < * ? ~ !",
    "$HOME ${HOME} $1 $@",
    "'''\n\"\"\"\n",
    "\\n \\u0041 \\x41 \\",
    "\\",
    # what YAML 1.1 or 1.2 reads as something that is no text
    "",
    " leading and trailing ",
    "no",
    "null",
    "1e3",
    "0o17",
    "1:30",
    "2026-11-23",
    "=",
    "- a: [b, #c] &d *e !f |\n  >g %h @i",
    "---\n...\n",
    # characters that are not seen, that end lines, or that need more than one unit
    "tab\t, line\n, return\r\n, vertical\v",
    "\x00\x07\x1b[31m\x7f",
    "\u0085\u2028\u2029\ufeff\u202e",
    "pédestrian 🚶",
    "\ud800",
    # long, and nested quoting
    '"}], "args": ["rm"], "x": ["',
    "EOF\nEOF\n",
    "x" * 5000,
)
"""One for each way in which a text was seen to change on its way to a step."""
