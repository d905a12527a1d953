/* What one of four agents takes home for the samples that it brings, under some mechanisms: means over the seeds of
 * book.reproduction.contribution_game, in contributions_data.js, which the build writes from
 * data/results/contribution-game.json. The reader sets what it brings, what the others bring, and what a sample costs. */
(() => {
  "use strict";
  const { COLOURS, svg, number, enhance, slider, choice, live, contributions: game } = window.fairflExplorables;
  const NAMES = { Standalone: "alone", FedAvg: "FedAvg", CGSV: "CGSV, β = 1", "CGSV beta inf": "CGSV, β = ∞", CFFL: "CFFL",
    Lin: "Lin", IAFL: "IAFL", "stale 2": "CGSV, stale", "energy 1": "CGSV, energy" };
  const T = 2.201; // of 11 degrees of freedom, for 12 seeds
  const WIDTH = 360, TOP = 40, BOTTOM = 236, LEFT = 42, RIGHT = 346, ROW = 30, FROM = 110, TO = 266;
  const range = [...game.levels.keys()];

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const percent = (right) => (100 * right) / game.test;

  /** For each seed the accuracy of an agent that brings level `own` where three bring level `others`, and of those. */
  function taken(mechanism, own, others) {
    if (mechanism === "Standalone") {
      return game.alone.map((levels) => [own, others].map((k) => percent(mean(levels[k]))));
    }
    const profile = [own, others, others, others].sort((a, b) => a - b), run = profile.map((k) => game.levels[k]).join("-");
    return game.runs[`${mechanism}/${run}`].map((right) => [own, others].map(
      (level) => percent(mean(right.filter((_, i) => profile[i] === level)))));
  }

  function evaluate({ own, others, cost, mechanism }) {
    const found = {};
    for (const name of Object.keys(NAMES)) {
      const levels = range.map((k) => taken(name, k, others));
      const accuracy = levels.map((seeds) => mean(seeds.map(([one]) => one)));
      const utility = accuracy.map((one, k) => one - cost * game.levels[k]);
      const half = levels.map((seeds, k) => T * Math.sqrt(
        seeds.reduce((sum, [one]) => sum + (one - accuracy[k]) ** 2, 0) / (seeds.length - 1) / seeds.length));
      found[name] = { accuracy, half, utility, best: utility.indexOf(Math.max(...utility)),
        others: mean(levels[own].map(([, other]) => other)) };
    }
    return { found, own: found[mechanism].accuracy[own] };
  }

  function bars({ own, mechanism }, { found }) {
    const names = Object.keys(NAMES), root = svg("svg", { viewBox: `0 0 ${WIDTH} ${TOP + names.length * ROW + 26}`, role: "img" });
    const said = names.map((name) => `${NAMES[name]} ${number(found[name].accuracy[own], 1)}`);
    svg("title", {}, root, `What you take home, percent: ${said.join("; ")}`);
    svg("text", { x: 0, y: 16, class: "strong" }, root, "You take home");
    svg("text", { x: WIDTH, y: 16, class: "strong", "text-anchor": "end" }, root, "best answer");
    names.forEach((name, i) => {
      const top = TOP - 14 + i * ROW, reach = (at) => (at / 100) * (TO - FROM), { accuracy, others, best } = found[name];
      svg("text", { x: 0, y: top + 15, class: name === mechanism ? "strong" : "" }, root, NAMES[name]);
      svg("rect", { x: FROM, y: top, width: TO - FROM, height: 20, fill: "#f2f2f2" }, root);
      svg("rect", { x: FROM, y: top, width: reach(accuracy[own]), height: 20, fill: name === mechanism ? COLOURS[1] : COLOURS[0] }, root);
      svg("rect", { x: FROM + reach(others) - 1.5, y: top - 3, width: 3, height: 26, fill: "black" }, root);
      svg("text", { x: TO + 6, y: top + 15 }, root, number(accuracy[own], 1));
      svg("text", { x: WIDTH, y: top + 15, "text-anchor": "end" }, root, game.levels[best]);
    });
    svg("text", { x: 0, y: TOP + names.length * ROW + 12 }, root, "percent of test images; mark: each other agent");
    return root;
  }

  function curves({ own, mechanism }, { found }) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} 300`, role: "img" }), { accuracy, half, utility, best } = found[mechanism];
    svg("title", {}, root, `${NAMES[mechanism]}: accuracy at ${game.levels.join(", ")} samples: ${accuracy.map((one) => number(one, 1)).join(", ")}; `
      + `less the cost: ${utility.map((one) => number(one, 1)).join(", ")}`);
    const low = Math.min(50, 10 * Math.floor(Math.max(Math.min(...accuracy), 0) / 10));
    const x = (k) => LEFT + 14 + (k / (range.length - 1)) * (RIGHT - LEFT - 28);
    const y = (at) => BOTTOM - ((Math.max(at, low) - low) / (100 - low)) * (BOTTOM - TOP);
    svg("text", { x: 0, y: 16, class: "strong" }, root, NAMES[mechanism]);
    for (let tick = low; tick <= 100; tick += low < 50 ? 20 : 10) {
      svg("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(tick), y2: y(tick) }, root);
      svg("text", { x: LEFT - 6, y: y(tick) + 5, "text-anchor": "end" }, root, tick);
    }
    range.forEach((k) => svg("text", { x: x(k), y: BOTTOM + 18, "text-anchor": "middle" }, root, game.levels[k]));
    svg("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 38, "text-anchor": "middle" }, root, "samples that you bring");
    const line = (values, style) => svg("polyline", { ...style, points: values.map((at, k) => `${x(k)},${y(at)}`).join(" ") }, root);
    line(accuracy, { class: "curve", stroke: COLOURS[1] });
    line(utility, { class: "curve", stroke: COLOURS[2], "stroke-dasharray": "7 4" });
    accuracy.forEach((at, k) => svg("line", { x1: x(k), x2: x(k), y1: y(at - half[k]), y2: y(at + half[k]), stroke: COLOURS[1], class: "interval" }, root));
    svg("circle", { cx: x(own), cy: y(accuracy[own]), r: 6, fill: COLOURS[1], stroke: "white", "stroke-width": 2 }, root);
    svg("circle", { cx: x(best), cy: y(utility[best]), r: 6, fill: "white", stroke: COLOURS[2], "stroke-width": 3 }, root);
    svg("text", { x: 0, y: BOTTOM + 60 }, root, "line: accuracy; dashed: less the cost; ring: the best");
    return root;
  }

  const points = (cost) => `${number(cost, cost < 0.0995 ? 3 : 2)} points`;

  function inWords({ own, others, cost, mechanism }, { found }) {
    const { accuracy, best, others: other } = found[mechanism], gap = accuracy[own] - other;
    const words = Math.abs(gap) < 0.05 ? "as much as each other agent"
      : `${number(Math.abs(gap), 1)} points ${gap < 0 ? "less" : "more"} than each other agent`;
    return `You bring <b>${game.levels[own]}</b> samples, the three others ${game.levels[others]} each. With ${NAMES[mechanism]} you take home `
      + `<b>${number(accuracy[own], 1)} %</b>, ${words}. If a sample costs ${points(cost)} of accuracy, your best answer is `
      + `<b>${game.levels[best]}</b>${best === own ? ", as you do" : ""}.`;
  }

  function build(controls, change) {
    const steps = { min: 0, max: range.length - 1, step: 1 };
    const showOwn = slider(controls, "you bring", steps, (own) => change({ own }));
    const showOthers = slider(controls, "the three others bring", steps, (others) => change({ others }));
    const showCost = slider(controls, "a sample costs", { min: -2.3, max: 0, step: 0.1 }, (at) => change({ cost: 10 ** at }));
    const showMechanism = choice(controls, "Mechanism", Object.entries(NAMES), (mechanism) => change({ mechanism }));
    return (state, result) => {
      showOwn(state.own, `${game.levels[state.own]} samples`);
      showOthers(state.others, `${game.levels[state.others]} each`);
      showCost(Math.log10(state.cost), points(state.cost));
      showMechanism(state.mechanism);
      return [[bars, curves].map((panel) => panel(state, result)), inWords(state, result)];
    };
  }

  const start = (root) => live(root, { own: 0, others: 3, cost: 10 ** -1.4, mechanism: "CGSV" }, evaluate, build);

  enhance("explorable-contributions", start);
})();
