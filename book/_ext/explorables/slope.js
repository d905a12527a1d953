/* The first-order law for updates of one length: phi_i - 1/N = slope_N(c) (psi_i / sum psi - 1/N). */
(() => {
  "use strict";
  const { COLOURS, svg, label, number, enhance, range, slope, slider, live } = window.fairflExplorables;
  const FEWEST = 3, MOST = 100, SHOWN = 10, SPREAD = 0.1;
  const WIDTH = 360, HEIGHT = 294, TOP = 30, BOTTOM = 250, LEFT = 42, RIGHT = 346;
  const LOW = 0.8, HIGH = 1.7; // the slope is between .866 and 1.579 for these N and rho

  /** At most ten agents, evenly spread over 10 % around the mean share 1/N. */
  function evaluate({ N, rho }) {
    const c = slope(N, rho), count = Math.min(N, SHOWN);
    const shares = range(0, count - 1).map((k) => (1 + SPREAD * ((2 * k) / (count - 1) - 1)) / N);
    return { slope: c, shares, phi: shares.map((share) => 1 / N + c * (share - 1 / N)) };
  }

  const linear = (low, high, from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);

  function frame(title) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    svg("title", {}, root, title);
    return root;
  }

  function law({ N, rho }, result) {
    const root = frame(`The slope against the number of agents N, for the mean cosine ${number(rho, 2)}.`);
    const log = linear(Math.log(FEWEST), Math.log(MOST), LEFT, RIGHT), x = (n) => log(Math.log(n)), y = linear(LOW, HIGH, BOTTOM, TOP);
    svg("rect", { x: LEFT, y: TOP, width: RIGHT - LEFT, height: y(1) - TOP, class: "above" }, root);
    svg("rect", { x: LEFT, y: y(1), width: RIGHT - LEFT, height: BOTTOM - y(1), class: "below" }, root);
    svg("text", { x: LEFT + 8, y: TOP + 20 }, root, "ψ understates differences");
    svg("text", { x: RIGHT - 8, y: BOTTOM - 12, "text-anchor": "end" }, root, "ψ overstates differences");
    for (const tick of [0.8, 1, 1.2, 1.4, 1.6]) {
      svg("line", { class: tick === 1 ? "one" : "grid", x1: LEFT, x2: RIGHT, y1: y(tick), y2: y(tick) }, root);
      svg("text", { x: LEFT - 8, y: y(tick) + 5, "text-anchor": "end" }, root, tick.toFixed(1));
    }
    for (const tick of [3, 5, 10, 20, 50, 100]) {
      svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: TOP, y2: BOTTOM }, root);
      svg("text", { x: x(tick), y: BOTTOM + 18, "text-anchor": "middle" }, root, tick);
    }
    svg("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 38, "text-anchor": "middle" }, root, "agents N");
    label("slope", { x: LEFT, y: TOP - 10, "text-anchor": "middle" }, root);
    const points = range(FEWEST, MOST).map((n) => `${x(n)},${y(slope(n, rho))}`);
    svg("polyline", { points: points.join(" "), class: "curve", stroke: COLOURS[0] }, root);
    svg("circle", { cx: x(N), cy: y(result.slope), r: 7, fill: COLOURS[1], stroke: "white", "stroke-width": 2 }, root);
    return root;
  }

  function shares({ N }, result) {
    const root = frame("Shares of ψ of some agents, joined by lines to their φ.");
    const y = linear(0.83, 1.17, BOTTOM, TOP), from = LEFT + 62, to = RIGHT - 40;
    for (const tick of [0.9, 1, 1.1]) {
      svg("line", { class: tick === 1 ? "one" : "grid", x1: from, x2: to, y1: y(tick), y2: y(tick) }, root);
      svg("text", { x: from - 14, y: y(tick) + 5, "text-anchor": "end" }, root, `${tick}/N`);
    }
    result.shares.forEach((share, i) => {
      const ends = [y(share * N), y(result.phi[i] * N)];
      svg("line", { x1: from + 5, y1: ends[0], x2: to, y2: ends[1], class: "joined", stroke: COLOURS[0] }, root);
      svg("circle", { cx: from, cy: ends[0], r: 4.5, class: "psi", stroke: COLOURS[0] }, root);
      svg("circle", { cx: to, cy: ends[1], r: 4.5, fill: COLOURS[0] }, root);
    });
    svg("text", { x: from, y: BOTTOM + 18, "text-anchor": "middle" }, root, "ψ / sum of ψ");
    svg("text", { x: to, y: BOTTOM + 18, "text-anchor": "middle" }, root, "φ");
    const some = N > SHOWN ? `${SHOWN} of ${N} agents` : `${N} agents`;
    svg("text", { x: (from + to) / 2, y: BOTTOM + 38, "text-anchor": "middle" }, root, some);
    return root;
  }

  function inWords({ N, rho }, { slope: c }) {
    const what = Math.abs(c - 1) < 0.0005 ? "states the differences between agents as they are"
      : `${c < 1 ? "overstates" : "understates"} the differences between agents`;
    return `The slope is <b>${number(c)}</b> for N = ${N} and c = ${number(rho, 2)}: ψ ${what}.`;
  }

  function build(controls, change) {
    const showN = slider(controls, "agents N", { min: FEWEST, max: MOST, step: 1 }, (N) => change({ N }));
    const showRho = slider(controls, "mean pairwise cosine c", { min: 0, max: 1, step: 0.01 }, (rho) => change({ rho }));
    return (state, result) => {
      showN(state.N, number(state.N, 0));
      showRho(state.rho, number(state.rho, 2));
      return [[law, shares].map((panel) => panel(state, result)), inWords(state, result)];
    };
  }

  const start = (root) => live(root, { N: 10, rho: 0.3 }, evaluate, build);

  enhance("explorable-slope", start);
})();
