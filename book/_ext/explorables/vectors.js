/* Three to five updates in the plane, moved at their tips; psi and phi of each. In a cell that is also tagged
 * "certificates", the interval that is sure to hold phi as well. */
(() => {
  "use strict";
  const { COLOURS, set, html, svg, label, number, enhance, drag, sum, range, psi, phi, certificate } = window.fairflExplorables;
  const START = [[0.8, 0], [0.4, 0.4], [0, 1.2], [0.9, -0.5], [-0.6, -0.4]];
  const FEWEST = 3, MOST = 5, LIMIT = 1.5; // a tip stays within the square [-LIMIT, LIMIT]
  const UNIT = 100, SAME = 1e-9;
  const ROW = 34, TOP = 34, LEFT = 36, WIDTH = 360; // of the chart
  const within = (x) => Math.round(Math.min(Math.max(x, -LIMIT), LIMIT) * 100) / 100;

  const gram = (vectors) => vectors.map(([x, y]) => vectors.map(([p, q]) => x * p + y * q));

  function evaluate(vectors) {
    const G = gram(vectors), result = { psi: psi(G), phi: phi(G), ...certificate(G) };
    result.right = result.certified.filter(([i, j]) => result.psi[i] > result.psi[j] + SAME).length;
    result.sum = [0, 1].map((k) => sum(vectors, (vector) => vector[k]));
    result.cancelled = result.phi.every((value) => value === 0);
    return result;
  }

  /** "2 > 1 = 3" */
  function order(values) {
    const agents = range(0, values.length - 1).sort((i, j) => values[j] - values[i]);
    return agents.map((i, k) => {
      const before = k ? (values[agents[k - 1]] - values[i] > SAME ? " > " : " = ") : "";
      return `${before}${i + 1}`;
    }).join("");
  }

  function inWords(vectors, result, certified) {
    if (result.cancelled) return "The updates cancel, u<sub>N</sub> = 0: there is no direction to compare with, and every value is 0.";
    const idle = vectors.flatMap(([x, y], i) => (x || y ? [] : [`Agent ${i + 1} has no update, so its value is 0. `]));
    const orders = `Order by ψ: ${order(result.psi)}. Order by φ: ${order(result.phi)}. `;
    if (!certified) {
      const against = result.psi.flatMap((value, i) => (value < -SAME ? [`ψ of agent ${i + 1} is negative: it points against the sum. `] : []));
      return `${idle.join("")}${orders}${against.join("")}The ψ sum to ${number(sum(result.psi), 2)}, the φ to 1.`;
    }
    const pairs = (vectors.length * (vectors.length - 1)) / 2, settled = result.certified.length;
    const right = settled === 0 ? "" : result.right === settled ? ", and ψ ranks all of these right"
      : `, and ψ ranks ${result.right} of these right`;
    return `${idle.join("")}${orders}`
      + `The certificate settles ${settled} of the ${pairs} pairs${right}.`;
  }

  function arrow(parent, width, colour) {
    const group = svg("g", { stroke: colour, fill: colour, "stroke-width": width }, parent);
    const line = svg("line", { x1: 0, y1: 0 }, group);
    const head = svg("path", { d: `M0 0L${-3.2 * width} ${1.6 * width}V${-1.6 * width}Z`, stroke: "none" }, group);
    return ([x, y], short) => { // `short` leaves room for a handle at the tip
      const length = Math.hypot(x, y) * UNIT, rest = Math.max(length - short, 0) / (length || 1);
      const tip = [x * UNIT * rest, -y * UNIT * rest], back = Math.max(length - short - 2 * width, 0) / (length || 1);
      set(line, { x2: x * UNIT * back, y2: -y * UNIT * back });
      set(head, { transform: `translate(${tip}) rotate(${(-Math.atan2(y, x) * 180) / Math.PI})` });
      group.style.visibility = length > short ? "visible" : "hidden";
    };
  }

  function plane(parent, count, move) {
    const edge = LIMIT * UNIT + 14;
    const root = svg("svg", { viewBox: `${-edge} ${-edge} ${2 * edge} ${2 * edge}`, role: "group" }, parent);
    svg("title", {}, root, "Updates of the agents in the plane, and their sum. Move a tip by dragging it, or with the arrow keys.");
    for (const at of range(-3, 3).map((k) => (k * UNIT) / 2)) {
      const attributes = { class: at ? "grid" : "grid axis" };
      svg("line", { ...attributes, x1: at, x2: at, y1: -LIMIT * UNIT, y2: LIMIT * UNIT }, root);
      svg("line", { ...attributes, y1: at, y2: at, x1: -LIMIT * UNIT, x2: LIMIT * UNIT }, root);
    }
    const whole = arrow(root, 7, "#999999"), name = label("u_N", { class: "strong halo", "text-anchor": "middle" }, root);
    const arrows = range(0, count - 1).map((i) => arrow(root, 3, COLOURS[i]));
    const handles = range(0, count - 1).map((i) => {
      const handle = svg("g", { class: "handle", tabindex: 0, role: "slider", "aria-roledescription": "movable tip",
        "aria-valuemin": -LIMIT, "aria-valuemax": LIMIT }, root);
      svg("circle", { r: 22, fill: "transparent" }, handle); // as large as a finger
      svg("circle", { r: 11, fill: "white", stroke: COLOURS[i], "stroke-width": 3, class: "tip" }, handle);
      svg("text", { "text-anchor": "middle", y: 5, class: "strong" }, handle, i + 1);
      drag(root, handle, UNIT, (change) => move(i, change));
      return handle;
    });
    return (vectors, total) => {
      const length = Math.hypot(...total), scale = Math.min(1, (LIMIT - 0.05) / length);
      whole(total.map((x) => x * scale), 0);
      const [x, y] = total.map((part) => (length ? part * (scale + 0.16 / length) : 0)); // the name, beyond the tip
      set(name, { x: within(x) * UNIT, y: -within(y) * UNIT + 5, visibility: length > SAME ? "visible" : "hidden" });
      vectors.forEach((vector, i) => {
        const at = `(${vector.map((part) => number(part, 2)).join(", ")})`;
        arrows[i](vector, 12);
        set(handles[i], { transform: `translate(${vector[0] * UNIT} ${-vector[1] * UNIT})`,
          "aria-label": `update of agent ${i + 1}, ${at}`, "aria-valuenow": vector[0], "aria-valuetext": at });
      });
      return scale;
    };
  }

  /** One row an agent: psi hollow, phi filled, and where `certified` its interval. The table below says the same in numbers. */
  function chart(parent, result, certified) {
    const { psi, phi, centre, radius } = result, count = psi.length, right = WIDTH - 12, bottom = TOP + count * ROW;
    // An interval may be far wider than what phi can be, (-2, 2): there it is drawn up to the edge.
    const values = [...psi, ...phi, ...(certified ? centre.flatMap((c, i) => [c - radius[i], c + radius[i]]) : [])];
    const low = Math.max(Math.floor(Math.min(0, ...values) * 2) / 2, -2), high = Math.min(Math.ceil(Math.max(1, ...values) * 2) / 2, 2);
    const x = (value) => LEFT + ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (right - LEFT);
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${bottom + 24}`, role: "img" });
    svg("title", {}, root, `ψ, φ${certified ? " and the certified interval" : ""} of each agent; the table has the numbers.`);
    svg("circle", { cx: LEFT + 6, cy: 12, r: 6, class: "psi", stroke: "black" }, root);
    svg("text", { x: LEFT + 16, y: 17 }, root, certified ? "ψ" : "ψ, cosine");
    const second = LEFT + (certified ? 56 : 126);
    svg("circle", { cx: second, cy: 12, r: 4, fill: "black" }, root);
    svg("text", { x: second + 10, y: 17 }, root, certified ? "φ" : "φ, Shapley value");
    if (certified) {
      svg("path", { d: `M${LEFT + 100} 12h32m0 -5v10m-32 0v-10`, stroke: "black", class: "interval" }, root);
      svg("text", { x: LEFT + 140, y: 17 }, root, "certified to hold φ");
    }
    for (const tick of range(low * 2, high * 2).map((k) => k / 2)) {
      svg("line", { class: tick ? "grid" : "grid axis", x1: x(tick), x2: x(tick), y1: TOP, y2: bottom }, root);
      svg("text", { x: x(tick), y: bottom + 18, "text-anchor": "middle" }, root, number(tick, 1));
    }
    for (const i of range(0, count - 1)) {
      const y = TOP + (i + 0.5) * ROW, from = centre[i] - radius[i], to = centre[i] + radius[i];
      const ends = [from, to].filter((end) => end >= low && end <= high).map((end) => `M${x(end)} ${y - 6}v12`);
      svg("text", { x: 14, y: y + 5, class: "strong", "text-anchor": "middle" }, root, i + 1);
      if (certified) svg("path", { d: `M${x(from)} ${y}H${x(to)}${ends.join("")}`, stroke: COLOURS[i], class: "interval" }, root);
      svg("circle", { cx: x(phi[i]), cy: y, r: 4, fill: COLOURS[i] }, root);
      svg("circle", { cx: x(psi[i]), cy: y, r: 6, class: "psi", stroke: COLOURS[i] }, root);
    }
    const table = html("table");
    const head = html("tr", {}, html("thead", {}, table)), body = html("tbody", {}, table);
    for (const name of ["agent", "ψ", "φ", ...(certified ? ["certified"] : [])]) html("th", { scope: "col" }, head, name);
    for (const i of range(0, count - 1)) {
      const row = html("tr", {}, body);
      set(html("th", { scope: "row" }, row, i + 1), { style: `border-left: 5px solid ${COLOURS[i]}` });
      const interval = `${number(centre[i])} ± ${number(radius[i])}`;
      for (const text of [number(psi[i]), number(phi[i]), ...(certified ? [interval] : [])]) html("td", {}, row, text);
    }
    parent.replaceChildren(root, table);
  }

  function start(root) {
    const certified = !!root.closest(".tag_certificates");
    let vectors = START.slice(0, FEWEST), result, drawPlane;
    const buttons = html("div", { class: "controls" }, root);
    const panels = html("div", { class: "panels" }, root);
    const left = html("div", {}, panels), drawing = html("div", {}, left), length = html("p", { class: "note" }, left);
    const right = html("div", {}, panels), words = html("p", { class: "words", "aria-live": "polite" }, root);

    function draw() {
      result = evaluate(vectors);
      const scale = drawPlane(vectors, result.sum);
      length.innerHTML = `<b>u<sub>N</sub></b>, the sum: length ${number(Math.hypot(...result.sum), 2)}`
        + (scale < 1 ? `, drawn at ${Math.round(100 * scale)} %` : "");
      chart(right, result, certified);
      words.innerHTML = inWords(vectors, result, certified);
    }

    function move(i, change) {
      const moved = change(vectors[i]).map(within);
      vectors = vectors.map((vector, k) => (k === i ? moved : vector));
      draw();
      return moved;
    }

    function become(changed) {
      vectors = changed;
      drawing.replaceChildren();
      drawPlane = plane(drawing, vectors.length, move);
      more.disabled = vectors.length === MOST;
      fewer.disabled = vectors.length === FEWEST;
      draw();
    }

    function button(text, action) {
      const element = html("button", { type: "button" }, buttons, text);
      element.addEventListener("click", () => become(action()));
      return element;
    }
    const more = button("Add an agent", () => [...vectors, START[vectors.length]]);
    const fewer = button("Remove one", () => vectors.slice(0, -1));
    button("Start again", () => START.slice(0, FEWEST));

    become(vectors);
    Object.defineProperty(root, "explorable", { value: {
      get state() { return { vectors: vectors.map((vector) => [...vector]) }; },
      set state(state) { become(state.vectors.map((vector) => [...vector])); },
      get result() { return result; },
    } });
  }

  enhance("explorable-vectors", start);
})();
