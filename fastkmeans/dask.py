"""KMeans on a Dask cluster (extra ``dask``): ``from fastkmeans.dask import KMeans``.

How long an iteration takes
---------------------------
Let ``n`` rows of ``d`` features lie in ``P`` partitions on ``W`` worker threads, and let there be
``k`` clusters.  An iteration takes about ::

    seconds = 0.025 + 0.0025 P + n / W (0.1 k d + 90) 1e-9

The first two terms are Dask: it plans, sends and collects about ``1.07 P`` tasks.  The last one is
the kernels: products with the centers, and what each row costs besides, such as checks, sums and
the inertia.  The constants come from one local cluster, and will differ elsewhere: AMD EPYC
(Zen 3), 2 processes on 2 virtual cores that share one core's multipliers with client and
scheduler, float64.  There, measured without other load (median of six iterations, rows held in
memory).  The formula was fitted to the first table, and then tried on the second:

    =========  ====  =====  ===  ================  =======
    n          P     k      d    measured seconds  formula
    =========  ====  =====  ===  ================  =======
    2 048      8     20     16   0.048             0.045
    16 384     64    20     16   0.25              0.19
    65 536     256   20     16   0.78              0.67
    1 000 000  8     50     16   0.17              0.13
    1 000 000  8     200    16   0.28              0.25
    1 000 000  64    200    16   0.42              0.39
    200 000    16    1 000  64   0.85              0.71
    1 000 000  32    20     8    0.16              0.16
    400 000    16    100    32   0.12              0.15
    300 000    128   50     16   0.32              0.37
    100 000    4     500    64   0.24              0.20
    2 000 000  8     10     4    0.14              0.14
    150 000    40    300    24   0.16              0.19
    =========  ====  =====  ===  ================  =======

    =========  ====  =====  ===  ================  =======
    500 000    20    64     20   0.11              0.13
    1 500 000  12    30     10   0.12              0.14
    250 000    100   100    8    0.28              0.30
    120 000    8     200    96   0.26              0.17
    =========  ====  =====  ===  ================  =======

The centers of the last row exceed 64 kB, so they travel as a task of their own (see below).
Rows that are not held cost their reading besides, in each iteration.  Rows that are held beyond the
workers' memory cost the disk: with 1.54 GB on two workers of 650 MB, a fit of five iterations took
224 s, and 116 s where they were computed again (both beside other load).

On paper: 10^10 rows of 16 features, 100 workers of 8 threads, k = 200
----------------------------------------------------------------------
With 2 000 partitions of 5 million rows (640 MB of float64), the kernels take ``1e10 / 800 x
(320 + 90) ns``, that is 5.1 s.  The scheduler takes 2 140 tasks, 2 s if it has a core for itself
and needs a millisecond per task, 5 s as measured above; it does so while the kernels run.  So an
iteration takes 5 to 10 s, and the scheduler is the limit, not the network:

* *The scheduler.*  Its time grows with ``P`` alone.  Keep partitions large, of 100 MB to 1 GB, and
  no more than some thousand.  Ten thousand would take 10 to 30 s per iteration.
* *The reduction.*  A partition returns ``8 k (d + 2)`` bytes, and ``8 k (3 d + 7)`` while clusters
  are empty.  Here that is 29 kB, 58 MB from all partitions: nothing.  With k = 10 000 and d = 100
  it is 8 MB.  A merge then collects 16 x 8 MB, 0.1 s at 10 Gbit/s, on each of three levels, and
  many merges run at once.  The kernels would take 1 260 s by then.
* *The broadcast.*  Centers up to 64 kB are an argument of each task, 2 000 x 26 kB = 52 MB from the
  scheduler.  Larger ones are a task whose result the workers fetch from each other: for 8 MB at
  10 Gbit/s, 0.7 s if all 100 get it from the first, less as more workers hold it.

A lost worker costs the time until its partitions are computed again: 5 s here, in a fit of 15
iterations of 0.5 s with other load, until the new process had its kernels.
"""

from ._dask.kmeans import KMeans

__all__ = ["KMeans"]
