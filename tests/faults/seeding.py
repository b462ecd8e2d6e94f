"""Faults in kernels/seeding: distances to candidates, draws, and pools of candidates."""

from __future__ import annotations

from faults.mutation import Mutation

SEEDING = "kernels/test_potential"

MUTATIONS = [
    Mutation(
        "candidates ignore the weights",
        "_kernels/seeding/potential.py",
        "shares[r // POINTS, r % POINTS] = weights[i] if is_row and weights.size else 1.0",
        "shares[r // POINTS, r % POINTS] = 1.0",
        f"{SEEDING}: test_try_and_adopt and float32",
    ),
    Mutation(
        "an equal distance counts as closer",
        "_kernels/seeding/compare.py",
        'nearer = builder.fcmp_ordered("<", left, right)',
        'nearer = builder.fcmp_ordered("<=", left, right)',
        f"{SEEDING}: test_try_and_adopt and float32",
    ),
    Mutation(
        "rows beyond the end of the last group are compared with the first center",
        "_kernels/seeding/potential.py",
        "count += rows[count] < last",
        "count += 1",
        f"{SEEDING}: test_the_first_center",
    ),
    Mutation(
        "candidates are marked as closer in the first word only",
        "_kernels/seeding/potential.py",
        "word, shift = b * POINTS // BITS, np.uint64(b * POINTS % BITS)",
        "word, shift = 0, np.uint64(b * POINTS % BITS)",
        f"{SEEDING}: test_try_and_adopt and float32",
    ),
    Mutation(
        "a row without a share can be drawn",
        "_kernels/seeding/potential.py",
        "            if share > 0.0:\n",
        "            if share >= 0.0:\n",
        f"{SEEDING}: draw",
    ),
    Mutation(
        "the draw stops one row early",
        "_kernels/seeding/potential.py",
        "                if target < share:\n",
        "                if target <= share:\n",
        f"{SEEDING}: draw",
    ),
    Mutation(
        "a pool lists rows at an equal distance",
        "_kernels/seeding/pool.py",
        'builder.fcmp_ordered("<", left, right)',
        'builder.fcmp_ordered("<=", left, right)',
        "kernels/test_pool: lists_hold and float32",
    ),
    Mutation(
        "a pool rejects no candidate",
        "_kernels/seeding/pool.py",
        "if not (luck[candidate] * drawn[candidate] < now or drawn[candidate] == 0.0):",
        "if now < 0.0:",
        "kernels/test_pool: steps_are",
    ),
    Mutation(
        "gains in a pool ignore the weights",
        "_kernels/seeding/pool.py",
        "total += weights[i] * less if weights.size else less",
        "total += less",
        "kernels/test_pool: steps_are",
    ),
    Mutation(
        "rows of later blocks of the data are listed for the wrong chunk",
        "_kernels/seeding/pool.py",
        "for chunk in range((share - first_chunk) % n_shares, n_chunks, n_shares):",
        "for chunk in range(share, n_chunks, n_shares):",
        "kernels/test_pool: lists_hold and 512",
    ),
]
