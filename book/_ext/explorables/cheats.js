/* One of eight agents cheats: the recorded runs of book.reproduction.cheats, chosen by what it does, how much of it, and
 * what the server does about it. The record is in cheats_data.js, which the build writes from data/results/cheats.json. */
(() => {
  "use strict";
  const { COLOURS, svg, number, enhance, slider, choice, live, cheats } = window.fairflExplorables;
  const OTHERS = 7, BLUE = COLOURS[0], RED = COLOURS[1];
  const WIDTH = 360, HEIGHT = 220, TOP = 34, BOTTOM = 180, LEFT = 42, RIGHT = 346, ROW = 26;
  const GUARDS = { none: "none", others: "others: not its own part", news: "news: not what it was sent",
    crowding: "crowding: alike counts once", all: "all three" };

  const names = (degree) => (/ names$/.test(degree) ? Number.parseInt(degree, 10) : 1);

  function evaluate({ kind, degree, guard }) {
    const text = cheats.kinds[kind][Math.min(degree, cheats.kinds[kind].length - 1)], heads = names(text);
    const run = cheats.runs[`${kind}/${text}/${guard}`];
    return { ...run, text, names: heads, head: heads / (heads + OTHERS), last: run.share.at(-1) };
  }

  function path({ share, head, names: heads }) {
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    svg("title", {}, root, "Agent 3's share of the importance coefficients in each round, and the share of a head.");
    svg("text", { x: 0, y: 16, class: "strong" }, root, "Agent 3's share of r");
    const x = (t) => LEFT + ((t - 1) / (share.length - 1)) * (RIGHT - LEFT), high = 0.75;
    const y = (at) => BOTTOM + (Math.max(at, 0) / high) * (TOP - BOTTOM);
    for (const tick of [0, 0.25, 0.5, 0.75]) {
      svg("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(tick), y2: y(tick) }, root);
      svg("text", { x: LEFT - 6, y: y(tick) + 5, "text-anchor": "end" }, root, `${100 * tick} %`);
    }
    for (const t of [1, 6, 12, 18]) svg("text", { x: x(t), y: BOTTOM + 18, "text-anchor": "middle" }, root, t);
    svg("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 36, "text-anchor": "middle" }, root, "round");
    svg("line", { class: "one", x1: LEFT, x2: RIGHT, y1: y(head), y2: y(head) }, root);
    svg("text", { x: RIGHT, y: y(head) - 7, "text-anchor": "end", class: "halo" }, root,
      heads > 1 ? `${heads} of ${heads + OTHERS} heads` : "one head of eight");
    svg("polyline", { points: share.map((at, k) => `${x(k + 1)},${y(at)}`).join(" "), class: "curve", stroke: RED }, root);
    return root;
  }

  function bars({ psi, sent, accuracy }) {
    const rows = [["value ψ", psi, 1, (at) => number(at, 2)], ["entries it is sent", sent, 1, percent],
      ["accuracy of its model", accuracy, 100, (at) => `${number(at, 0)} %`]];
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${rows.length * 3 * ROW + 20}`, role: "img" });
    const said = rows.map(([name, [own, other], , text]) => `${name} ${text(own)}, others ${text(other)}`);
    svg("title", {}, root, `Agent 3 and the others, means: ${said.join("; ")}`);
    const from = 66, to = 296;
    rows.forEach(([name, pair, full, text], k) => {
      const top = k * 3 * ROW;
      svg("text", { x: 0, y: top + 15, class: "strong" }, root, name);
      pair.forEach((at, i) => {
        const down = top + ROW - 2 + i * ROW, width = (Math.max(at, 0) / full) * (to - from);
        svg("text", { x: 0, y: down + 15 }, root, i ? "others" : "agent 3");
        svg("rect", { x: from, y: down, width: to - from, height: ROW - 7, fill: "#f2f2f2" }, root);
        svg("rect", { x: from, y: down, width, height: ROW - 7, fill: i ? BLUE : RED }, root);
        svg("text", { x: to + 8, y: down + 15 }, root, text(at));
      });
      if (full === 100) {
        svg("rect", { x: from + (cheats.alone / full) * (to - from) - 1.5, y: top + ROW - 5, width: 3, height: ROW - 1, fill: "black" }, root);
      }
    });
    svg("text", { x: 0, y: rows.length * 3 * ROW + 14 }, root, `mark: an honest agent alone, ${number(cheats.alone, 0)} %`);
    return root;
  }

  const percent = (part) => `${number(100 * part, 0)} %`;

  function inWords({ kind }, { last, head, sent, accuracy }) {
    const honest = kind.startsWith("nothing"), ratio = last / head;
    const pay = ratio < 0.1 ? "next to nothing" : ratio < 0.9 ? "less than its heads" : ratio < 1.1 && !honest
      ? "about what its heads would bring" : honest ? "an honest share" : "<b>more than its heads would bring</b>";
    const gap = accuracy[0] - cheats.alone;
    return `At the end agent 3 holds ${percent(last)} of r: ${pay}. Over the run it is sent ${percent(sent[0])} of the entries, `
      + `the others ${percent(sent[1])}. Its model is ${number(Math.abs(gap), 0)} points ${gap < 0 ? "worse" : "better"} than that of `
      + "an honest agent alone.";
  }

  function build(controls, change) {
    const showKind = choice(controls, "Agent 3 does", Object.keys(cheats.kinds).map((kind) => [kind, kind]), (kind) => change({ kind }));
    const showDegree = slider(controls, "how much", { min: 0, max: 3, step: 1 }, (degree) => change({ degree }));
    const showGuard = choice(controls, "The server corrects", cheats.guards.map((guard) => [guard, GUARDS[guard]]),
      (guard) => change({ guard }));
    return (state, result) => {
      showKind(state.kind);
      showGuard(state.guard);
      showDegree(state.degree, result.text || "it does not cheat");
      return [[path(result), bars(result)], inWords(state, result)];
    };
  }

  const start = (root) => live(root, { kind: "download sent back", degree: 3, guard: "none" }, evaluate, build);

  enhance("explorable-cheats", start);
})();
