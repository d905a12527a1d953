/* Three hospitals: what each coalition achieves, moved by sliders; what each hospital adds in the six orders of arrival, and
 * the mean of that, its Shapley value. */
(() => {
  "use strict";
  const { COLOURS, set, html, svg, number, enhance, slider, live } = window.fairflExplorables;
  const NAMES = ["A", "B", "C"], ORDERS = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
  const MOST = 100, WIDTH = 360, ROW = 38, SAME = 1e-9;
  const COALITIONS = [1, 2, 4, 3, 5, 6, 7]; // bit k says whether hospital k is in it
  const GAMES = { // values in this order
    "Twins A and B": [60, 60, 30, 60, 90, 90, 90],
    "A pair is needed": [0, 0, 0, 0, 60, 60, 60],
    "Nothing in common": [30, 20, 10, 50, 40, 30, 60],
    "B does harm": [60, 0, 30, 40, 90, 20, 70],
  };

  const members = (coalition) => [0, 1, 2].filter((k) => coalition & (1 << k));
  const says = (coalition) => {
    const names = members(coalition).map((k) => NAMES[k]);
    return names.length === 3 ? "all three" : names.length === 2 ? names.join(" and ") : `${names[0]} alone`;
  };

  function evaluate({ values }) {
    const worth = Array(8).fill(0);
    COALITIONS.forEach((coalition, place) => { worth[coalition] = values[place]; });
    const steps = ORDERS.map((order) => {
      let there = 0;
      return order.map((k) => {
        const before = worth[there];
        there |= 1 << k;
        return [before, worth[there]];
      });
    });
    const added = ORDERS.map((order, row) => [0, 1, 2].map((k) => {
      const [before, after] = steps[row][order.indexOf(k)];
      return after - before;
    }));
    const mean = (k) => added.reduce((total, row) => total + row[k], 0) / ORDERS.length;
    return { worth, steps, added, phi: [0, 1, 2].map(mean), alone: [1, 2, 4].map((one) => worth[one]),
      last: [1, 2, 4].map((one) => worth[7] - worth[7 - one]) };
  }

  /** Eight rooms, from nobody at the bottom to all at the top. */
  function rooms({ worth }) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} 284`, role: "img" });
    svg("title", {}, root, `What each coalition achieves: ${COALITIONS.map((one) => `${says(one)} ${worth[one]}`).join(", ")}.`);
    svg("text", { x: 0, y: 15, class: "strong" }, root, "What they achieve together");
    const size = (coalition) => members(coalition).length;
    const place = {};
    [[0], [1, 2, 4], [3, 5, 6], [7]].forEach((row, level) => row.forEach((coalition, k) => {
      place[coalition] = [WIDTH / 2 + (k - (row.length - 1) / 2) * 116, 262 - level * 74];
    }));
    for (const one of Object.keys(place)) {
      for (const k of [0, 1, 2].filter((agent) => !(one & (1 << agent)))) {
        const [x1, y1] = place[one], [x2, y2] = place[one | (1 << k)];
        svg("line", { x1, y1, x2, y2, stroke: COLOURS[k], "stroke-width": 2, opacity: 0.5 }, root);
      }
    }
    for (const [text, [x, y]] of Object.entries(place)) {
      const one = Number(text), width = 50 + 18 * size(one);
      svg("rect", { x: x - width / 2, y: y - 17, width, height: 34, rx: 6, fill: "white", stroke: "#777" }, root);
      members(one).forEach((k, at) => {
        const cx = x - width / 2 + 15 + 20 * at;
        svg("circle", { cx, cy: y, r: 9, fill: COLOURS[k] }, root);
        set(svg("text", { x: cx, y: y + 4.5, "text-anchor": "middle", "font-size": 12 }, root, NAMES[k]), { style: "fill: white" });
      });
      const right = x + width / 2 - (one ? 8 : width / 2);
      svg("text", { x: right, y: y + 5, "text-anchor": one ? "end" : "middle", class: "strong" }, root, worth[one]);
    }
    return root;
  }

  /** A row for each order; in it each hospital's step from what was there to what is there with it. */
  function stairs({ steps, added }) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${26 + 6 * ROW}`, role: "img" });
    svg("title", {}, root, `What each adds on arrival: ${ORDERS.map((order, row) =>
      `${order.map((k) => `${NAMES[k]} ${number(added[row][k], 0)}`).join(", ")}`).join("; ")}.`);
    svg("text", { x: 0, y: 15, class: "strong" }, root, "What each adds, in six orders");
    const left = 54, right = 240, x = (at) => left + (at / MOST) * (right - left);
    ORDERS.forEach((order, row) => {
      const top = 26 + row * ROW;
      svg("rect", { x: left, y: top, width: right - left, height: ROW - 8, fill: "#f5f5f5" }, root);
      order.forEach((k, at) => {
        const [before, after] = steps[row][at], y = top + 10 * at;
        svg("text", { x: 8 + 14 * at, y: top + 20 }, root, NAMES[k]);
        svg("rect", { x: x(Math.min(before, after)) - 1, y, width: Math.abs(x(after) - x(before)) + 2, height: 10,
          fill: COLOURS[k] }, root);
      });
      const text = order.map((k) => number(added[row][k], 0)).join(", ");
      svg("text", { x: right + 8, y: top + 20 }, root, text);
    });
    return root;
  }

  function answers({ alone, last, phi, worth }) {
    const table = html("table");
    const head = html("tr", {}, html("thead", {}, table)), body = html("tbody", {}, table);
    for (const name of ["", "alone", "if it left", "mean"]) html("th", { scope: "col" }, head, name);
    const row = (name, numbers, style) => {
      const line = html("tr", {}, body);
      set(html("th", { scope: "row" }, line, name), { style });
      for (const [k, at] of numbers.entries()) html(k === 2 ? "th" : "td", {}, line, number(at, Number.isInteger(at) ? 0 : 1));
    };
    const total = (numbers) => Math.round(10 * numbers.reduce((sum, at) => sum + at, 0)) / 10;
    NAMES.forEach((name, k) => row(name, [alone[k], last[k], phi[k]], `border-left: 5px solid ${COLOURS[k]}`));
    row("sum", [alone, last, phi].map(total), "border-left: 5px solid white");
    row("to share out", [worth[7], worth[7], worth[7]], "border-left: 5px solid white");
    return table;
  }

  function inWords(_, { worth, phi }) {
    const found = [];
    for (const [i, j, k] of [[0, 1, 2], [0, 2, 1], [1, 2, 0]]) {
      const [a, b, c] = [1 << i, 1 << j, 1 << k];
      if (worth[a] === worth[b] && worth[a | c] === worth[b | c]) {
        found.push(`${NAMES[i]} and ${NAMES[j]} add the same to everybody, so their values are equal`);
      }
    }
    [0, 1, 2].forEach((k) => {
      if ([0, 1, 2, 4, 3, 5, 6].filter((one) => !(one & (1 << k))).every((one) => worth[one | (1 << k)] === worth[one])) {
        found.push(`${NAMES[k]} never adds anything, so its value is 0`);
      }
    });
    const shown = NAMES.map((name, k) => `${name} ${number(phi[k], Math.abs(phi[k] - Math.round(phi[k])) < SAME ? 0 : 1)}`);
    return `<b>Shapley values: ${shown.join(", ")}</b>, together ${number(worth[7], 0)}, what all three achieve. `
      + (found.length ? `${found.join("; ")}.` : "");
  }

  function build(controls, change) {
    const buttons = html("div", { class: "presets" }, controls);
    for (const [name, values] of Object.entries(GAMES)) {
      html("button", { type: "button" }, buttons, name).addEventListener("click", () => change({ values: [...values] }));
    }
    const shows = COALITIONS.map((one, place) => slider(controls, says(one), { min: 0, max: MOST, step: 1 },
      (at) => change((state) => ({ values: state.values.map((old, k) => (k === place ? at : old)) }))));
    return (state, result) => {
      shows.forEach((show, place) => show(state.values[place], `${state.values[place]}`));
      const left = html("div");
      left.append(rooms(result), answers(result));
      return [[left, stairs(result)], inWords(state, result)];
    };
  }

  enhance("explorable-coalitions", (root) => live(root, { values: [...GAMES["Twins A and B"]] }, evaluate, build));
})();
