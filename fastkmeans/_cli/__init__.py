"""The command line: ``python -m fastkmeans csv FILE...``, ``... predict MODEL FILE...``.

::

    arguments   what can be asked for, and the text of --help
    values      what the text after a flag stands for
        |
    cluster     the command csv                 predict     the command predict
    job         the work folder: table, checkpoint, lock, how to resume
    labels      files of labels and centers     report      summaries, for people and as JSON
    progress    bars, and the limit of memory       header     a first line that may be data
        |
    outputs     files that appear whole or not at all
    console     one-line errors, notes, exit codes

Nothing is imported before it is needed: ``--help`` needs only the standard library.
"""
