/* What each method computes beside training, as a multiple of it: counted operations, as book.theory.costs counts them. The
 * tests compare the two, and the counts of the networks with PyTorch's. */
(() => {
  "use strict";
  const { COLOURS, svg, number, enhance, slider, choice, live } = window.fairflExplorables;
  const PERMUTATIONS = 10, SIZE = 600; // of ECI beyond five agents; samples of an agent
  const NETWORKS = { // parameters, multiplications for one sample, and to train on it
    "MNIST, 104,242 parameters": [104242, 4635856, 13389168],
    "CIFAR-10, 121,182 parameters": [121182, 2327720, 6042360],
    "SST, 5,336,705 parameters": [5336705, 7621500, 22864500],
    "MR, 6,073,502 parameters": [6073502, 8340600, 25021800],
  };
  const METHODS = [ // name, models tried by n agents, passes over vectors beyond lengths and sum, colour
    ["FedAvg", () => 0, () => 0, 6],
    ["DW", () => 0, (n, D) => n + Math.log2(D), 4],
    ["EU", () => 0, (n, D) => 2 * n + Math.log2(D), 5],
    ["CGSV", () => 0, (n, D) => 2 * n + Math.log2(D), 0],
    ["CGSV, exact", () => 0, (n, D) => 2 * n + Math.log2(D) + n ** 2 / 2 + 2 ** n / D, 0],
    ["q-FFL", () => null, () => 0, 2],
    ["CFFL", (n) => n, (n, D) => 2 * n + Math.log2(D), 1],
    ["ECI", (n) => (n <= 5 ? 2 ** n : 2 + PERMUTATIONS * (n - 1)), (n, D, K) => 2 * n + Math.log2(D) + n * K, 3],
    ["ECI, all", (n) => 2 ** n, (n, D, K) => 2 * n + Math.log2(D) + n * K, 3],
  ];
  const WIDTH = 420, ROW = 28, TOP = 26, LEFT = 104, RIGHT = 330, LOW = 1e-5, HIGH = 1e4;

  function evaluate({ network, N, V, E }) {
    const [D, f, train] = NETWORKS[network], training = N * SIZE * E * train;
    return { ratios: METHODS.map(([, tries, more]) => {
      const K = tries(N), tried = K === null ? N * SIZE : K * V;
      return (tried * f + (2 * N + more(N, D, K)) * D) / training;
    }) };
  }

  const x = (ratio) => LEFT + (Math.log(Math.min(Math.max(ratio, LOW), HIGH) / LOW) / Math.log(HIGH / LOW)) * (RIGHT - LEFT);

  /** One or two digits that a reader can take in: 12,000 or 3.4 or 0.0007. */
  const short = (ratio) => (ratio >= 1e6 ? `${Math.round(Number((ratio / 1e6).toPrecision(2)))} million` : ratio >= 10 ? Math.round(Number(ratio.toPrecision(2))).toLocaleString("en-US")
    : number(Number(ratio.toPrecision(2)), Math.max(1, 1 - Math.floor(Math.log10(ratio)))));

  function bars(state, { ratios }) {
    const bottom = TOP + METHODS.length * ROW;
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${bottom + 44}`, role: "img", style: "max-width: 640px" });
    svg("title", {}, root, "Operations beside training over those of training, a bar for each method, on a logarithmic axis.");
    for (const tick of [1e-4, 1e-2, 1, 100, 1e4]) {
      svg("line", { class: tick === 1 ? "one" : "grid", x1: x(tick), x2: x(tick), y1: TOP, y2: bottom }, root);
      svg("text", { x: x(tick), y: bottom + 18, "text-anchor": "middle" }, root, tick.toLocaleString("en-US", { maximumFractionDigits: 4 }));
    }
    svg("text", { x: x(1), y: TOP - 8, "text-anchor": "middle", class: "strong" }, root, "as much as training");
    svg("text", { x: (LEFT + RIGHT) / 2, y: bottom + 38, "text-anchor": "middle" }, root, "beside training / training");
    METHODS.forEach(([name, , , colour], k) => {
      const top = TOP + k * ROW;
      svg("text", { x: LEFT - 8, y: top + 19, "text-anchor": "end" }, root, name);
      svg("rect", { x: LEFT, y: top + 5, width: Math.max(x(ratios[k]) - LEFT, 1), height: ROW - 10, fill: COLOURS[colour] }, root);
      svg("text", { x: x(ratios[k]) + 6, y: top + 19, class: "halo" }, root, short(ratios[k]));
    });
    return root;
  }

  function inWords({ N }, { ratios }) {
    const of = (name) => ratios[METHODS.findIndex(([method]) => method === name)];
    const dear = METHODS.filter((_, k) => ratios[k] >= 1).map(([name]) => name);
    return `With ${N} agents CGSV needs <b>${short(of("CGSV"))}</b> of the training, CFFL ${short(of("CFFL"))}, `
      + `ECI ${short(of("ECI"))}${N > 5 ? " by sampling" : ""}. `
      + (dear.length ? `At least as much as training: ${dear.join(", ")}.` : "Nobody needs as much as training.");
  }

  function build(controls, change) {
    const names = Object.keys(NETWORKS).map((name) => [name, name]);
    const showNetwork = choice(controls, "Network", names, (network) => change({ network }));
    const showN = slider(controls, "agents N", { min: 2, max: 30, step: 1 }, (N) => change({ N }));
    const showV = slider(controls, "validation samples V", { min: 2, max: 4, step: 0.05 }, (at) => change({ V: Math.round(10 ** at) }));
    const showE = slider(controls, "local epochs E", { min: 1, max: 5, step: 1 }, (E) => change({ E }));
    return (state, result) => {
      showNetwork(state.network);
      showN(state.N, `${state.N}`);
      showV(Math.log10(state.V), state.V.toLocaleString("en-US"));
      showE(state.E, `${state.E}`);
      return [[bars(state, result)], inWords(state, result)];
    };
  }

  const start = (root) => live(root, { network: Object.keys(NETWORKS)[0], N: 10, V: 1000, E: 1 }, evaluate, build);

  enhance("explorable-overhead", start);
})();
