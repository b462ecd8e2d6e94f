"""The report: one page of HTML about a model and the rows that it labels (extra ``report``).

::

    api          report: from a model and X to a file
    page         from facts to HTML: escaping, the policy of the page
    page.html.j2, page.css, page.js       its template, its style, sortable tables
       |
    tables       the tables of the page          pictures    its pictures, for light and dark
    facts        all that the page says
       |
    quality      silhouettes of a sample         words       numbers and profiles in words
    source       what was read: from files, or from an array

jinja2 and matplotlib are imported when a report is made.
"""
