"""The report: one page of HTML about clusters, or how many there are (extra ``report``).

::

    api          report: from a model, or a choice of k, and X to a file
    page         from facts to HTML: escaping, the policy of the page
    *.html.j2, page.css, page.js       its template in parts, its style, sortable tables
       |
    choice       which k stands out                clusters     the clusters of one fit
       |
    tables       the tables of the page            pictures     its pictures, in light and dark
    facts        sizes, profiles, rows of the clusters
       |
    described    the columns, mean and spread      quality      silhouettes of a sample
    source       what was read                     words        numbers and profiles in words

jinja2 and matplotlib are imported when a report is made.
"""
