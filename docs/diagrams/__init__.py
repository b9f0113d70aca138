"""The diagrams of the documentation, drawn as SVG by `python docs/diagrams`."""
