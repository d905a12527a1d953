/* Two hospitals on a map with two valleys: local steps, averaging, and three ways to treat the lengths of their updates. The
 * chapter "Learning together" computes the same in Python. */
(() => {
  "use strict";
  const { COLOURS, svg, number, apart, enhance, slider, choice, player, live } = window.fairflExplorables;
  const NAMES = ["A", "B"], ROUNDS = 20, RATE = 0.3, GAMMA = 0.3, DECAY = 0.85, START = [0.2, -1.1];
  const VALLEYS = [ // where the loss of each is least, and how it rises: xx, xy, yy
    { at: [-0.9, 0.4], rise: [1, 0.3, 0.4] },
    { at: [0.8, 0.7], rise: [0.3, -0.1, 1.1] },
  ];
  const LENGTHS = { raw: "as they come", constant: "one length", decaying: "one length, shorter each round" };

  const slope = ({ at, rise: [a, b, c] }, [x, y]) => [a * (x - at[0]) + b * (y - at[1]), b * (x - at[0]) + c * (y - at[1])];
  function height(valley, w) {
    const [p, q] = slope(valley, w);
    return (p * (w[0] - valley.at[0]) + q * (w[1] - valley.at[1])) / 2;
  }

  /** The point where the losses, weighted, are least. */
  function lowest(weights) {
    let [a, b, c, p, q] = [0, 0, 0, 0, 0];
    VALLEYS.forEach((valley, k) => {
      const [g, h] = slope(valley, [0, 0]).map((part) => -part * weights[k]);
      [a, b, c, p, q] = [a + weights[k] * valley.rise[0], b + weights[k] * valley.rise[1], c + weights[k] * valley.rise[2], p + g, q + h];
    });
    const det = a * c - b * b;
    return [(c * p - b * q) / det, (a * q - b * p) / det];
  }

  function evaluate({ steps, share, lengths }) {
    const weights = [share, 1 - share], path = [START], walks = [];
    const both = (w) => weights[0] * height(VALLEYS[0], w) + weights[1] * height(VALLEYS[1], w);
    for (let t = 1; t <= ROUNDS; t += 1) {
      const from = path.at(-1), next = [...from];
      walks.push(VALLEYS.map((valley, k) => {
        const walk = [from];
        for (let step = 0; step < steps; step += 1) {
          const here = walk.at(-1), down = slope(valley, here);
          walk.push(here.map((part, j) => part - RATE * down[j]));
        }
        const update = walk.at(-1).map((part, j) => part - from[j]), size = Math.hypot(...update);
        const gamma = lengths === "raw" ? size : GAMMA * (lengths === "decaying" ? DECAY ** (t - 1) : 1);
        update.forEach((part, j) => { next[j] += (size ? gamma / size : 0) * weights[k] * part; });
        return walk;
      }));
      path.push(next);
    }
    const best = lowest(weights);
    return { path, walks, best, least: both(best), loss: path.map(both),
      each: VALLEYS.map((valley) => path.map((w) => height(valley, w))) };
  }

  function map({ t }, { path, walks, best }) {
    const unit = 118, edge = 1.5, root = svg("svg", { viewBox: "-178 -142 356 296", role: "img" });
    svg("title", {}, root, `A map with the valleys of A and B and the way of the server, now after round ${t}.`);
    const x = (w) => w[0] * unit, y = (w) => -w[1] * unit;
    svg("rect", { x: -edge * unit, y: -1.2 * unit, width: 2 * edge * unit, height: 2.5 * unit, fill: "#f7f7f7" }, root);
    // What lies beyond the map is left out, not covered: it would make a phone's page wider.
    const within = ([p, q]) => Math.abs(p) <= edge && q <= 1.2 && q >= -1.3;
    const line = (points, attributes) => {
      const d = points.map((w, i) => (within(w) ? `${i && within(points[i - 1]) ? "L" : "M"}${x(w)} ${y(w)}` : "")).join("");
      svg("path", { d: d || "M0 0", fill: "none", ...attributes }, root);
    };
    const dots = (points, r, fill) => points.filter(within).forEach((w) => svg("circle", { cx: x(w), cy: y(w), r, fill }, root));
    VALLEYS.forEach(({ at, rise: [a, b, c] }, k) => {
      const middle = (a + c) / 2, half = Math.hypot((a - c) / 2, b), turn = Math.atan2(2 * b, a - c) / 2;
      for (const level of [0.05, 0.2, 0.45, 0.8]) {
        const [long, wide] = [middle + half, middle - half].map((rise) => Math.sqrt((2 * level) / rise));
        line([...Array(181).keys()].map((k2) => {
          const [p, q] = [long * Math.cos((k2 * Math.PI) / 90), wide * Math.sin((k2 * Math.PI) / 90)];
          return [at[0] + p * Math.cos(turn) - q * Math.sin(turn), at[1] + p * Math.sin(turn) + q * Math.cos(turn)];
        }), { stroke: COLOURS[k], opacity: 0.35 });
      }
      svg("circle", { cx: x(at), cy: y(at), r: 10, fill: COLOURS[k] }, root);
      svg("text", { x: x(at), y: y(at) + 5, "text-anchor": "middle", style: "fill: white", class: "strong" }, root, NAMES[k]);
    });
    svg("path", { d: "M-6 0H6M0 -6V6", transform: `translate(${x(best)} ${y(best)}) rotate(45)`, stroke: "black", "stroke-width": 3 }, root);
    line(path.slice(0, t + 1), { stroke: "#444", "stroke-width": 2 });
    dots(path.slice(0, t + 1), 3, "#444");
    if (t) walks[t - 1].forEach((walk, k) => {
      line(walk, { stroke: COLOURS[k], "stroke-width": 2.5 });
      dots(walk.slice(1), 2.5, COLOURS[k]);
    });
    svg("circle", { cx: x(path[t]), cy: y(path[t]), r: 7, fill: "#444", stroke: "white", "stroke-width": 2 }, root);
    return root;
  }

  function chart({ t }, { loss, each, least }) {
    const WIDTH = 360, HEIGHT = 262, TOP = 32, BOTTOM = 216, LEFT = 34, RIGHT = 286, full = 1.6;
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    const x = (round) => LEFT + (round / ROUNDS) * (RIGHT - LEFT), y = (at) => BOTTOM - (Math.min(at, full) / full) * (BOTTOM - TOP);
    svg("title", {}, root, `Loss of the server's model after round ${t}: ${number(each[0][t], 2)} for A, ${number(each[1][t], 2)} for B, `
      + `${number(loss[t], 2)} for both together.`);
    svg("text", { x: 0, y: 15, class: "strong" }, root, "Loss of the server's model");
    for (const tick of [0, 0.5, 1, 1.5]) {
      svg("line", { class: tick ? "grid" : "grid axis", x1: LEFT, x2: RIGHT, y1: y(tick), y2: y(tick) }, root);
      svg("text", { x: LEFT - 6, y: y(tick) + 5, "text-anchor": "end" }, root, tick);
    }
    svg("line", { class: "one", x1: LEFT, x2: RIGHT, y1: y(least), y2: y(least) }, root);
    for (const round of [0, 5, 10, 15, 20]) svg("text", { x: x(round), y: BOTTOM + 18, "text-anchor": "middle" }, root, round);
    svg("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 37, "text-anchor": "middle" }, root, "round");
    const lines = [...each.map((values, k) => [values, COLOURS[k], `for ${NAMES[k]}`]), [loss, "#444", "for both"]];
    const heights = apart(lines.map(([values]) => y(values[t])), 16, BOTTOM);
    lines.forEach(([values, colour, name], k) => {
      const points = values.slice(0, t + 1).map((at, round) => `${x(round)},${y(at)}`);
      svg("polyline", { points: points.join(" "), class: "curve", stroke: colour }, root);
      svg("circle", { cx: x(t), cy: y(values[t]), r: 5, fill: colour }, root);
      svg("text", { x: x(t) + 9, y: heights[k] + 5, "font-size": 13 }, root, name);
    });
    return root;
  }

  function inWords({ t, steps }, { loss, least, path, best }) {
    const off = Math.hypot(path[t][0] - best[0], path[t][1] - best[1]);
    const verdict = t < ROUNDS ? "" : loss[t] < least + 0.005 ? " <b>The server has come to the cross, the best point for both together.</b>"
      : ` <b>The server ends ${number(off, 2)} away from the cross, the best point for both together.</b>`;
    return `Round ${t} of ${ROUNDS}, ${steps} local step${steps > 1 ? "s" : ""} in each. Loss for both together ${number(loss[t], 3)}; `
      + `the least there is, dashed: ${number(least, 3)}.${verdict}`;
  }

  function build(controls, change) {
    const showRound = player(controls, "round", { first: 0, last: ROUNDS, delay: 350 }, (t) => change({ t }));
    const showSteps = slider(controls, "local steps in a round", { min: 1, max: 20, step: 1 }, (steps) => change({ steps }));
    const showShare = slider(controls, "share of A's data", { min: 0.1, max: 0.9, step: 0.1 }, (share) => change({ share }));
    const showLengths = choice(controls, "length of the updates", Object.entries(LENGTHS), (lengths) => change({ lengths }));
    return (state, result) => {
      showRound(state.t, `${state.t}`);
      showSteps(state.steps, `${state.steps}`);
      showShare(state.share, `${number(100 * state.share, 0)} %`);
      showLengths(state.lengths);
      return [[map(state, result), chart(state, result)], inWords(state, result)];
    };
  }

  enhance("explorable-averaging", (root) => live(root, { t: 0, steps: 1, share: 0.5, lengths: "raw" }, evaluate, build));
})();
