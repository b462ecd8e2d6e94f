"""A walk from a CSV file to a report, in cells: run it whole, or cell by cell in an editor.

``python scripts/walk.py --out FOLDER`` runs it whole.  It needs the extras csv and report.
"""

# %% [markdown]
# # From a table to a page
# The table has a tenth of the flights that left New York in 2013. The question: which kinds of
# flights are there, by delay and by length?

# %%
import argparse
from pathlib import Path

import numpy as np

import fastkmeans
from fastkmeans import KMeans, choose_k, open_dataset, plots

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--out", type=Path, default=Path("walk"), help="folder for what is drawn")
OUT = parser.parse_known_args()[0].out  # a notebook has arguments of its own
OUT.mkdir(parents=True, exist_ok=True)
FLIGHTS = Path(__file__).parent / "data" / "flights.csv.gz" if "__file__" in globals() else (
    Path("scripts/data/flights.csv.gz")
)  # fmt: skip

# %% [markdown]
# ## Read
# The columns have different units (minutes and miles), so they are standardised. Flights that were
# cancelled lack values: they are dropped, and counted.

# %%
dataset = open_dataset(
    FLIGHTS,
    columns=["dep_delay", "arr_delay", "air_time", "distance"],
    missing="drop",
    standardize=True,
)
n, d = dataset.shape
print(f"{n} of {dataset.n_source_rows} flights, {d} columns: {', '.join(dataset.names)}")
print("means:", dict(zip(dataset.names, dataset.statistics.mean.round(1).tolist(), strict=True)))

# %% [markdown]
# ## How many?
# The inertia always falls with the number of clusters. Does one number stand out?

# %%
choice = choose_k(dataset, range(2, 11), random_state=0)
print(choice.reason)
plots.criteria(choice).figure.savefig(OUT / "criteria.png", dpi=120)

# %% [markdown]
# ## Cluster
# If no number stands out, the choice is ours: six kinds are enough to talk about. The same seed
# gives the same clusters.

# %%
model = KMeans(n_clusters=choice.best_k or 6, random_state=0).fit(dataset)
print(f"{model.n_iter_} iterations: {model.stop_reason_}")
centers = model.cluster_centers_ * dataset.scale + dataset.shift  # in minutes and miles
for size, center in zip(model.cluster_sizes_, centers.round().astype(np.int64), strict=True):
    print(f"{size:>6} flights, center {dict(zip(dataset.names, center.tolist(), strict=True))}")

# %% [markdown]
# ## Look
# How do the kinds differ, how do they lie, and did the fit end?

# %%
for name, ax in {
    "profile": plots.profile(model, dataset),
    "clusters": plots.clusters(model, dataset),
    "convergence": plots.convergence(model),
}.items():
    ax.figure.savefig(OUT / f"{name}.png", dpi=120)

# %% [markdown]
# ## Show a colleague
# One page has all of it, in words and in the units of the table.

# %%
fastkmeans.report(model, dataset, OUT / "flights.html", title="Kinds of flights")
dataset.close()
print(f"open {OUT / 'flights.html'}")
