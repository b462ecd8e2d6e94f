"""README's loops on Ray and Spark run as written, and end where the local fit ends.

They are skipped if these libraries are absent: no extra of the package asks for them.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fastkmeans import KMeans
from tests.conftest import ROOT
from tests.helpers.processes import run

pytestmark = pytest.mark.slow
TEXT = (ROOT / "README.md").read_text("utf-8")
SECTION = TEXT.partition("## Other engines: Ray, Spark\n")[2].partition("\n## ")[0]
LOCAL, RAY, SPARK = re.findall(r"^```py(?:thon)?\n(.*?)^```$", SECTION, re.M | re.S)
PREPARED = {
    "ray": "ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)\n",
    "pyspark": """
import pyarrow
from pyspark.sql import SparkSession
quiet = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "3"}
builder = SparkSession.builder.master("local[1]")
for name, value in quiet.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
X = X.astype(np.float32)
table = pyarrow.table(dict(zip("abcdefgh", X.T)))
frame = spark.createDataFrame(table).repartition(3).cache()
""",
}
ENVIRONMENT = {"RAY_AUTH_MODE": "disabled", "PYSPARK_PYTHON": sys.executable}
SHOWN = """
print("found", repr(now.inertia), repr(step.stop_reason), *now.counts, *centers.ravel())
"""


def expected(dtype: type) -> KMeans:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6_000, 8)) + 3 * rng.integers(0, 5, (6_000, 1))
    return KMeans(5, init=X.astype(dtype)[:5]).fit(X.astype(dtype))


@pytest.mark.parametrize(("engine", "loop"), [("ray", RAY), ("pyspark", SPARK)])
def test_a_loop_of_the_readme_is_the_local_fit(engine: str, loop: str, tmp_path: Path) -> None:
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    code = LOCAL.partition("centers, step")[0]
    if engine == "ray":
        first, rest = loop.split("\n", 1)
        loop = f"{first}\n{PREPARED[engine]}{rest}"
    else:
        loop = PREPARED[engine] + loop
    (line,) = re.findall(
        r"^found (.*)$",
        run(code + loop + SHOWN, tmp_path, timeout=600, **ENVIRONMENT),
        re.M,
    )
    inertia, reason, rest = re.fullmatch(r"(\S+) '([^']+)' (.*)", line).groups()
    numbers = np.array(rest.split(), float)
    model = expected(np.float64 if engine == "ray" else np.float32)
    assert float(inertia) == pytest.approx(model.inertia_, rel=1e-12)
    assert reason == model.stop_reason_
    assert numbers[:5].tolist() == model.cluster_sizes_.tolist()
    np.testing.assert_allclose(numbers[5:], model.cluster_centers_.ravel(), rtol=0, atol=1e-12)
