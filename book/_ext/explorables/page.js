/* What the explorables share: building elements, and taking the place of a static picture. Without JavaScript nothing
 * here runs, and the picture stays. */
(() => {
  "use strict";
  // The palette of fairfl.figures.COLOURS; the tests compare the two.
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
  const SVG = "http://www.w3.org/2000/svg";

  function set(element, attributes) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  /** New elements at the end of `parent`: html("p", {class: "a"}, parent, "text"). */
  const make = (create) => (tag, attributes = {}, parent = null, text = "") => {
    const element = set(create(tag), attributes);
    element.textContent = text;
    parent?.append(element);
    return element;
  };
  const html = make((tag) => document.createElement(tag));
  const svg = make((tag) => document.createElementNS(SVG, tag));

  /** Text with subscripts after underscores, which SVG lacks: "c_N(rho)". */
  function label(text, attributes, parent) {
    const element = svg("text", attributes, parent);
    for (const [, sub, plain] of text.matchAll(/_(\w)|([^_]+)/g)) {
      if (sub) svg("tspan", { dy: "0.3em", "font-size": "75%" }, element, sub);
      else svg("tspan", element.lastChild?.hasAttribute("dy") ? { dy: "-0.225em" } : {}, element, plain);
    }
    return element;
  }

  const number = (value, digits = 3) => (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits)
    .replace("-", "\u2212");

  /** Runs `start(root)` for each cell with this tag, root in the place of its picture; the caption stays. */
  function enhance(tag, start) {
    for (const picture of document.querySelectorAll(`.tag_${tag} .cell_output img`)) {
      const figure = picture.closest("figure");
      const shown = figure ? [...figure.children].find((child) => child.contains(picture)) : picture;
      const root = html("div", { class: `explorable ${tag}` });
      shown.before(root);
      start(root);
      shown.style.display = "none"; // last: whatever goes wrong above, the picture stays
    }
  }

  /** A slider below `controls` that tells `change` its number. The answer sets where it stands and what it says. */
  function slider(controls, text, attributes, change) {
    // No <output>: the label would belong to it instead of to the slider.
    const row = html("label", {}, controls), line = html("span", {}, row, `${text} = `), shown = html("b", {}, line);
    const input = html("input", { type: "range", ...attributes }, row);
    input.addEventListener("input", () => change(Number(input.value)));
    return (at, says) => {
      input.value = at;
      shown.textContent = says;
      input.setAttribute("aria-valuetext", says);
    };
  }

  /** A choice below `controls` among `options`, pairs of a value and its words, that tells `change` the value. The answer
   * sets what is chosen. */
  function choice(controls, text, options, change) {
    const row = html("label", {}, controls);
    html("span", {}, row, text);
    const select = html("select", {}, row);
    for (const [value, words] of options) html("option", { value }, select, words);
    select.addEventListener("change", () => change(select.value));
    return (value) => { select.value = value; };
  }

  const STILL = window.matchMedia("(prefers-reduced-motion: reduce)");

  /** A Play button and a slider over the steps `first` to `last`, both told to `change`; plays once by itself when it
   * comes into view, but for those who want no motion. The answer sets where the slider stands and what it says. */
  function player(controls, text, { first, last, delay }, change) {
    const button = html("button", { type: "button", class: "play" }, controls), root = controls.parentElement;
    let timer = null, at = first;
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "\u25b6 Play";
      root.querySelector(".words").setAttribute("aria-live", "polite");
    };
    const play = () => {
      button.textContent = "\u23f8 Pause";
      root.querySelector(".words").setAttribute("aria-live", "off"); // else every step is read out
      if (at >= last) change(first);
      timer = setInterval(() => {
        change(at + 1);
        if (at >= last) stop();
      }, STILL.matches ? Math.max(delay, 1000) : delay);
    };
    const show = slider(controls, text, { min: first, max: last, step: 1 }, (to) => {
      stop();
      change(to);
    });
    button.addEventListener("click", () => (timer ? stop() : play()));
    stop();
    if (!STILL.matches && "IntersectionObserver" in window) {
      const seen = new IntersectionObserver(([{ isIntersecting }]) => {
        if (!isIntersecting) return;
        seen.disconnect();
        if (!timer && at === first) play();
      }, { threshold: 0.6 });
      seen.observe(root);
    }
    return (to, says) => {
      at = to;
      show(to, says);
    };
  }

  /** Heights for names beside lines that end at these heights, from the top: at least `gap` apart, at most `low`. */
  function apart(heights, gap, low) {
    const found = [...heights], order = heights.map((_, k) => k).sort((i, j) => heights[i] - heights[j]);
    order.forEach((k, place) => { if (place) found[k] = Math.max(found[k], found[order[place - 1]] + gap); });
    order.reverse().forEach((k, place) => {
      found[k] = Math.min(found[k], place ? found[order[place - 1]] - gap : low);
    });
    return found;
  }

  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  /** Lets a pointer and the arrow keys move `handle` in the plane drawn on `root`, `unit` pixels to 1 and y upwards.
   * `move` gets a function of the place, and returns the new one. */
  function drag(root, handle, unit, move) {
    let offset; // from the pointer to the tip, so that the tip does not jump when it is taken
    const at = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(root.getScreenCTM().inverse());
      return [point.x / unit, -point.y / unit];
    };
    handle.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      handle.setPointerCapture(event.pointerId);
      const pointer = at(event);
      offset = move((vector) => vector).map((part, k) => part - pointer[k]);
    });
    handle.addEventListener("pointermove", (event) => {
      // The capture ends by itself when the button or the finger is lifted.
      if (handle.hasPointerCapture(event.pointerId)) move(() => at(event).map((part, k) => part + offset[k]));
    });
    handle.addEventListener("keydown", (event) => {
      const step = KEYS[event.key], size = event.shiftKey ? 0.25 : 0.05;
      if (!step) return;
      event.preventDefault(); // else the page scrolls
      move((vector) => vector.map((part, k) => part + size * step[k]));
    });
  }

  /** Controls, panels and words of one state. `build(controls, change)` makes the controls, which tell `change` what is new
   * in the state; it returns draw(state, result), which sets them and returns the panels and the words. */
  function live(root, first, evaluate, build) {
    let state = first, result;
    const controls = html("div", { class: "controls" }, root);
    const panels = html("div", { class: "panels" }, root), words = html("p", { class: "words", "aria-live": "polite" }, root);
    const draw = build(controls, (part) => become({ ...state, ...(part instanceof Function ? part(state) : part) }));

    function become(changed) {
      state = changed;
      result = evaluate(state);
      const [shown, text] = draw(state, result);
      panels.replaceChildren(...shown.map((panel) => {
        const column = html("div");
        column.append(panel);
        return column;
      }));
      words.innerHTML = text;
    }

    become(state);
    Object.defineProperty(root, "explorable", { value: {
      get state() { return { ...state }; },
      set state(changed) { become({ ...changed }); },
      get result() { return result; },
    } });
  }

  Object.assign(window.fairflExplorables, { COLOURS, set, html, svg, label, number, enhance, slider, choice, player, apart,
    drag, live });
})();
