"""The kernels: numba only, arrays and scalars in, arrays out.

The contract
------------
* One argument per line, with its role (``in``, ``out``, ``in/out``, ``scratch``), shape
  and dtype in a comment.  Kernels return numbers at most; they allocate scratch, never
  results; they never raise and never touch a Python object.
* ``X`` is ``(2, m, d)``, the same table twice by a stride of zero (``_data.rows.twice``), so
  that one compiled kernel serves every layout.  Rows are ``X[0]``.
* The work is done by serial kernels over a range of rows, ``start, stop``, without the
  GIL; ``_runtime.drive`` runs them with ``prange``, ``_runtime.threads`` in a pool or one by one.
  A range writes only to its own rows and its own output: there is no race to lose.
* Sums that could depend on an order are kept per range and added in the order of the
  ranges, and the ranges depend on the shape of the data alone.
* ``fastmath`` allows contraction to fma and nothing else: no reduction is reordered.
  Loops that must be fast are elementwise, over points (``POINTS`` lanes of a block) or
  over features, and vectorise as they stand.
* Coordinates are scaled and shifted (``pack``) in everything the tile reads.

* ``jit`` compiles a kernel without numba's counting of references, which costs more than
  a small kernel does; such a kernel allocates nothing and calls nothing that does.
  ``jit_with_scratch`` is for those that do: the ones that take a range of rows.  They
  hand whole arrays on rather than slices, because a slice is counted.  ``jit_inline`` is
  for parts of one kernel.
* The first fit waits for the compiler, a second for every ten functions.  So what one
  kernel alone calls is inline; types are as few as can be (a literal number and another
  are two); scratch is ``scratch.empty``, not ``numpy.empty``; a shape is unpacked, not
  indexed; drivers call by address (``calls``); and nothing is compiled that data rarely
  ask for, like ``settle_rows``.

``simd`` is the vocabulary of the micro-kernels that emit vector IR: the tiles (``tile``,
``bytes_tile``), packing (``pack``), single rows (``row``, ``dots``, ``quantize``) and boxes
(``candidates``).  Each has a twin in plain NumPy for ``NUMBA_DISABLE_JIT=1``, where kernels
are ordinary Python.
"""
