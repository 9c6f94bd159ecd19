// Pages of bert plot.
#include "plot_pages.hpp"

#include "pages.hpp"
#include "task_options.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace {

constexpr const char* plot_style = R"(
:root { --group0: #2563eb; --group1: #d9480f; --group2: #2b8a3e; --group3: #c2255c; --group4: #7048e8; --group5: #0b7285;
  --group6: #a8620a; --group7: #5c7cfa; --group8: #74a000; --rest: #9aa0aa; --low: 68 1 84; --middle: 33 144 140;
  --high: 216 190 10; }
@media (prefers-color-scheme: dark) {
  :root { --group0: #60a5fa; --group1: #ff922b; --group2: #51cf66; --group3: #f783ac; --group4: #b197fc; --group5: #3bc9db;
    --group6: #e0a458; --group7: #bac8ff; --group8: #c0eb75; --rest: #6b7280; --low: 140 100 220; --middle: 50 180 170;
    --high: 250 225 70; } }
body { max-width: 72rem; }
.frame { border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
canvas { display: block; width: 100%; touch-action: none; }
#legend { display: flex; flex-wrap: wrap; gap: .25rem .5rem; margin: .75rem 0; padding: 0; list-style: none; }
#legend button { font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: 999px;
  padding: .1rem .7rem; cursor: pointer; max-width: 22rem; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
#legend button[aria-pressed=false] { opacity: .4; }
#legend i { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .45em; }
#legend .scale { width: 10rem; height: .9rem; border-radius: 4px; align-self: center;
  background: linear-gradient(90deg, rgb(var(--low)), rgb(var(--middle)), rgb(var(--high))); }
#tip { position: fixed; z-index: 1; max-width: 26rem; padding: .5rem .75rem; border: 1px solid var(--line);
  border-radius: 6px; background: var(--ground); box-shadow: 0 4px 16px rgb(0 0 0 / .25); pointer-events: none;
  overflow-wrap: anywhere; white-space: pre-wrap; font-size: 14px; }
#tip b { display: block; color: var(--faint); font-weight: normal; font-size: 13px; }
)";

// What both pages need: colours of the scheme, a canvas as sharp as the screen, and the tip beside the pointer.
constexpr const char* plot_script = R"js(
const data = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("plot"), tip = document.getElementById("tip");
const context = canvas.getContext("2d");
const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const resized = height => {
  const width = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
  canvas.style.height = height + "px";
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return width;
};
const shortened = text => text.length > 600 ? text.slice(0, 600) + " \u2026" : text;
const showTip = (event, lines) => {
  tip.hidden = !lines;
  if (!lines) return;
  tip.replaceChildren(...lines.map(([tag, text]) => {
    const part = document.createElement(tag);
    part.textContent = shortened(text);
    return part;
  }));
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(8, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
  tip.style.top = (event.clientY + 18 + box.height < innerHeight ? event.clientY + 18
    : Math.max(8, event.clientY - box.height - 12)) + "px";
};
const whenever = draw => {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("resize", draw);
  draw();
};
canvas.addEventListener("pointerleave", () => showTip(null, null));
)js";

// Points are scaled alike in both directions. The wheel zooms about the pointer, dragging moves, a double click resets.
constexpr const char* map_script = R"js(
const n = data.points.length, hidden = new Set(), legend = document.getElementById("legend");
const bounds = k => data.points.reduce(([a, b], p) => [Math.min(a, p[k]), Math.max(b, p[k])], [Infinity, -Infinity]);
const [left, right] = bounds(0), [bottom, top_] = bounds(1);
let view = { zoom: 1, x: 0, y: 0 }, width = 0, dragged = null;
const height = 600, margin = 24, radius = n <= 300 ? 5.5 : n <= 3000 ? 4 : n <= 20000 ? 2.5 : 1.5;
const place = ([x, y]) => {
  const scale = Math.min((width - 2 * margin) / (right - left || 1), (height - 2 * margin) / (top_ - bottom || 1));
  return [width / 2 + view.x + view.zoom * scale * (x - (left + right) / 2),
    height / 2 + view.y - view.zoom * scale * (y - (bottom + top_) / 2)];
};
const range = (data.numbers || []).reduce(([a, b], v) => v === null ? [a, b] : [Math.min(a, v), Math.max(b, v)],
  [Infinity, -Infinity]);
