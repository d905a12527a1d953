/* The game v(S) = cos(u_S, u_N) from the Gram matrix of the updates, by going through all 2^N coalitions, and the slope
 * of the first-order law. The library computes the same in `fairfl.cgsv` and `fairfl.approximation`; the tests compare
 * the two. A coalition is a number whose bit i says whether agent i is in it. */
(() => {
  "use strict";
  const CANCELLED = 1e-13; // u_S counts as 0 where |u_S|^2 is at most this times (sum of the members' norms)^2
  const ROUNDING = 1e-14;

  const sum = (values, of = (value) => value) => values.reduce((total, value) => total + of(value), 0);
  const range = (first, last) => Array.from({ length: Math.max(last - first + 1, 0) }, (_, k) => first + k);
  const holds = (S, i) => (S >> i) & 1;

  const norms = (G) => G.map((row, i) => Math.sqrt(row[i]));
  const cancels = (G) => sum(G, (row) => sum(row)) <= CANCELLED * sum(norms(G)) ** 2;

  /** For each coalition: its size, g = <u_S, u_N> / |u_N|, |u_S|^2 and the value v. Needs u_N != 0. */
  function coalitions(G) {
    const inner = G.map((row) => sum(row)), length = Math.sqrt(sum(inner)), alone = norms(G);
    return range(0, 2 ** G.length - 1).map((S) => {
      const members = range(0, G.length - 1).filter((i) => holds(S, i));
      const square = sum(members, (i) => sum(members, (j) => G[i][j])), g = sum(members, (i) => inner[i]) / length;
      const alive = square > CANCELLED * sum(members, (i) => alone[i]) ** 2;
      return { size: members.length, g, square, v: alive ? g / Math.sqrt(square) : 0 };
    });
  }

  /** Probability that one given coalition of m of the other agents comes before agent i in a random order. */
  const weight = (n, m) => range(1, m).reduce((w, k) => (w * k) / (n - k), 1 / n);

  function shapley(all, worth) {
    const n = Math.log2(all.length);
    return range(0, n - 1).map((i) =>
      sum(range(0, all.length - 1).filter((S) => holds(S, i)), (S) =>
        weight(n, all[S].size - 1) * (worth(all[S]) - worth(all[S ^ (1 << i)]))));
  }

  /** Eq. (3): the value of each agent alone. */
  const psi = (G) => (cancels(G) ? G.map(() => 0) : G.map((_, i) => coalitions(G)[1 << i].v));

  /** Eq. (2): the Shapley value. */
  const phi = (G) => (cancels(G) ? G.map(() => 0) : shapley(coalitions(G), (S) => S.v));

  /** The least eigenvalue, by Jacobi's rotations. */
  function leastEigenvalue(G) {
    const A = G.map((row) => [...row]), n = A.length;
    for (let sweep = 0; sweep < 30; sweep++) {
      for (const p of range(0, n - 2)) for (const q of range(p + 1, n - 1)) {
        if (A[p][q] === 0) continue;
        const angle = 0.5 * Math.atan2(2 * A[p][q], A[q][q] - A[p][p]), c = Math.cos(angle), s = Math.sin(angle);
        for (const row of A) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
        [A[p], A[q]] = [A[p].map((x, k) => c * x - s * A[q][k]), A[p].map((x, k) => s * x + c * A[q][k])];
      }
    }
    return Math.min(...A.map((row, i) => row[i]));
  }

  /** {centre, radius}: |phi_i - centre_i| <= radius_i for certain; certified: the pairs [i, j] with phi_i > phi_j for
   * certain. An agent without an update has the value 0 and does not change the others'. */
  function certificate(G) {
    const agents = range(0, G.length - 1), active = agents.filter((i) => G[i][i] > 0);
    const centre = G.map(() => 0), radius = G.map(() => 0), sure = agents.map(() => agents.map(() => false));
    if (!cancels(G)) {
      const found = bounds(active.map((i) => active.map((j) => G[i][j])));
      active.forEach((i, k) => {
        centre[i] = (found.lower[k] + found.upper[k]) / 2;
        radius[i] = (found.upper[k] - found.lower[k]) / 2;
        active.forEach((j, l) => { sure[i][j] = found.gap(k, l) > 0; });
      });
    }
    const certified = agents.flatMap((i) => agents
      .filter((j) => sure[i][j] || centre[i] - centre[j] > radius[i] + radius[j]).map((j) => [i, j]));
    return { centre, radius, certified };
  }

  /* 1/|u_S| is developed to first order around the mean of |u_S|^2 over coalitions of this size. The Shapley value of
   * that game, w, is the centre. With x = |u_S|^2 / mean the error of v is v (x-1)^2 times at most `factor`, and
   * |v| <= 1; where all psi_i >= 0 also v >= 0, so the error has a sign and each side needs only its own half. The
   * difference of two values depends only on coalitions that hold exactly one of the two agents. */
  function bounds(G) {
    const n = G.length, all = coalitions(G), some = range(1, all.length - 1);
    const own = sum(range(0, n - 1), (i) => G[i][i]), whole = sum(G, (row) => sum(row));
    const mean = (s) => (s / n) * own + ((s * (s - 1)) / Math.max(n * (n - 1), 1)) * (whole - own);
    const x = (S) => (S.size === n ? 1 : S.square / mean(S.size)); // of all agents it is 1, without rounding
    const w = shapley(all, (S) => (S.size ? (S.g / Math.sqrt(mean(S.size))) * (1.5 - x(S) / 2) : 0));
    const least = Math.max(leastEigenvalue(G) - ROUNDING * n * own, 0);
    const y = Math.sqrt(Math.min(...range(1, n).map((s) => (s * least) / mean(s))));
    const factor = (y + 2) / (2 * (y + 1) ** 2);
    const error = (S) => factor * (x(S) - 1) ** 2;
    const oneSided = G.every((row) => sum(row) >= 0);
    const rounding = (ROUNDING * n * sum(norms(G))) / Math.sqrt(whole);
    const joined = w.map((_, i) =>
      sum(some.filter((S) => holds(S, i)), (S) => weight(n, all[S].size - 1) * error(all[S])));
    const before = w.map((_, i) =>
      sum(some.filter((S) => !holds(S, i)), (S) => weight(n, all[S].size) * error(all[S])));
    const apart = (i, j) => // from the coalitions with i and without j
      sum(some.filter((S) => holds(S, i) && !holds(S, j)), (S) => weight(n - 1, all[S].size - 1) * error(all[S]));
    return {
      lower: w.map((value, i) => value - before[i] - (oneSided ? 0 : joined[i]) - rounding),
      upper: w.map((value, i) => value + joined[i] + (oneSided ? 0 : before[i]) + rounding),
      gap: (i, j) => w[i] - w[j] - apart(j, i) - (oneSided ? 0 : apart(i, j)) - rounding,
    };
  }

  /** c_N(rho): updates of one length and mean cosine rho have phi_i - 1/N = c_N (psi_i / sum psi - 1/N) to first order.
   * N >= 3. */
  function slope(N, rho) {
    const square = (s) => s * (1 + (s - 1) * rho), ratio = (s) => Math.sqrt(square(N) / square(s));
    const numerator = sum(range(1, N - 1), ratio) / (N - 1);
    const denominator = sum(range(2, N - 1), (s) => s * (s - 1) * ratio(s) ** 3) / (N * (N - 1) * (N - 2));
    return numerator - denominator;
  }

  window.fairflExplorables = { psi, phi, certificate, slope, sum, range };
})();
