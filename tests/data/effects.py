"""Reference numbers for segue's readings of experiments, from statsmodels, SciPy and NumPy.

Prints cases as JSON: what the units of two arms did, and what is to be read from it. `effects.json` beside this script
is what it printed for seed 1:  python3 effects.py 1 > effects.json

Standard errors of the arms come from statsmodels: ordinary least squares on one row an outcome with a constant alone,
clustered by unit. The adjusted reading has no ready-made function: its derivatives are taken by complex steps and its
variance from NumPy's covariances, so that no formula of segue's is used.
"""

import json
import sys

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import stats

EXPECTED_EFFECT = 0.01


def arm(rng, units, lift, kind):
    """Rows of value, per, before, before_per."""
    activity = rng.gamma(2.0, 3.0, units)
    liking = rng.beta(4.0, 6.0, units)
    per = 1 + rng.poisson(activity)
    before_per = 1 + rng.poisson(activity)
    value = rng.binomial(per, np.minimum(liking * (1 + lift), 1))
    before = rng.binomial(before_per, liking)
    if kind == "per_unit":
        per = before_per = np.ones(units, dtype=int)
    return np.stack([value, per, before, before_per], axis=1).astype(float)


def metric(units, kind):
    """An arm's value and its standard error."""
    if kind == "per_unit":
        fit = sm.OLS(units[:, 0], np.ones(len(units))).fit()
    else:
        rows = [(i, j < u[0]) for i, u in enumerate(units) for j in range(int(u[1]))]
        who, liked = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
        # The correction G/(G-1) (N-1)/(N-K) is G/(G-1) with a constant alone.
        fit = sm.OLS(liked, np.ones(len(rows))).fit(cov_type="cluster", cov_kwds={"groups": who, "use_correction": True})
    return fit.params[0], fit.bse[0]


def derivatives(f, at):
    step = 1e-40
    return np.array([f(at + step * 1j * np.eye(len(at))[i]).imag / step for i in range(len(at))])


def adjusted(control, treatment):
    n = (len(control), len(treatment))
    means = np.concatenate([control.mean(axis=0), treatment.mean(axis=0)])
    covariance = np.zeros((8, 8))
    covariance[:4, :4] = np.cov(control.T, ddof=1) / n[0]
    covariance[4:, 4:] = np.cov(treatment.T, ddof=1) / n[1]

    def after(m):
        return m[4] / m[5] - m[0] / m[1]

    def before(m):
        return m[6] / m[7] - m[2] / m[3]

    d_after, d_before = derivatives(after, means), derivatives(before, means)
    slope = (d_after @ covariance @ d_before) / (d_before @ covariance @ d_before)

    def relative(m):
        pooled = (n[0] * m[2] + n[1] * m[6]) / (n[0] * m[3] + n[1] * m[7])
        base = m[0] / m[1] - slope * (m[2] / m[3] - pooled)
        return (m[4] / m[5] - slope * (m[6] / m[7] - pooled)) / base - 1

    d = derivatives(relative, means)
    return relative(means), np.sqrt(d @ covariance @ d)


def case(rng, kind, sizes, lift):
    control, treatment = arm(rng, sizes[0], 0.0, kind), arm(rng, sizes[1], lift, kind)
    (base, base_error), (value, value_error) = metric(control, kind), metric(treatment, kind)
    relative = value / base - 1
    error = np.sqrt(value_error**2 / base**2 + value**2 * base_error**2 / base**4)
    low, high = stats.norm.interval(0.95, loc=relative, scale=error)
    variance, mixed = error**2, EXPECTED_EFFECT**2
    # The half-width at which the mixture's likelihood ratio reaches 1 / 0.05, found rather than derived.
    log_ratio = lambda half: (
        stats.norm.logpdf(half, scale=np.sqrt(variance + mixed)) - stats.norm.logpdf(half, scale=error) - np.log(20)
    )
    half = scipy.optimize.brentq(log_ratio, 0, 1000 * error, xtol=1e-16, rtol=1e-14)
    adjusted_relative, adjusted_error = adjusted(control, treatment)
    return {
        "kind": kind,
        "control": control.tolist(),
        "treatment": treatment.tolist(),
        "relative": relative,
        "error": error,
        "interval": [low, high],
        "p_value": 2 * stats.norm.sf(abs(relative / error)),
        "always_valid": [relative - half, relative + half],
        "adjusted": [adjusted_relative, adjusted_error],
    }


def ratio(units, weights):
    expected = np.array(weights) / sum(weights) * sum(units)
    statistic, p_value = stats.chisquare(units, expected)
    return {"units": units, "weights": weights, "chi_square": statistic, "p_value": p_value}


def main(seed):
    rng = np.random.default_rng(seed)
    shapes = [("per_unit", (40, 60), 0.05), ("ratio", (50, 40), 0.02), ("per_unit", (30, 30), 0.0), ("ratio", (70, 75), -0.1)]
    ratios = [
        ([1000, 1100], [0.5, 0.5]),
        ([5000, 5010, 4990], [1 / 3, 1 / 3, 1 / 3]),
        ([100, 300, 90, 510], [0.1, 0.3, 0.1, 0.5]),
        ([9000, 1200], [0.9, 0.1]),
        ([1, 2, 3, 4, 5, 6], [0.1, 0.1, 0.2, 0.2, 0.2, 0.2]),
    ]
    made_by = {"statsmodels": statsmodels.__version__, "scipy": scipy.__version__, "numpy": np.__version__, "seed": seed}
    cases = [case(rng, *shape) for shape in shapes]
    json.dump({"made_by": made_by, "cases": cases, "ratios": [ratio(*r) for r in ratios]}, sys.stdout)
    print()


if __name__ == "__main__":
    main(int(sys.argv[1]))
