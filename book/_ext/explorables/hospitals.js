/* Three hospitals: the recorded runs of book.reproduction.hospitals, chosen by what each hospital has and by beta. The
 * record is in hospitals_data.js, which the build writes from data/results/hospitals.json. */
(() => {
  "use strict";
  const { COLOURS, svg, number, enhance, choice, live, hospitals } = window.fairflExplorables;
  const WIDTH = 360, ROW = 30, LEFT = 30, RIGHT = 296;
  const ALTRUISM = { 1: "little (β = 1)", 5: "more (β = 5)", inf: "all alike (β = ∞)" };

  function evaluate({ kinds, beta }) {
    const run = hospitals.runs[[...kinds, beta].join("/")];
    const alone = kinds.map((kind, k) => hospitals.alone[`${hospitals.names[k]}/${kind}`]);
    return { value: run.value, share: run.share, home: run.accuracy.at(-1), alone };
  }

  /** A row for each hospital; marks are drawn in black across the bars. */
  function bars(title, numbers, full, texts, marks = []) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${24 + 3 * ROW}`, role: "img" });
    svg("title", {}, root, `${title}: ${hospitals.names.map((name, k) => `${name} ${texts[k]}`).join(", ")}`);
    svg("text", { x: 0, y: 15, class: "strong" }, root, title);
    const x = (at) => LEFT + (Math.max(at, 0) / full) * (RIGHT - LEFT);
    numbers.forEach((at, k) => {
      const top = 24 + k * ROW;
      svg("text", { x: 8, y: top + 17, class: "strong" }, root, hospitals.names[k]);
      svg("rect", { x: LEFT, y: top, width: RIGHT - LEFT, height: ROW - 8, fill: "#f2f2f2" }, root);
      svg("rect", { x: LEFT, y: top, width: x(at) - LEFT, height: ROW - 8, fill: COLOURS[k] }, root);
      if (marks.length) svg("rect", { x: x(marks[k]) - 1.5, y: top - 2, width: 3, height: ROW - 4, fill: "black" }, root);
      svg("text", { x: RIGHT + 8, y: top + 17 }, root, texts[k]);
    });
    return root;
  }

  const percent = (part) => `${number(100 * part, 0)} %`;

  function inWords(state, { value, share, home, alone }) {
    const name = (k) => hospitals.names[k];
    const low = value.indexOf(Math.min(...value)), high = value.indexOf(Math.max(...value));
    const gap = Math.max(...home) - Math.min(...home), losers = home.map((at, k) => at < alone[k] && name(k)).filter(Boolean);
    return `The server values <b>${name(high)} most and ${name(low)} least</b> (${number(value[high], 2)} and ${number(value[low], 2)}). `
      + `${name(low)} downloads ${percent(share[low])} of the entries. Their models differ by ${number(gap, 1)} points. `
      + (losers.length ? `${losers.join(" and ")} would do better alone.` : "All do better together than alone.");
  }

  function build(controls, change) {
    const kinds = Object.entries(hospitals.kinds).map(([kind, [images, wrong]]) =>
      [kind, `${images} images, ${wrong ? `${100 * wrong} % of the labels wrong` : "all labels right"}`]);
    const shows = hospitals.names.map((name, k) => choice(controls, `Hospital ${name}`, kinds,
      (kind) => change((state) => ({ kinds: state.kinds.map((old, j) => (j === k ? kind : old)) }))));
    const showBeta = choice(controls, "Altruism of the server", hospitals.betas.map((beta) => [beta, ALTRUISM[beta]]),
      (beta) => change({ beta }));
    return (state, result) => {
      shows.forEach((show, k) => show(state.kinds[k]));
      showBeta(state.beta);
      const shown = [
        bars("Value of each", result.value, 1, result.value.map((at) => number(at, 2))),
        bars("Part of the sum that it downloads", result.share, 1, result.share.map(percent)),
        bars("New digits its model gets right (mark: alone)", result.home, 100,
          result.home.map((at) => `${number(at, 0)} %`), result.alone),
      ];
      return [shown, inWords(state, result)];
    };
  }

  const start = (root) => live(root, { kinds: ["many", "few", "many, half wrong"], beta: "1" }, evaluate, build);

  enhance("explorable-hospitals", start);
})();
