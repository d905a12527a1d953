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

  Object.assign(window.fairflExplorables, { COLOURS, set, html, svg, label, number, enhance });
})();