const rounded = v => String(Number(v.toPrecision(6)));
const between = (from, to, t) => from.map((v, i) => Math.round(v + (to[i] - v) * t));
const painter = () => {
  const rest = colour("rest"), groups = data.groups.slice(0, 9).map((_, i) => colour("group" + i));
  const stops = ["low", "middle", "high"].map(name => colour(name).split(" ").map(Number));
  return i => {
    if (data.numbers) {
      const v = data.numbers[i];
      if (v === null) return rest;
      const t = 2 * (v - range[0]) / (range[1] - range[0] || 1);
      return `rgb(${between(...(t < 1 ? [stops[0], stops[1], t] : [stops[1], stops[2], t - 1])).join(" ")})`;
    }
    if (!data.title) return colour("group0");
    return groups[data.group_of[i]] || rest;
  };
};
const shown = i => !hidden.has(data.group_of[i] >= 0 && data.group_of[i] < 9 ? data.group_of[i] : -1);
const draw = () => {
  width = resized(height);
  context.clearRect(0, 0, width, height);
  const paint = painter();
  context.globalAlpha = n <= 3000 ? .8 : .6;
  for (let i = 0; i < n; ++i) {
    if (!shown(i)) continue;
    const [x, y] = place(data.points[i]);
    context.fillStyle = paint(i);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }
  context.globalAlpha = 1;
};
const nearest = event => {
  const box = canvas.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
  let best = -1, distance = 15 * 15;
  for (let i = 0; i < n; ++i) {
    if (!shown(i)) continue;
    const [x, y] = place(data.points[i]), d = (x - px) ** 2 + (y - py) ** 2;
    if (d < distance) [best, distance] = [i, d];
  }
  return best;
};
const label = i => data.numbers ? (data.numbers[i] === null ? "" : `${data.title}: ${data.numbers[i]}`)
  : data.title ? `${data.title}: ${data.groups[data.group_of[i]] ?? "none"}` : "";
canvas.addEventListener("pointerdown", event => {
  dragged = [event.clientX - view.x, event.clientY - view.y];
  canvas.setPointerCapture(event.pointerId);
});
addEventListener("pointerup", () => dragged = null);
canvas.addEventListener("pointermove", event => {
  if (dragged) {
    [view.x, view.y] = [event.clientX - dragged[0], event.clientY - dragged[1]];
    draw();
  }
  const i = nearest(event);
  draw();
  if (i >= 0) {
    const [x, y] = place(data.points[i]);
    context.strokeStyle = colour("ink");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, radius + 2, 0, 2 * Math.PI);
    context.stroke();
  }
  showTip(event, i < 0 ? null : [["span", data.texts[i]], ...(label(i) ? [["b", label(i)]] : [])]);
});
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  const box = canvas.getBoundingClientRect(), factor = Math.exp(-event.deltaY / 400);
  const zoom = Math.min(200, Math.max(.5, view.zoom * factor)), f = zoom / view.zoom;
  const px = event.clientX - box.left - width / 2, py = event.clientY - box.top - height / 2;
  view = { zoom, x: px - f * (px - view.x), y: py - f * (py - view.y) };
  draw();
}, { passive: false });
canvas.addEventListener("dblclick", () => { view = { zoom: 1, x: 0, y: 0 }; draw(); });
const addGroup = (id, name, size, variable) => {
  const item = document.createElement("li"), button = document.createElement("button"), dot = document.createElement("i");
  dot.style.background = `var(--${variable})`;
  button.type = "button";
  button.title = name;
  button.setAttribute("aria-pressed", "true");
  button.append(dot, `${name} (${size})`);
  button.addEventListener("click", () => {
    if (!hidden.delete(id)) hidden.add(id);
    button.setAttribute("aria-pressed", String(!hidden.has(id)));
    draw();
  });
  item.append(button);
  legend.append(item);
};
if (data.numbers) {
  const scale = document.createElement("li");
  scale.className = "scale";
  for (const part of [data.title, rounded(range[0]), scale, rounded(range[1])]) {
    const item = part === scale ? scale : document.createElement("li");
    if (part !== scale) item.textContent = part;
    legend.append(item);
  }
} else if (data.title) {
  const sizes = data.groups.map(() => 0);
  let rest = 0;
  for (const g of data.group_of) if (g >= 0 && g < 9) ++sizes[g]; else ++rest;
  data.groups.slice(0, 9).forEach((name, g) => addGroup(g, name, sizes[g], "group" + g));
  if (rest > 0) addGroup(-1, data.groups.length > 9 ? "others" : "none", rest, "rest");
}
whenever(draw);
)js";

