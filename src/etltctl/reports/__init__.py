"""The report on a run: one self-contained HTML page with what the run did and plots of the tables that it published.

report.py           read, draw, write
facts.py            what the events of the run say
plot_data.py        the data of the plots, by the queries of plot_query.py; labels.py their words
pictures.py         plots as SVG; rose.py the wind rose
page.py             the page: sections.py and plot_sections.py, of the pieces in tables.py; html.py escapes
"""

from etltctl.reports.report import Report, make_report

__all__ = ["Report", "make_report"]
