/* One round of each method on the same three uploads of six numbers: with which weights they are summed, and what each agent
 * downloads. The numbers are those of book.theory.three_uploads, the rules those of fairfl.mechanisms; the tests compare. */
(() => {
  "use strict";
  const { COLOURS, svg, number, enhance, range, sum, choice, live } = window.fairflExplorables;
  const NAMES = ["A", "B", "C"], SIZES = [160, 40, 160], ROUND = 20, LR = 0.2, GAMMA = 0.5, ALPHA = 0.95, D = 6;
  const UPLOADS = [[0.4, 0.3, 0.2, 0.1, 0, 0.1], [0.2, 0.2, 0.1, 0, -0.1, 0]];
  const CASES = { // worth: accuracy of the models of nobody, C, B, BC, A, AC, AB, ABC
    "half wrong": { C: [-0.1, 0.2, 0.1, -0.2, 0, 0.3], losses: [0.5, 0.6, 1.6], worth: [0.8, 0.72, 0.82, 0.78, 0.84, 0.8, 0.86, 0.82],
      r: [0.42, 0.38, 0.2], c: [0.36, 0.34, 0.3], ci: [0.3, 0.12, 0.02] },
    right: { C: [0.3, 0.3, 0.2, 0.1, 0.1, -0.1], losses: [0.5, 0.6, 0.5], worth: [0.8, 0.84, 0.82, 0.85, 0.84, 0.87, 0.86, 0.88],
      r: [0.35, 0.3, 0.35], c: [0.34, 0.32, 0.34], ci: [0.2, 0.1, 0.2] },
  };

  const dot = (x, y) => sum(x.map((at, k) => at * y[k])), norm = (x) => Math.sqrt(dot(x, x));
  const scaled = (x, by) => x.map((at) => at * by), shares = (x) => scaled(x, 1 / sum(x));
  const weighted = (weights, rows) => range(0, D - 1).map((k) => sum(rows.map((row, i) => weights[i] * row[k])));
  const p = shares(SIZES), largest = (x) => scaled(x, 1 / Math.max(...x));

  /** The Shapley value of the game with these values, agent 0 being the highest bit. */
  function shapley(v) {
    return range(0, 2).map((i) => {
      const bit = 4 >> i, others = range(0, 2).filter((j) => j !== i).map((j) => 4 >> j), [x, y] = others;
      const gain = (S) => v[S + bit] - v[S];
      return (2 * gain(0) + gain(x) + gain(y) + 2 * gain(x + y)) / 6;
    });
  }

  /** Each rule: the weights, the part of the sum that each downloads, whether updates are summed as they are, what it says. */
  const RULES = {
    Standalone: () => ({ weights: null, part: [1, 1, 1], says: "Nobody shares anything; each keeps its own update" }),
    FedAvg: () => ({ weights: p, part: [1, 1, 1], says: "Weights by samples, and everything for everybody" }),
    "q-FFL": ({ raw, losses }) => {
      const all = sum(losses.map((loss, i) => loss * (1 + dot(raw[i], raw[i]) / (LR * loss))));
      return { weights: scaled(losses, 1 / all), part: [1, 1, 1], raw: true, says: "Weights by losses: the worst off counts most" };
    },
    DW: () => ({ weights: p, part: largest(SIZES), says: "The download grows with the number of samples" }),
    RR: () => ({ weights: p, part: NAMES.map((_, i) => Number((ROUND - 1) % 3 === i)), says: "In round 20 it is B's turn; the others wait" }),
    EU: ({ raw }) => {
      const mean = weighted(p, raw), d = raw.map((row) => norm(row.map((at, k) => at - mean[k])));
      return { weights: p, part: d.map((at) => Math.min(...d) / at), says: `Distances to the mean: ${d.map((at) => number(at, 2)).join(", ")}; the nearest gets all` };
    },
    ECI: ({ worth, ci }) => {
      const index = shapley(worth).map((phi, i) => ci[i] + phi);
      return { weights: p, part: largest(index).map((at) => Math.max(at, 0)), says: `Sums of Shapley values of the accuracy: ${index.map((at) => number(at, 2)).join(", ")}` };
    },
    CFFL: ({ worth, c }) => {
      const sinh = shares(scaled(shares([worth[4], worth[2], worth[1]]), 3).map(Math.sinh)), now = c.map((at, i) => 0.8 * at + 0.2 * sinh[i]);
      return { weights: p, part: largest(now), raw: true, says: `Reputations from the accuracy of each own model: ${now.map((at) => number(at, 2)).join(", ")}` };
    },
    CGSV: ({ u, r }) => {
      const total = weighted(r, u), psi = u.map((row) => dot(row, total) / norm(row) / norm(total));
      const now = shares(r.map((at, i) => ALPHA * at + (1 - ALPHA) * psi[i]));
      return { weights: r, part: largest(now.map(Math.tanh)), says: `Cosines to the sum: ${psi.map((at) => number(at, 2)).join(", ")}; they renew r to ${now.map((at) => number(at, 2)).join(", ")}` };
    },
  };

  function mask(x, count) {
    const first = range(0, D - 1).sort((j, k) => Math.abs(x[k]) - Math.abs(x[j]) || j - k).slice(0, count);
    return x.map((at, k) => (first.includes(k) ? at : 0));
  }

  function evaluate({ method, labels }) {
    const known = CASES[labels], raw = [...UPLOADS, known.C], u = raw.map((row) => scaled(row, GAMMA / norm(row)));
    const { weights, part, raw: as, says } = RULES[method]({ ...known, raw, u });
    const total = weights && weighted(weights, as ? raw : u), kept = part.map((at) => Math.floor(D * at + 1e-9));
    return { raw, weights, total, kept, says, downloads: kept.map((count, i) => mask(total ?? raw[i], count)) };
  }

  const WIDTH = 360, ROW = 52, LEFT = 46, CELL = 42;

  /** A row of six bars, up or down from its middle; those that are not sent are outlines. */
  function bars(root, top, values, colour, full, faded = null) {
    const middle = top + ROW / 2, high = ROW / 2 - 5;
    svg("line", { class: "axis", x1: LEFT, x2: LEFT + D * CELL, y1: middle, y2: middle }, root);
    values.forEach((at, k) => {
      const size = Math.max((Math.abs(at) / full) * high, 0.5), y = at > 0 ? middle - size : middle, sent = !faded || faded[k] !== 0;
      svg("rect", { x: LEFT + k * CELL + 4, y, width: CELL - 8, height: size, fill: sent ? colour : "white",
        stroke: sent ? colour : "#bbb", "stroke-width": 1 }, root);
    });
  }

  function frame(title, head, right, rows) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${28 + rows * ROW}`, role: "img" });
    svg("title", {}, root, title);
    svg("text", { x: 0, y: 15, class: "strong" }, root, head);
    svg("text", { x: WIDTH, y: 15, class: "strong", "text-anchor": "end" }, root, right);
    return root;
  }

  function named(root, top, name, text, colour) {
    svg("text", { x: 0, y: top + ROW / 2 + 5, class: "strong", style: `fill: ${colour}` }, root, name);
    svg("text", { x: WIDTH, y: top + ROW / 2 + 5, "text-anchor": "end" }, root, text);
  }

  function above(state, { raw, weights }) {
    const root = frame("The three uploads, and the weights with which they are summed.", "What they upload", "weight", 3);
    raw.forEach((row, i) => {
      bars(root, 28 + i * ROW, row, COLOURS[i], 0.45);
      named(root, 28 + i * ROW, NAMES[i], weights ? number(weights[i], 2) : "none", COLOURS[i]);
    });
    return root;
  }

  function below(state, { raw, total, downloads, kept }) {
    const root = frame("What each agent downloads; outlines are entries that it does not get.", "What they download", "entries", 3);
    downloads.forEach((row, i) => {
      const whole = total ?? raw[i];
      bars(root, 28 + i * ROW, whole, COLOURS[i], Math.max(...whole.map(Math.abs)) * 1.05, kept[i] === D ? null : row);
      named(root, 28 + i * ROW, NAMES[i], `${kept[i]} of ${D}`, COLOURS[i]);
    });
    return root;
  }

  function inWords({ labels }, { kept, says }) {
    const [a, , c] = kept, whom = labels === "right" ? "" : c < a ? " C, half of whose labels are wrong, gets less than A, which has as many samples."
      : " C, half of whose labels are wrong, gets no less than A.";
    return `${says}. A, B and C download <b>${kept.join(", ")}</b> of ${D} entries.${whom}`;
  }

  function build(controls, change) {
    const names = Object.keys(RULES).map((name) => [name, name]);
    const showMethod = choice(controls, "Method", names, (method) => change({ method }));
    const showLabels = choice(controls, "Labels of hospital C", [["half wrong", "half of them wrong"], ["right", "all right"]],
      (labels) => change({ labels }));
    return (state, result) => {
      showMethod(state.method);
      showLabels(state.labels);
      return [[above, below].map((panel) => panel(state, result)), inWords(state, result)];
    };
  }

  const start = (root) => live(root, { method: "FedAvg", labels: "half wrong" }, evaluate, build);

  enhance("explorable-rules", start);
})();
