/* The recorded label-noise run: what each agent weighs in the sum, and how far its model falls behind, round by round. The
 * record is in label_noise_data.js, which the build writes from data/results/fig2-mnist-seed0.json. */
(() => {
  "use strict";
  const { COLOURS, svg, number, apart, enhance, player, live, label_noise: record } = window.fairflExplorables;
  const { r, server_distance: distance } = record.history.series, LAST = record.settings.rounds;
  const WRONG = record.settings.label_noise, GONE = 0.01; // a weight below it no longer counts
  const WIDTH = 360, HEIGHT = 250, TOP = 34, BOTTOM = 208, LEFT = 36, RIGHT = 252;

  const evaluate = ({ t }) => ({ r: r.values[t - 1], distance: distance.values[t - 1] });
  const name = (k) => (WRONG[k] ? `${number(100 * WRONG[k], 0)} % wrong` : "none wrong");

  /** The lines as far as they have come; the rest is still to be seen. */
  function chart(title, series, full, ticks, t) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    const now = series.values[t - 1];
    svg("title", {}, root, `${title}, round ${t}: ${now.map((at, k) => `${name(k)}: ${number(at, 2)}`).join("; ")}`);
    svg("text", { x: 0, y: 15, class: "strong" }, root, title);
    const x = (round) => LEFT + ((round - 1) / (LAST - 1)) * (RIGHT - LEFT), y = (at) => BOTTOM - (at / full) * (BOTTOM - TOP);
    for (const tick of ticks) {
      svg("line", { class: tick ? "grid" : "grid axis", x1: LEFT, x2: RIGHT, y1: y(tick), y2: y(tick) }, root);
      svg("text", { x: LEFT - 6, y: y(tick) + 5, "text-anchor": "end" }, root, tick);
    }
    for (const round of [1, 20, 40, 60]) svg("text", { x: x(round), y: BOTTOM + 18, "text-anchor": "middle" }, root, round);
    svg("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 37, "text-anchor": "middle" }, root, "round");
    const heights = apart(now.map(y), 16, BOTTOM);
    now.forEach((at, k) => {
      const points = series.values.slice(0, t).map((row, i) => `${x(i + 1)},${y(row[k])}`), colour = COLOURS[k];
      svg("polyline", { points: points.join(" "), class: "curve", stroke: colour }, root);
      svg("circle", { cx: x(t), cy: y(at), r: 6, fill: colour, stroke: "white", "stroke-width": 1.5 }, root);
      svg("line", { x1: x(t) + 6, y1: y(at), x2: x(t) + 15, y2: heights[k], stroke: colour, "stroke-width": 1.5 }, root);
      svg("text", { x: x(t) + 17, y: heights[k] + 5, "font-size": 13 }, root, name(k));
    });
    return root;
  }

  function inWords({ t }, result) {
    const gone = WRONG.filter((_, k) => result.r[k] < GONE).map((part) => `${number(100 * part, 0)} %`);
    const least = result.r.indexOf(Math.min(...result.r));
    const alike = Math.max(...result.r) < 1.25 * result.r[least];
    const found = gone.length ? `<b>Who has ${gone.sort().reverse().join(" or ")} wrong labels has lost all weight.</b>`
      : alike ? "Nobody has told the server whose labels are wrong; all five weigh nearly the same."
        : `<b>The agent with ${name(least)} labels weighs least</b>, ${number(result.r[least], 2)}.`;
    const far = result.distance.indexOf(Math.max(...result.distance));
    return `Round ${t} of ${LAST}. ${found} `
      + (t > 10 ? `Farthest behind the server's model: the agent with ${name(far)}, by ${number(result.distance[far], 2)}.` : "");
  }

  function build(controls, change) {
    const show = player(controls, "round", { first: 1, last: LAST, delay: 120 }, (t) => change({ t }));
    return (state, result) => {
      show(state.t, `${state.t}`);
      return [[chart("Weight in the sum", r, 0.5, [0, 0.1, 0.2, 0.3, 0.4, 0.5], state.t),
        chart("Distance behind the server", distance, 2, [0, 0.5, 1, 1.5, 2], state.t)], inWords(state, result)];
    };
  }

  enhance("explorable-label_noise", (root) => live(root, { t: 1 }, evaluate, build));
})();
