"""The command line: ``python -m fastkmeans csv FILE...``, ``... predict MODEL FILE...``.

::

    arguments   commands, the text of --help
    flags       flags that commands share
    values      converters for the text after a flag
        |
    cluster     the command csv                   predict   the command predict
    choose      the command choose-k                  checks    what is refused and noted of a table
    job         the work folder: table, checkpoint, lock, how to resume
    labels      files of labels and centers       report    summaries, as text and as JSON
    centers     files of centers to start from        page      the report, as HTML
    progress    bars, and the memory limit            representatives   rows closest to centers
    quality     of the clusters, and their order
        |
    outputs     files that appear whole or not at all
    console     one-line errors, notes, exit codes

Imports wait until they are needed: ``--help`` needs only the standard library.
"""
