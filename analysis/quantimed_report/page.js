// SPDX-License-Identifier: BSD-3-Clause
// Filters the runs, draws their curves, enlarges figures, copies configurations. Plain JavaScript, no library, no network.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);  // see page_data() in report.py
  const boxes = [...document.querySelectorAll(".filters input[type=checkbox]")];
  const SVG = "http://www.w3.org/2000/svg";

  // ---- filter ----
  function wanted(kind) {
    return new Set(boxes.filter((box) => box.name === kind && box.checked).map((box) => box.value));
  }

  function shownRuns() {
    const algorithms = wanted("algorithm"), datasets = wanted("dataset"), seeds = wanted("seed");
    return data.runs.filter((run) => algorithms.has(run.algorithm) && datasets.has(run.dataset) && seeds.has(String(run.seed)));
  }

  function plural(count, word) { return `${count} ${word}${count === 1 ? "" : "s"}`; }

  function filter() {
    const runs = shownRuns(), ids = new Set(runs.map((run) => run.id));
    for (const element of document.querySelectorAll("[data-run]")) element.hidden = !ids.has(Number(element.dataset.run));
    const counted = runs.filter((run) => run.counts).length;
    const kinds = new Map();
    for (const run of runs) kinds.set(run.label, (kinds.get(run.label) || 0) + 1);
    byId("count").textContent = `Shown: ${runs.length} of ${plural(data.runs.length, "run")}; ${counted} counted, ` +
      `${runs.length - counted} left out` + (runs.length ? ` (${[...kinds].map(([name, count]) => `${name} ${count}`).join(", ")}).` : ".");
    draw(runs);
  }

  // ---- curves ----
  const W = 760, H = 380, LEFT = 64, RIGHT = 16, TOP = 14, BOTTOM = 48;

  function element(name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // Of what can be drawn: numbers, and on a logarithmic axis those above 0.
  function range(runs, name, log) {
    let low = Infinity, high = -Infinity;
    for (const run of runs) for (const v of run.curve[name])
      if (v !== null && !(log && v <= 0)) { low = Math.min(low, v); high = Math.max(high, v); }
    if (low > high) return log ? [1, 10] : [0, 1];
    return low < high ? [low, high] : log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  }

  function ticks([low, high]) {  // about five round numbers
    const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find((k) => k * power >= raw) * power, values = [];
    for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; ++k) values.push(k * step);
    return values;
  }

  function logTicks([low, high]) {
    const values = [], wide = high / low > 1e3;
    for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; ++power)
      for (const k of wide ? [1] : [1, 2, 5]) if (k * 10 ** power >= low && k * 10 ** power <= high) values.push(k * 10 ** power);
    return values.length > 1 ? values : ticks([low, high]);
  }

  function figure(value) {
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(1) : String(Number(value.toPrecision(6)));
  }

  function label(name) {
    const option = document.querySelector(`.axes option[value="${name}"]`);
    return option ? option.textContent.trim() : name;
  }

  function axes(svg, xTicks, yTicks, x, y, xLabel, yLabel) {
    for (const v of xTicks) {
      svg.append(element("line", { class: "grid", x1: x(v), x2: x(v), y1: TOP, y2: H - BOTTOM }));
      svg.append(element("text", { x: x(v), y: H - BOTTOM + 17, "text-anchor": "middle" }, figure(v)));
    }
    for (const v of yTicks) {
      svg.append(element("line", { class: "grid", x1: LEFT, x2: W - RIGHT, y1: y(v), y2: y(v) }));
      svg.append(element("text", { x: LEFT - 7, y: y(v) + 4, "text-anchor": "end" }, figure(v)));
    }
    svg.append(element("path", { class: "axis", d: `M${LEFT},${TOP}V${H - BOTTOM}H${W - RIGHT}` }));
    svg.append(element("text", { x: (LEFT + W - RIGHT) / 2, y: H - 9, "text-anchor": "middle" }, xLabel));
    svg.append(element("text", { transform: `translate(15 ${(TOP + H - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, yLabel));
  }

  function path(run, xName, yName, x, y) {
    let d = "", pen = false;
    run.curve[xName].forEach((v, k) => {
      const w = run.curve[yName][k];
      if (v === null || w === null || !Number.isFinite(y(w))) { pen = false; return; }
      d += `${pen ? "L" : "M"}${x(v).toFixed(1)},${y(w).toFixed(1)}`;
      pen = true;
    });
    const curve = element("path", { class: "curve", d, stroke: run.colour });
    if (!run.counts) curve.setAttribute("stroke-dasharray", "4 4");
    curve.append(element("title", {}, `${run.label}, seed ${run.seed}, ${run.file}`));
    return curve;
  }

  function legend(runs) {
    const colours = new Map(runs.map((run) => [run.label, run.colour]));
    byId("legend").replaceChildren(...[...colours].map(([name, colour]) => {
      const item = document.createElement("span"), swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = colour;
      item.append(swatch, name);
      return item;
    }));
  }

  function draw(shown) {
    const setting = Number(byId("setting").value), xName = byId("x").value, yName = byId("y").value;
    const runs = shown.filter((run) => run.setting === setting && run.curve[yName].some((v) => v !== null));
    byId("plot").hidden = runs.length === 0;
    byId("no-plot").hidden = runs.length !== 0;
    legend(runs);
    if (!runs.length) return;
    const log = byId("log").checked, scale = log ? Math.log : (v) => v;
    const xs = range(runs, xName, false), ys = range(runs, yName, log), [low, high] = ys.map(scale);
    const x = (v) => LEFT + (v - xs[0]) / (xs[1] - xs[0]) * (W - LEFT - RIGHT);
    const y = (v) => H - BOTTOM - (scale(v) - low) / (high - low) * (H - TOP - BOTTOM);
    const text = `${label(yName)} against ${label(xName)}: ${plural(runs.length, "curve")}, from ${figure(ys[0])} to ${figure(ys[1])}`;
    const svg = element("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": text });
    axes(svg, ticks(xs), log ? logTicks(ys) : ticks(ys), x, y, label(xName), label(yName));
    for (const run of runs) svg.append(path(run, xName, yName, x, y));
    byId("plot").replaceChildren(svg);
  }

  for (const box of boxes) box.addEventListener("change", filter);
  for (const id of ["setting", "x", "y", "log"]) byId(id).addEventListener("change", filter);
  byId("reset").addEventListener("click", () => { for (const box of boxes) box.checked = true; filter(); });
  for (const button of document.querySelectorAll("[data-none]"))
    button.addEventListener("click", () => {
      for (const box of boxes) if (box.name === button.dataset.none) box.checked = false;
      filter();
    });
  filter();

  // ---- figures: click or Enter enlarges, Esc closes ----
  const dialog = byId("enlarged");
  for (const button of document.querySelectorAll("figure button"))
    button.addEventListener("click", () => {
      const small = button.querySelector("img"), large = dialog.querySelector("img");
      large.src = small.src;
      large.alt = small.alt;
      dialog.showModal();
    });
  dialog.addEventListener("click", () => dialog.close());

  // ---- configurations ----
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { return false; }
  }
  for (const button of document.querySelectorAll("[data-copy]"))
    button.addEventListener("click", async () => {
      const source = byId(button.dataset.copy), done = await copy(source.textContent);
      if (!done) getSelection().selectAllChildren(source);  // then Ctrl-C does it
      button.textContent = done ? "Copied" : "Selected: press Ctrl-C";
    });

  function openTarget() {
    const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") target.open = true;
  }
  addEventListener("hashchange", openTarget);
  openTarget();
})();
