/* The price list: the recorded runs of book.reproduction.price, chosen by what the agents hold, what is paid with, and which
 * fraction. The record is in price_data.js, which the build writes from data/results/price.json. */
(() => {
  "use strict";
  const { COLOURS, svg, number, enhance, slider, choice, live, price } = window.fairflExplorables;
  const WIDTH = 360, TOP = 32, BOTTOM = 236, LEFT = 40, RIGHT = 342, ROW = 25, FROM = 214, TO = 308;
  const HOLDERS = { uni: "all alike", cla: "1 to 10 classes each" };
  const LAST = price.fractions.length - 1;

  const mean = (numbers) => numbers.reduce((sum, at) => sum + at, 0) / numbers.length;
  const runs = (partition, name) => price.seeds.map((seed) => price.runs[`${partition}/${seed}/${name}`]);
  const percent = (part) => `${number(100 * part, 0)} %`;

  function evaluate({ partition, currency, fraction }) {
    const curves = Object.fromEntries(price.currencies.map((name) =>
      [name, price.fractions.map((_, k) => mean(runs(partition, name).map((run) => run[k])))]));
    const seeds = runs(partition, currency).map((run) => run[fraction]);
    return { curves, seeds, paid: curves[currency][fraction], whole: curves[currency][LAST],
      alone: mean(runs(partition, "alone").map(([at]) => at)) };
  }

  function lines({ currency, fraction }, { curves, seeds, alone, paid }) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${BOTTOM + 42}`, role: "img" });
    svg("title", {}, root, `Accuracy against the fraction that is paid, of ${currency} and, in grey, of the others.`);
    svg("text", { x: 0, y: 16, class: "strong" }, root, "Accuracy of the model taken home");
    const x = (k) => LEFT + (k / LAST) * (RIGHT - LEFT), y = (at) => BOTTOM + (at / 100) * (TOP - BOTTOM);
    for (const tick of [0, 25, 50, 75, 100]) {
      svg("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(tick), y2: y(tick) }, root);
      svg("text", { x: LEFT - 6, y: y(tick) + 5, "text-anchor": "end" }, root, tick);
    }
    price.fractions.forEach((at, k) => {
      if (k !== 1) svg("text", { x: x(k), y: BOTTOM + 18, "text-anchor": "middle" }, root, number(100 * at, 0));
    });
    svg("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 36, "text-anchor": "middle" }, root, "percent paid");
    const points = (name) => curves[name].map((at, k) => `${x(k)},${y(at)}`).join(" ");
    for (const name of price.currencies) {
      if (name !== currency) svg("polyline", { points: points(name), class: "curve", stroke: "#cccccc" }, root);
    }
    svg("line", { class: "one", x1: LEFT, x2: RIGHT, y1: y(alone), y2: y(alone) }, root);
    svg("polyline", { points: points(currency), class: "curve", stroke: COLOURS[0] }, root);
    svg("line", { x1: x(fraction), x2: x(fraction), y1: y(Math.min(...seeds)), y2: y(Math.max(...seeds)), stroke: COLOURS[1],
      "stroke-width": 4 }, root);
    svg("circle", { cx: x(fraction), cy: y(paid), r: 6, fill: COLOURS[1] }, root);
    return root;
  }

  function list({ currency, fraction }, { curves }) {
    const names = [...price.currencies].sort((a, b) => curves[b][fraction] - curves[a][fraction]);
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${26 + names.length * ROW}`, role: "img" });
    const said = names.map((name) => `${name} ${number(curves[name][fraction], 0)} %`);
    svg("title", {}, root, `What ${percent(price.fractions[fraction])} buys: ${said.join(", ")}.`);
    svg("text", { x: 0, y: 16, class: "strong" }, root, `What ${percent(price.fractions[fraction])} buys`);
    names.forEach((name, k) => {
      const top = 26 + k * ROW, at = curves[name][fraction], chosen = name === currency;
      svg("text", { x: 0, y: top + 16, ...(chosen ? { class: "strong" } : {}) }, root, name);
      svg("rect", { x: FROM, y: top, width: TO - FROM, height: ROW - 6, fill: "#f2f2f2" }, root);
      svg("rect", { x: FROM, y: top, width: (at / 100) * (TO - FROM), height: ROW - 6, fill: COLOURS[chosen ? 1 : 0] }, root);
      svg("text", { x: TO + 6, y: top + 16 }, root, `${number(at, 0)} %`);
    });
    return root;
  }

  function inWords({ currency, fraction }, { paid, whole, alone, seeds }) {
    const less = whole - paid;
    const verdict = fraction === LAST ? "That is all there is." : less < 1
      ? "<b>It costs less than a point to be paid so little.</b>" : `That is <b>${number(less, 0)} points less</b> than all of it.`;
    return `${percent(price.fractions[fraction])} in the currency <i>${currency}</i> buys a model that is right on `
      + `${number(paid, 1)} % of new digits (from ${number(Math.min(...seeds), 1)} to ${number(Math.max(...seeds), 1)} in `
      + `${seeds.length} seeds). ${verdict} An agent alone reaches ${number(alone, 1)} %, the broken line.`;
  }

  function build(controls, change) {
    const showPartition = choice(controls, "The agents' data", Object.entries(HOLDERS), (partition) => change({ partition }));
    const showCurrency = choice(controls, "Paid with", price.currencies.map((name) => [name, name]),
      (currency) => change({ currency }));
    const showFraction = slider(controls, "fraction", { min: 0, max: LAST, step: 1 }, (fraction) => change({ fraction }));
    return (state, result) => {
      showPartition(state.partition);
      showCurrency(state.currency);
      showFraction(state.fraction, percent(price.fractions[state.fraction]));
      return [[lines(state, result), list(state, result)], inWords(state, result)];
    };
  }

  const first = { partition: "uni", currency: price.currencies[0], fraction: price.fractions.indexOf(0.25) };
  enhance("explorable-price", (root) => live(root, first, evaluate, build));
})();
