"""The report: one HTML file that shows what a search found, what it rests on, and how to do it again.

In: a run folder, and where they can be opened its profile, supernet and pictures. Out: `report.html`, without scripts
and without anything from elsewhere. The command line calls `build_report`.

    records.py, run.py                             what `run.json` and the other files of a run hold
    latency_facts.py, bundles.py, predictions.py   what else the page shows
    header.py ... commands.py                      one section each, a pure function of what was read
    html.py, scale.py, chart.py, style.css         what the sections are made of
    page.py                                        build_report
"""
