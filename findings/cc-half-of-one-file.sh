#!/usr/bin/env bash
# CC1/2 of one unmerged MTZ has three different values, depending on the program.
#
# One would guess: CC1/2 of the same 3,072 observations is the same in every program, apart from the random choice of halves.
# What happens: random halves (iotbx) give 0.77, the sigma-tau method, which needs no halves, 0.66 (iotbx, and gemmi without weights),
# and sigma-tau with weights 1/sigma^2, gemmi's default, 0.82. Weak and strong observations are mixed here, as on stills; the
# values cannot be compared between programs.
# Seen with: gemmi 0.7.3, numpy 2.4.6, iotbx of DIALS 3.12.1 (Debian 12, python3-dials)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1
iotbx=$python
installs gemmi==0.7.3 numpy==2.4.6

seen="gemmi, default: 0.82
gemmi, without weights: 0.66
iotbx, random halves: 0.77
iotbx, sigma-tau: 0.66"
came_out=$(
  "$python" - <<'CODE'
import gemmi
import numpy as np

random = np.random.default_rng(5)
indices = np.array([(h, k, l) for h in range(1, 9) for k in range(1, 9) for l in range(1, 9)])
rows = np.repeat(np.arange(len(indices)), 6)
sigmas = random.uniform(20, 200, len(rows))
intensities = random.exponential(100, len(indices))[rows] + random.normal(0, sigmas)
mtz = gemmi.Mtz(with_base=True)
mtz.spacegroup = gemmi.SpaceGroup("P 21 21 21")
mtz.set_cell_for_all(gemmi.UnitCell(50, 60, 70, 90, 90, 90))
mtz.add_dataset("made")
for name, kind in (("M/ISYM", "Y"), ("BATCH", "B"), ("I", "J"), ("SIGI", "Q")):
    mtz.add_column(name, kind)
ones, batches = np.ones(len(rows)), np.arange(len(rows)) % 6 + 1
mtz.set_data(np.column_stack([indices[rows], ones, batches, intensities, sigmas]).astype("f4"))
for number in range(1, 7):
    batch = gemmi.Mtz.Batch()
    batch.number = number
    mtz.batches.append(batch)
mtz.write_to_file("unmerged.mtz")

unmerged = gemmi.Intensities()
unmerged.import_mtz(gemmi.read_mtz_file("unmerged.mtz"), gemmi.DataType.Unmerged)
for words, weights in (("default", {}), ("without weights", {"use_weights": "U"})):
    print(f"gemmi, {words}: {unmerged.calculate_merging_stats(None, **weights)[0].cc_half():.2f}")
CODE
  "$iotbx" - 2>/dev/null <<'CODE'
from iotbx import merging_statistics, mtz

arrays = mtz.object("unmerged.mtz").as_miller_arrays(merge_equivalents=False)
(unmerged,) = [array for array in arrays if array.is_xray_intensity_array()]
overall = merging_statistics.dataset_statistics(unmerged, n_bins=1).overall
print(f"iotbx, random halves: {overall.cc_one_half:.2f}")
print(f"iotbx, sigma-tau: {overall.cc_one_half_sigma_tau:.2f}")
CODE
)
compare "$seen" "$came_out"
