"""The kernels: numba only, arrays and scalars in, arrays out.

Glossary
--------
    candidate           a center that may be the closest one; in seeding: a row that may become one
    upper, lower bound  on the distances of a row: to its assigned center, to all other centers
    drift               how far one center moved since the last iteration
    code                a coordinate rounded to an integer of 8 or 16 bits; a word holds 4 or 2
    quantisation error  what rounding to codes changes: |r| of a row, |e| of a center
    centroid shift      squared distance that all centers moved; a fit stops once it is small
    margin              best score minus second-best score; a large margin proves a label
    potential           sum of w D^2, D the distance to the closest center chosen so far
    tile                CENTERS centers, packed feature by feature; a micro-kernel takes it whole
    block               POINTS rows, packed likewise; outside the kernels: what a source yields
    limit               score that the closest center of a row reaches; centers below are excluded

The contract
------------
* One argument per line, with a comment: its role (``in``, ``out``, ``in/out``, ``scratch``),
  shape and dtype.  A kernel returns numbers at most.  It allocates scratch, never results.
  It never raises, and never touches a Python object.
* ``X`` is ``(2, m, d)``: the same table twice, by a stride of zero (``_data.rows.twice``).
  So one compiled kernel serves every layout.  Rows are ``X[0]``.
* Kernels for sparse rows (``sparse``) take the stored values in place of ``X``, and a ``Stored``.
* Serial kernels do the work, on a range of rows, ``start, stop``, without the GIL.
  ``_runtime.drive`` runs them with ``prange``, ``_runtime.threads`` in a pool or one by one.
  A range writes only to its own rows and its own output, so there are no races.
* Sums whose order matters are kept per range and added in the order of the ranges.  The
  ranges depend on the shape of the data alone.
* ``fastmath`` allows contraction to fma and nothing else: no reduction is reordered.  Loops
  that must be fast are elementwise, over points (the lanes of a block) or features.  They
  vectorise as they stand.
* Tiles and blocks hold scaled, shifted coordinates (``shared.pack``).
* ``jit`` compiles a kernel without numba's reference counts, which cost more than a small
  kernel does.  Such a kernel allocates nothing and calls nothing that allocates.
  ``jit_with_scratch`` is for kernels that allocate.  They pass whole arrays on: a slice would
  be counted.  ``jit_inline`` is for parts of one kernel.
* The first fit waits for the compiler: a second for every ten functions.  So a function that
  one kernel alone calls is inline.  Types are few: a literal number and a number are two.
  Scratch is ``scratch.empty``, not ``numpy.empty``.  A shape is better unpacked than indexed.
  Drivers call by address (``_runtime.calls``).  What data rarely need, like ``settle_rows``,
  is compiled when they do.

The micro-kernels emit vector IR: ``plain.tile``, ``plain.start``, ``bytes.tile``,
``bytes.quantize``, ``bounded.group``, ``shared.pack``, ``shared.moves``, ``boxes.candidates``,
``boxes.extents``, ``boxes.order``, ``seeding.pool``, ``search.closest``, ``search.prices``,
``sparse.score``, ``metrics.own``, ``metrics.pairs``; ``emit`` holds what they share.  Each has a
twin in NumPy for ``NUMBA_DISABLE_JIT=1``.  Kernels are then ordinary Python.
"""
