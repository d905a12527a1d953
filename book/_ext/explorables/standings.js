/* Who is in front: all methods on a column, from the records. The numbers and words are in standings_data.js, which the
 * build writes from the records with book.reproduction.pages.standings. */
(() => {
  "use strict";
  const { COLOURS, html, svg, number, enhance, choice, live, standings } = window.fairflExplorables;
  const WIDTH = 400, ROW = 24, TOP = 26, LEFT = 96, RIGHT = 388;
  const LOOK = { leads: COLOURS[0], "not told apart": "#555555", behind: COLOURS[1] };

  const evaluate = ({ column, quantity, convention }) => standings.places[[column, quantity, convention].join("/")];

  /** Round numbers for the axis, three to seven of them. */
  function ticks(low, high) {
    const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].find((size) => (high - low) / size <= 6) ?? 200;
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high + 1e-9; k += 1) found.push([k * step, step < 0.1 ? 2 : step < 1 ? 1 : 0]);
    return found;
  }

  function points(title, rows) {
    const all = rows.flatMap(([, values, , low, high]) => [...values, ...(low === null ? [] : [low, high])]);
    const least = Math.min(...all), most = Math.max(...all), pad = Math.max(0.06 * (most - least), 0.05);
    const x = (at) => LEFT + 8 + ((at - least + pad) / (most - least + 2 * pad)) * (RIGHT - LEFT - 16);
    const bottom = TOP + rows.length * ROW;
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${bottom + 48}`, role: "img" });
    svg("title", {}, root, `${title}: ${rows.map(([name, , mean, , , word]) => `${name} ${mean === null ? "" : number(mean, 1)} ${word}`).join(", ")}`);
    svg("text", { x: 0, y: 15, class: "strong" }, root, title);
    for (const [at, digits] of all.length ? ticks(least - pad, most + pad) : []) {
      svg("line", { class: at === 0 ? "one" : "grid", x1: x(at), x2: x(at), y1: TOP, y2: bottom }, root);
      svg("text", { x: x(at), y: bottom + 18, "text-anchor": "middle" }, root, number(at, digits));
    }
    rows.forEach(([name, values, mean, low, high, word], k) => {
      const y = TOP + (k + 0.5) * ROW, colour = LOOK[word] ?? "#767676";
      svg("text", { x: 0, y: y + 5 }, root, name);
      if (mean === null) {
        svg("text", { x: LEFT + 8, y: y + 5 }, root, "undefined or noise");
        return;
      }
      if (low !== null) svg("line", { x1: x(low), x2: x(high), y1: y, y2: y, stroke: colour, "stroke-width": 2 }, root);
      for (const value of values) svg("circle", { cx: x(value), cy: y, r: 3, fill: "white", stroke: colour, "stroke-width": 1.2 }, root);
      svg("circle", { cx: x(mean), cy: y, r: 5, fill: colour }, root);
    });
    const keys = Object.entries(LOOK);
    keys.forEach(([word, colour], k) => {
      svg("circle", { cx: 8 + k * 120, cy: bottom + 35, r: 5, fill: colour }, root);
      svg("text", { x: 18 + k * 120, y: bottom + 40 }, root, word);
    });
    return root;
  }

  function build(controls, change) {
    const choices = { column: ["Data, agents, partition", standings.columns], quantity: ["Quantity", standings.quantities],
      convention: ["Accuracy of the models", standings.conventions] };
    const shows = Object.entries(choices).map(([name, [text, options]]) =>
      [name, choice(controls, text, Object.entries(options), (value) => change({ [name]: value }))]);
    return (state, { rows, words }) => {
      for (const [name, show] of shows) show(state[name]);
      return [[points(standings.quantities[state.quantity], rows)], html("span", {}, null, words).innerHTML];
    };
  }

  const columns = Object.keys(standings.columns), first = "mnist-10-cla";
  const start = (root) => live(root, { column: columns.includes(first) ? first : columns[0], quantity: "mean",
    convention: "downloaded" }, evaluate, build);

  enhance("explorable-standings", start);
})();
