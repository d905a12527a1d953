/* Two agents, the server and a loss F(w) = (x^2 + kappa y^2) / 2 with its minimum in the middle, all moved by hand: who is
 * nearer to the server, and who has the smaller loss? */
(() => {
  "use strict";
  const { COLOURS, set, html, svg, number, enhance, slider, drag } = window.fairflExplorables;
  const START = { agents: [[0.1, 0.9], [-1.3, -0.3]], server: [0.1, 0.05], kappa: 8 };
  const LIMIT = 1.5, UNIT = 100, ROW = 30, WIDTH = 360, LEFT = 30, RIGHT = 300;
  const NAMES = ["agent 1", "agent 2", "server"];
  const within = (x) => Math.round(Math.min(Math.max(x, -LIMIT), LIMIT) * 100) / 100;
  const between = ([x, y], [p, q]) => Math.hypot(x - p, y - q);

  /** The better paid agent is the one nearer to the server, as the mechanism means it to be. `sure`: the theorem's
   * condition without downloads, so that the loss cannot be larger. */
  function evaluate({ agents, server, kappa }) {
    const distance = agents.map((agent) => between(agent, server)), error = Math.hypot(...server);
    const loss = agents.map(([x, y]) => (x * x + kappa * y * y) / 2);
    const near = distance[0] <= distance[1] ? 0 : 1, far = 1 - near;
    const sure = distance[far] - error >= Math.sqrt(kappa) * (distance[near] + error);
    return { distance, error, loss, near: near + 1, fair: loss[near] <= loss[far], sure };
  }

  function inWords(state, { distance, error, near, fair, sure }) {
    const other = 3 - near, [a, b] = [distance[near - 1], distance[other - 1]];
    const needed = Math.sqrt(state.kappa) * (a + error) + error;
    return `Agent ${near} is nearer to the server: ${number(a, 2)} against ${number(b, 2)}. `
      + (fair ? `<b>It has the smaller loss: fair.</b> ` : `<b>It has the larger loss: not fair.</b> `)
      + (sure ? `It had to be so, with agent ${other} more than ${number(needed, 2)} away.`
        : `To be sure of a smaller loss, agent ${other} would have to be ${number(needed, 2)} away.`);
  }

  function plane(parent, move) {
    const edge = LIMIT * UNIT + 14;
    const root = svg("svg", { viewBox: `${-edge} ${-edge} ${2 * edge} ${2 * edge}`, role: "group" }, parent);
    svg("title", {}, root, "Two agents and the server in the plane, with lines of equal loss. Move them by dragging, or with the arrow keys.");
    svg("rect", { x: -LIMIT * UNIT, y: -LIMIT * UNIT, width: 2 * LIMIT * UNIT, height: 2 * LIMIT * UNIT, fill: "#fafafa" }, root);
    const lines = [0.1, 0.4, 0.9, 1.6, 2.5].map(() => svg("ellipse", { class: "grid", fill: "none" }, root));
    const own = [0, 1].map((i) => svg("ellipse", { fill: "none", stroke: COLOURS[i], "stroke-width": 2 }, root));
    const rings = [0, 1].map((i) => svg("circle", { fill: "none", stroke: COLOURS[i], "stroke-width": 1.5, "stroke-dasharray": "3 4" }, root));
    svg("path", { d: "M-7 0H7M0 -7V7M-5 -5L5 5M-5 5L5 -5", stroke: "black", "stroke-width": 1.5 }, root);
    const handles = NAMES.map((name, i) => {
      const handle = svg("g", { class: "handle", tabindex: 0, role: "slider", "aria-roledescription": "movable point",
        "aria-valuemin": -LIMIT, "aria-valuemax": LIMIT }, root);
      svg("circle", { r: 22, fill: "transparent" }, handle); // as large as a finger
      svg("circle", { r: 11, fill: "white", stroke: i < 2 ? COLOURS[i] : "black", "stroke-width": 3, class: "tip" }, handle);
      svg("text", { "text-anchor": "middle", y: 5, class: "strong" }, handle, i < 2 ? i + 1 : "S");
      drag(root, handle, UNIT, (change) => move(i, change));
      return handle;
    });
    return ({ agents, server, kappa }, { distance, loss }) => {
      const flat = (value) => ({ rx: Math.sqrt(2 * value) * UNIT, ry: Math.sqrt((2 * value) / kappa) * UNIT });
      lines.forEach((line, k) => set(line, flat([0.1, 0.4, 0.9, 1.6, 2.5][k])));
      own.forEach((line, i) => set(line, flat(loss[i])));
      rings.forEach((ring, i) => set(ring, { cx: server[0] * UNIT, cy: -server[1] * UNIT, r: distance[i] * UNIT }));
      [...agents, server].forEach((place, i) => {
        const at = `(${place.map((part) => number(part, 2)).join(", ")})`;
        set(handles[i], { transform: `translate(${place[0] * UNIT} ${-place[1] * UNIT})`,
          "aria-label": `${NAMES[i]}, ${at}`, "aria-valuenow": place[0], "aria-valuetext": at });
      });
    };
  }

  function bars(title, numbers) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${28 + 2 * ROW}`, role: "img" });
    svg("title", {}, root, `${title}: ${numbers.map((at, k) => `agent ${k + 1} ${number(at, 2)}`).join(", ")}`);
    svg("text", { x: 0, y: 16, class: "strong" }, root, title);
    const most = Math.max(...numbers, 0.01);
    numbers.forEach((at, k) => {
      const top = 26 + k * ROW;
      svg("text", { x: 8, y: top + 17, class: "strong" }, root, k + 1);
      svg("rect", { x: LEFT, y: top, width: (at / most) * (RIGHT - LEFT), height: ROW - 8, fill: COLOURS[k] }, root);
      svg("text", { x: LEFT + (at / most) * (RIGHT - LEFT) + 8, y: top + 17 }, root, number(at, 2));
    });
    return root;
  }

  function start(root) {
    let state = START, result;
    const controls = html("div", { class: "controls" }, root), panels = html("div", { class: "panels" }, root);
    const left = html("div", {}, panels), right = html("div", {}, panels);
    const words = html("p", { class: "words", "aria-live": "polite" }, root);
    const drawPlane = plane(left, move);
    const showKappa = slider(controls, "condition number ϰ, how much steeper the loss is up and down than sideways",
      { min: 1, max: 30, step: 1 }, (kappa) => become({ ...state, kappa }));

    function move(i, change) {
      const moved = change(i < 2 ? state.agents[i] : state.server).map(within);
      become(i < 2 ? { ...state, agents: state.agents.map((at, k) => (k === i ? moved : at)) } : { ...state, server: moved });
      return moved;
    }

    function become(changed) {
      state = changed;
      result = evaluate(state);
      showKappa(state.kappa, number(state.kappa, 0));
      drawPlane(state, result);
      right.replaceChildren(bars("Distance to the server", result.distance), bars("Loss of the model", result.loss));
      words.innerHTML = inWords(state, result);
    }

    become(state);
    Object.defineProperty(root, "explorable", { value: {
      get state() { return { ...state }; },
      set state(changed) { become({ ...changed }); },
      get result() { return result; },
    } });
  }

  enhance("explorable-fair", start);
})();
