/* Bytes of one download in three forms, relative to sending everything, as book.theory.traffic counts them for many
 * parameters: pairs of index and value, bitmap and values, dense. */
(() => {
  "use strict";
  const { COLOURS, svg, number, enhance, slider, live } = window.fairflExplorables;
  const NAMES = ["pairs", "bitmap", "dense"], INDEX = 4; // bytes of an index
  const WIDTH = 360, HEIGHT = 294, TOP = 16, BOTTOM = 246, LEFT = 52, RIGHT = 346, BAR = 44;
  const LOW = 1e-3, HIGH = 3; // of the bytes, relative to dense; the share q / D goes from LOW to 1

  const forms = (share, value) => [share * (1 + INDEX / value), share + 1 / (8 * value), 1];

  function evaluate({ share, value }) {
    const bytes = forms(share, value), least = Math.min(...bytes);
    return { bytes, shortest: NAMES[bytes.lastIndexOf(least)], changes: [1 / (8 * INDEX), 1 - 1 / (8 * value)] };
  }

  const log = (low, high, from, to) => (x) => from + (Math.log(x / low) / Math.log(high / low)) * (to - from);

  function frame(title, height) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img" });
    svg("title", {}, root, title);
    return root;
  }

  function curves({ share, value }, result) {
    const root = frame("Bytes of three forms against the share of the entries that are sent, both axes logarithmic.", HEIGHT);
    const x = log(LOW, 1, LEFT, RIGHT), y = log(LOW, HIGH, BOTTOM, TOP);
    for (const tick of [0.001, 0.01, 0.1, 1]) {
      svg("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(tick), y2: y(tick) }, root);
      svg("text", { x: LEFT - 6, y: y(tick) + 5, "text-anchor": "end" }, root, tick);
      svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: TOP, y2: BOTTOM }, root);
      svg("text", { x: x(tick), y: BOTTOM + 18, "text-anchor": tick === 1 ? "end" : "middle" }, root, tick);
    }
    for (const change of result.changes) svg("line", { class: "one", x1: x(change), x2: x(change), y1: TOP, y2: BOTTOM }, root);
    svg("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 38, "text-anchor": "middle" }, root, "share of the entries, q / D");
    const shares = [...Array(61).keys()].map((k) => LOW ** (1 - k / 60));
    NAMES.forEach((name, k) => {
      const points = shares.map((at) => `${x(at)},${y(forms(at, value)[k])}`);
      svg("polyline", { points: points.join(" "), class: "curve", stroke: COLOURS[k] }, root);
      svg("circle", { cx: x(share), cy: y(result.bytes[k]), r: 6, fill: COLOURS[k], stroke: "white", "stroke-width": 2 }, root);
    });
    return root;
  }

  function bars(state, result) {
    const root = frame("The same three forms as bars at the chosen share; the words below have the numbers.", 3 * BAR + 12);
    const most = Math.max(...result.bytes), left = 66, right = WIDTH - 62;
    NAMES.forEach((name, k) => {
      const top = k * BAR + 8, size = (result.bytes[k] / most) * (right - left);
      const strong = name === result.shortest ? "strong" : "";
      svg("text", { x: left - 8, y: top + 20, "text-anchor": "end", class: strong }, root, name);
      svg("rect", { x: left, y: top, width: size, height: BAR - 14, fill: COLOURS[k] }, root);
      svg("text", { x: left + size + 6, y: top + 20, class: strong }, root, percent(result.bytes[k]));
    });
    return root;
  }

  const percent = (part) => `${number(100 * part, part < 0.1 ? 1 : 0)} %`;

  function inWords({ share, value }, { bytes, shortest, changes }) {
    const all = NAMES.map((name, k) => `${name} ${percent(bytes[k])}`).join(", ");
    return `${percent(share)} of the entries, ${value} bytes a number: ${all} of the bytes of all entries. `
      + `<b>Shortest: ${shortest}.</b> The shortest form changes at ${percent(changes[0])} and ${percent(changes[1])}.`;
  }

  function build(controls, change) {
    const showShare = slider(controls, "share of the entries q / D", { min: -3, max: 0, step: 0.01 },
      (at) => change({ share: 10 ** at }));
    const showValue = slider(controls, "bytes a number", { min: 1, max: 3, step: 1 }, (at) => change({ value: 2 ** at }));
    return (state, result) => {
      showShare(Math.log10(state.share), percent(state.share));
      showValue(Math.log2(state.value), `${state.value}`);
      return [[curves, bars].map((panel) => panel(state, result)), inWords(state, result)];
    };
  }

  const start = (root) => live(root, { share: 0.25, value: 4 }, evaluate, build);

  enhance("explorable-traffic", start);
})();