// The colour of a cell is as strong as its value is large; those below zero have a colour of their own.
constexpr const char* heat_script = R"js(
const n = data.texts.length, values = data.similarity;
const largest = values.reduce((m, row, i) => row.reduce((a, v, j) => i === j ? a : Math.max(a, Math.abs(v)), m), 1e-6);
let cell = 0, left = 0, above = 0;
const clipped = (text, room) => {
  text = text.replace(/\s+/g, " ");
  if (context.measureText(text).width <= room) return text;
  let count = Math.min(text.length, 200);
  while (count > 1 && context.measureText(text.slice(0, count) + "\u2026").width > room) --count;
  return text.slice(0, count) + "\u2026";
};
const draw = () => {
  const wide = canvas.clientWidth, labels = n <= 60;
  left = labels ? Math.min(460, Math.max(wide / 3, wide - 16 - 40 * n)) : 8;
  above = labels ? 34 : 8;
  cell = Math.min(labels ? 40 : 24, (wide - left - 8) / n);
  resized(above + cell * n + 8);
  const [mark, against] = [colour("mark"), colour("against")];
  for (let i = 0; i < n; ++i) for (let j = 0; j < n; ++j) {
    const v = values[i][j];
    context.fillStyle = `rgb(${v < 0 ? against : mark} / ${Math.min(1, Math.abs(v) / largest).toFixed(3)})`;
    const gap = cell > 6 ? 1 : 0;
    context.fillRect(left + j * cell, above + i * cell, cell - gap, cell - gap);
  }
  if (!labels) return;
  context.font = "13px system-ui, sans-serif";
  context.fillStyle = colour("ink");
  context.textBaseline = "middle";
  context.textAlign = "right";
  if (cell >= 12) data.texts.forEach((text, i) =>
    context.fillText(`${clipped(text, left - 50)}  ${i + 1}`, left - 8, above + (i + .5) * cell));
  context.textAlign = "center";
  if (cell >= 18) data.texts.forEach((_, j) => context.fillText(j + 1, left + (j + .5) * cell, above - 12));
};
canvas.addEventListener("pointermove", event => {
  const box = canvas.getBoundingClientRect();
  const i = Math.floor((event.clientY - box.top - above) / cell), j = Math.floor((event.clientX - box.left - left) / cell);
  const inside = i >= 0 && j >= 0 && i < n && j < n;
  showTip(event, inside ? [["b", `${i + 1} and ${j + 1}: ${values[i][j]}`], ["span", data.texts[i]],
    ["b", "and"], ["span", data.texts[j]]] : null);
});
whenever(draw);
)js";

std::string plot_body(const std::string& note, const char* label, const Record& data, const char* script) {
    return std::string("<style>") + plot_style + "</style>\n<p class=\"note\">" + note +
           "</p>\n<ul id=\"legend\"></ul>\n<div class=\"frame\"><canvas id=\"plot\" role=\"img\" aria-label=\"" +
           label + "\"></canvas></div>\n<div id=\"tip\" hidden></div>\n<script type=\"application/json\" id=\"data\">" +
           script_json(data) + "</script>\n<script>" + plot_script + script + "</script>\n";
}

Record numbers_or_null(const std::vector<double>& numbers) {
    Record list = Record::array();
    for (const double number : numbers) list.push_back(std::isfinite(number) ? Record(number) : Record());
    return list;
}

}  // namespace

std::string map_page(const std::vector<std::string>& texts, const bert::Projection& projection,
                     const PointColours& colours) {
    Record points = Record::array();
    for (bert::Index i = 0; i < projection.points.rows(); ++i) {
        points.push_back({score_of(static_cast<float>(projection.points(i, 0))),
                          score_of(static_cast<float>(projection.points(i, 1)))});
    }
    Record data = {{"texts", texts}, {"points", std::move(points)}, {"title", colours.title}};
    data["groups"] = colours.groups;
    data["group_of"] = colours.group_of;
    if (!colours.numbers.empty()) data["numbers"] = numbers_or_null(colours.numbers);
    const std::string note =
        std::to_string(texts.size()) + " texts by their first two principal components, which hold " +
        fixed(100 * projection.variance_ratios[0], 1) + " % and " + fixed(100 * projection.variance_ratios[1], 1) +
        " % of the variance. Rest the pointer on a point to read its text; the wheel zooms, "
        "dragging moves, a double click resets.";
    return html_page("Map of texts", plot_body(note, "Map of texts", data, map_script));
}

std::string heat_map_page(const std::vector<std::string>& texts, const bert::Matrix& similarity) {
    Record rows = Record::array();
    for (bert::Index i = 0; i < similarity.rows(); ++i) {
        Record row = Record::array();
        for (bert::Index j = 0; j < similarity.cols(); ++j) {
            row.push_back(std::round(static_cast<double>(similarity(i, j)) * 1e4) / 1e4);
        }
        rows.push_back(std::move(row));
    }
    const Record data = {{"texts", texts}, {"similarity", std::move(rows)}};
    const std::string note =
        "Each cell is the similarity of two of " + std::to_string(texts.size()) +
        " texts: the stronger its colour, the more alike; orange is below zero. Rest the pointer on "
        "a cell to read both.";
    return html_page("Similarity of texts", plot_body(note, "Similarity of texts", data, heat_script));
}
