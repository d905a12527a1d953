/* Shards of one pool with ten classes, cut by two knobs: the exponent of the sizes, and the classes of the first agent. The
 * library cuts so in `fairfl.partition` (power_law; classes, nested); the tests compare the two. */
(() => {
  "use strict";
  const { COLOURS, html, svg, number, enhance, range, sum, slider, live } = window.fairflExplorables;
  const CLASSES = 10, MEAN = 60, WIDTH = 360, ROW = 26, TOP = 30, LEFT = 78, STEP = 26;
  const CUTS = { UNI: { exponent: 0, first: 10 }, POW: { exponent: 1.659, first: 10 }, CLA: { exponent: 0, first: 1 } };

  /** Rounded down, then one more for the largest remainders, the first of equal ones. */
  function rounded(weights, total) {
    const whole = sum(weights), exact = weights.map((weight) => (total * weight) / whole), sizes = exact.map(Math.floor);
    const order = range(0, exact.length - 1).sort((i, j) => sizes[i] - exact[i] - (sizes[j] - exact[j]) || i - j);
    for (const i of order.slice(0, total - sum(sizes))) sizes[i] += 1;
    return sizes;
  }

  function sizesOf(N, exponent) {
    const sizes = rounded(range(1, N).map((i) => (i / N) ** exponent), N * MEAN);
    sizes.forEach((size, i) => { // nobody is left without a sample
      if (size === 0) [sizes[i], sizes[sizes.indexOf(Math.max(...sizes))]] = [1, Math.max(...sizes) - 1];
    });
    return sizes;
  }

  /** Agent i holds the first k_i classes, equally many of each; the odd samples are of the last ones. */
  function evaluate({ N, exponent, first }) {
    const sizes = sizesOf(N, exponent);
    const kinds = range(0, N - 1).map((i) => first + Math.floor(((CLASSES - first) * i) / (N - 1)));
    const held = sizes.map((size, i) => range(1, kinds[i]).map((j) =>
      Math.floor(size / kinds[i]) + (j > kinds[i] - (size % kinds[i]) ? 1 : 0)));
    return { sizes, kinds, held, bound: held.map((row) => row.filter(Boolean).length / CLASSES) };
  }

  function frame(title, rows) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${TOP + rows * ROW + 28}`, role: "img" });
    svg("title", {}, root, title);
    return root;
  }

  const colour = (i) => COLOURS[i % COLOURS.length], middle = (i) => TOP + (i + 0.5) * ROW;
  const name = (i, root) => svg("text", { x: LEFT - 12, y: middle(i) + 5, "text-anchor": "end" }, root, `agent ${i + 1}`);

  function discs({ N }, { held }) {
    const root = frame("What each agent holds: a disc for each class, its area the number of samples.", N);
    svg("text", { x: 0, y: 15, class: "strong" }, root, "Samples of each class");
    const most = Math.max(...held.flat());
    held.forEach((row, i) => {
      name(i, root);
      row.forEach((count, k) => svg("circle", { cx: LEFT + 12 + k * STEP, cy: middle(i), r: (ROW / 2 - 1) * Math.sqrt(count / most),
        fill: colour(i) }, root));
    });
    for (const k of range(0, CLASSES - 1)) {
      svg("text", { x: LEFT + 12 + k * STEP, y: TOP + N * ROW + 18, "text-anchor": "middle" }, root, k);
    }
    return root;
  }

  function bars({ N }, { sizes, bound }) {
    const root = frame("The number of samples of each agent, and what it can get right alone at most.", N);
    svg("text", { x: 0, y: 15, class: "strong" }, root, "Samples in all");
    svg("text", { x: WIDTH, y: 15, class: "strong", "text-anchor": "end" }, root, "alone at most");
    const most = Math.max(...sizes), room = 160;
    sizes.forEach((size, i) => {
      name(i, root);
      const width = (size / most) * room;
      svg("rect", { x: LEFT, y: middle(i) - ROW / 2 + 3, width, height: ROW - 6, fill: colour(i) }, root);
      svg("text", { x: LEFT + width + 6, y: middle(i) + 5 }, root, size);
      svg("text", { x: WIDTH, y: middle(i) + 5, "text-anchor": "end" }, root, `${number(100 * bound[i], 0)} %`);
    });
    return root;
  }

  function inWords({ N }, { sizes, bound }) {
    const times = sizes[N - 1] / sizes[0], mean = (100 * sum(bound)) / N, alone = number(100 * bound[0], 0);
    const amount = times === 1 ? "All agents hold equally many samples" : `Agent ${N} holds ${number(times, times < 10 ? 1 : 0)} times as many samples as agent 1`;
    const kind = bound.every((part) => part === 1) ? "and all hold every class: they differ in quantity at most"
      : `and agent 1 alone can be right on at most <b>${alone} %</b> of new digits, because it holds no other class; the mean over the agents is ${number(mean, 0)} %`;
    return `${amount}, ${kind}.`;
  }

  function build(controls, change) {
    const row = html("div", {}, controls), label = (text) => html("span", {}, row, text);
    label("Cut as");
    const buttons = Object.entries(CUTS).map(([cut, knobs]) => {
      const button = html("button", { type: "button" }, row, cut);
      button.addEventListener("click", () => change(knobs));
      row.append(" ");
      return [button, knobs];
    });
    const showExponent = slider(controls, "exponent γ of the sizes", { min: 0, max: 3, step: 0.001 }, (exponent) => change({ exponent }));
    const showFirst = slider(controls, "classes of agent 1", { min: 1, max: CLASSES, step: 1 }, (first) => change({ first }));
    const showN = slider(controls, "agents N", { min: 2, max: 10, step: 1 }, (N) => change({ N }));
    return (state, result) => {
      for (const [button, knobs] of buttons) {
        button.setAttribute("aria-pressed", Object.entries(knobs).every(([knob, at]) => state[knob] === at));
      }
      showExponent(state.exponent, number(state.exponent, 2));
      showFirst(state.first, `${state.first}`);
      showN(state.N, `${state.N}`);
      return [[discs, bars].map((panel) => panel(state, result)), inWords(state, result)];
    };
  }

  const start = (root) => live(root, { N: 5, ...CUTS.POW }, evaluate, build);

  enhance("explorable-partition", start);
})();
