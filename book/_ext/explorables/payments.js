/* What three agents download for importance coefficients and a degree of altruism that the reader sets: quotas, and the
 * cosine that the mask of a real sum of updates keeps. The curves are those of book.reproduction.masks, in masks_data.js,
 * which the build writes from data/results/masks.json. */
(() => {
  "use strict";
  const { COLOURS, svg, number, enhance, slider, choice, live, payments } = window.fairflExplorables;
  const NAMES = ["A", "B", "C"], LEAST = 0.01;
  const UPDATES = Object.keys(payments.curves);
  const WIDTH = 360, HEIGHT = 290, TOP = 14, BOTTOM = 244, LEFT = 44, RIGHT = 346;
  const ROW = 58, START = 34, END = 286; // of the bars

  /** The recorded cosine at a share of the entries; between two recorded shares on the straight line. */
  function kept(curve, share) {
    const n = payments.points, k = Math.min(Math.floor(Math.sqrt(share) * n), n - 1);
    const [from, to] = [(k / n) ** 2, ((k + 1) / n) ** 2];
    return curve[k] + ((share - from) / (to - from)) * (curve[k + 1] - curve[k]);
  }

  function evaluate({ parts, beta, update }) {
    const total = parts.reduce((sum, part) => sum + part, 0), r = parts.map((part) => part / total);
    const most = Math.tanh(beta * Math.max(...r)), quality = r.map((one) => Math.tanh(beta * one) / most);
    const D = payments.dimension[update.split("/")[0]];
    const share = quality.map((one) => Math.floor(D * one + 1e-9) / D);
    return { r, share, cosine: share.map((one) => kept(payments.curves[update], one)) };
  }

  const percent = (part) => `${number(100 * part, part < 0.0995 ? 1 : 0)} %`;

  function curves({ update }, { share, cosine }) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    svg("title", {}, root, "The cosine of a download to the whole sum, against the share of the entries; a point for each agent.");
    const x = (at) => LEFT + at * (RIGHT - LEFT), y = (at) => BOTTOM - at * (BOTTOM - TOP);
    for (const tick of [0, 0.5, 1]) {
      svg("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(tick), y2: y(tick) }, root);
      svg("text", { x: LEFT - 6, y: y(tick) + 5, "text-anchor": "end" }, root, tick);
      svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: TOP, y2: BOTTOM }, root);
      svg("text", { x: x(tick), y: BOTTOM + 18, "text-anchor": tick === 1 ? "end" : "middle" }, root, tick);
    }
    svg("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 38, "text-anchor": "middle" }, root, "share of the entries, q / D");
    svg("text", { x: RIGHT, y: y(0.06), "text-anchor": "end" }, root, "cosine of the download to the sum");
    const line = (of, style) => svg("polyline", { ...style,
      points: payments.curves[update].map((_, k) => (k / payments.points) ** 2).map((at, k) => `${x(at)},${y(of(at, k))}`).join(" ") }, root);
    line((at) => Math.sqrt(at), { class: "one", fill: "none" });
    line((at, k) => payments.curves[update][k], { class: "curve", stroke: "#444" });
    share.forEach((at, i) => svg("circle", { cx: x(at), cy: y(cosine[i]), r: 7, fill: COLOURS[i], stroke: "white", "stroke-width": 2 }, root));
    return root;
  }

  /** For each agent a hollow bar, its share of the entries, and a full one, its cosine. */
  function bars(state, { r, share, cosine }) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${3 * ROW + 8}`, role: "img" });
    svg("title", {}, root, `Share of the entries and cosine: ${NAMES.map((name, i) => `${name} ${percent(share[i])}, ${number(cosine[i], 2)}`).join("; ")}`);
    NAMES.forEach((name, i) => {
      const top = 4 + i * ROW, reach = (at) => at * (END - START);
      svg("text", { x: 8, y: top + 27, class: "strong" }, root, name);
      svg("rect", { x: START, y: top, width: reach(share[i]), height: 19, fill: "white", stroke: COLOURS[i], "stroke-width": 2 }, root);
      svg("rect", { x: START, y: top + 22, width: reach(Math.max(cosine[i], 0)), height: 19, fill: COLOURS[i] }, root);
      svg("text", { x: END + 6, y: top + 15 }, root, percent(share[i]));
      svg("text", { x: END + 6, y: top + 37, class: "strong" }, root, `cos ${number(cosine[i], 2)}`);
    });
    return root;
  }

  function inWords(state, { r, share, cosine }) {
    const gap = (values) => Math.max(...values) - Math.min(...values);
    return `r = (${r.map((one) => number(one, 2)).join(", ")}), β = ${says(state.beta)}. Between the best and the least paid lie `
      + `<b>${percent(gap(share))} of the entries</b>, and <b>${number(gap(cosine), 2)} of cosine</b>.`;
  }

  const says = (beta) => number(beta, beta < 0.95 ? 2 : beta < 9.95 ? 1 : 0);
  const named = (update) => {
    const [data, round] = update.split("/");
    return `${data === "mnist" ? "MNIST" : data}, round ${round}`;
  };

  function build(controls, change) {
    const shows = NAMES.map((name, i) => slider(controls, `importance of ${name}`, { min: LEAST, max: 1, step: LEAST },
      (at) => change((state) => ({ parts: state.parts.map((part, k) => (k === i ? at : part)) }))));
    const showBeta = slider(controls, "altruism β", { min: -1, max: 2, step: 0.05 }, (at) => change({ beta: 10 ** at }));
    const showUpdate = choice(controls, "whose sum", UPDATES.map((update) => [update, named(update)]), (update) => change({ update }));
    return (state, result) => {
      shows.forEach((show, i) => show(state.parts[i], `${number(result.r[i], 2)} of all`));
      showBeta(Math.log10(state.beta), says(state.beta));
      showUpdate(state.update);
      return [[bars, curves].map((panel) => panel(state, result)), inWords(state, result)];
    };
  }

  const start = (root) => live(root, { parts: [0.5, 0.3, 0.2], beta: 1, update: "digits/10" }, evaluate, build);

  enhance("explorable-payments", start);
})();
