// Pages of bert explain, and what all pages have in common.
#include "pages.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

namespace {

// Colours are variables, so that both schemes are in one place. Weights are shown by the opacity of --mark.
constexpr const char* style = R"(
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1d2129; --faint: #6b7280; --line: #d8dce3;
  --mark: 37 99 235; --against: 220 80 20; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --ink: #e6e8ec; --faint: #9aa3b0; --line: #333a45; --mark: 96 165 250;
    --against: 251 146 60; } }
body { background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
p.note { color: var(--faint); }
.words { line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere; }
.words span { border-radius: 3px; padding: 1px 2px; }
.scroll { overflow-x: auto; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
#attention { max-width: 40rem; }
select { font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; font-size: 12px; } th { font-weight: normal; padding: 1px 5px; }
th.up { writing-mode: vertical-rl; text-align: left; } td { width: 1.4rem; height: 1.4rem; border: 1px solid var(--line); }
)";

// Draws the attention of the chosen text, layer and head: a line from each token to each it attends to.
constexpr const char* script = R"js(
const data = JSON.parse(document.getElementById("data").textContent);
const [text, layer, head] = ["text", "layer", "head"].map(id => document.getElementById(id));
const svg = document.getElementById("attention"), note = document.getElementById("weights");
const element = (name, parent, attributes) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  return parent.appendChild(e);
};
const option = (select, value, label) => {
  const o = document.createElement("option");
  o.value = value; o.textContent = label; select.appendChild(o);
};
const weightsOf = item => {
  const bytes = code => Uint8Array.from(atob(code), c => c.charCodeAt(0));
  const n = item.tokens.length, sum = new Float64Array(n * n);
  if (layer.value === "rollout") return bytes(item.rollout);
  const heads = item.attentions[layer.value];
  if (head.value !== "mean") return bytes(heads[head.value]);
  for (const code of heads) bytes(code).forEach((x, i) => sum[i] += x / heads.length);
  return sum;
};
let chosen = -1;
const draw = () => {
  const item = data[text.value], n = item.tokens.length, step = 22, left = 150, right = 450;
  const weights = weightsOf(item);
  head.disabled = layer.value === "rollout";
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 600 ${n * step + 10}`);
  const y = i => i * step + 16;
  for (let i = 0; i < n; ++i) for (let j = 0; j < n; ++j) {
    const w = weights[i * n + j] / 255;
    if (w < 0.02 || (chosen >= 0 && chosen !== i)) continue;
    element("line", svg, { x1: left, x2: right, y1: y(i) - 4, y2: y(j) - 4, "stroke-width": 2,
      style: `stroke: rgb(var(--mark) / ${w.toFixed(3)})` });
  }
  item.tokens.forEach((token, i) => {
    const a = element("text", svg, { x: left - 8, y: y(i), "text-anchor": "end", style: "cursor: pointer" });
    a.textContent = token;
    a.addEventListener("click", () => { chosen = chosen === i ? -1 : i; draw(); });
    element("text", svg, { x: right + 8, y: y(i) }).textContent = token;
  });
  note.textContent = chosen < 0 ? "Choose a token on the left to see its weights." : item.tokens[chosen] + ": " +
    item.tokens.map((t, j) => [weights[chosen * n + j] / 255, t]).sort((a, b) => b[0] - a[0]).slice(0, 8)
      .map(([w, t]) => `${t} ${w.toFixed(2)}`).join(", ");
};
data.forEach((item, i) => option(text, i, i + 1));
option(layer, "rollout", "all layers (rollout)");
data[0].attentions.forEach((_, i) => option(layer, i, i + 1));
option(head, "mean", "mean of all");
data[0].attentions[0].forEach((_, i) => option(head, i, i + 1));
text.addEventListener("change", () => { chosen = -1; draw(); });
for (const select of [layer, head]) select.addEventListener("change", draw);
draw();
)js";

std::string base64(const std::vector<unsigned char>& bytes) {
    constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
        unsigned word = 0;
        for (std::size_t i = 0; i < 3; ++i) word = word << 8 | (i < count ? bytes[at + i] : 0u);
        for (std::size_t i = 0; i < 4; ++i) text += i <= count ? digits[word >> (18 - 6 * i) & 63] : '=';
    }
    return text;
}

/// Weights from 0 to 1 as one byte each: what a page can show of them.
std::string packed_weights(const bert::Matrix& weights) {
    std::vector<unsigned char> bytes;
    for (bert::Index i = 0; i < weights.size(); ++i) {
        bytes.push_back(static_cast<unsigned char>(std::lround(255 * std::clamp(weights.data()[i], 0.0f, 1.0f))));
    }
    return base64(bytes);
}

std::string marked_words(const ExplainedText& explained) {
    float largest = 1e-6f;
    for (const auto& word : explained.words) largest = std::max(largest, word.change);
    std::string html = "<p class=\"words\">";
    std::size_t at = 0;
    for (const auto& word : explained.words) {
        html += escape_html(explained.text.substr(at, word.span.begin - at));
        html += "<span style=\"background: rgb(var(--mark) / " +
                fixed(0.6 * static_cast<double>(std::max(word.change, 0.0f) / largest), 3) + ")\" title=\"" +
                fixed(static_cast<double>(word.change), 4) + "\">" +
                escape_html(explained.text.substr(word.span.begin, word.span.end - word.span.begin)) + "</span>";
        at = word.span.end;
    }
    return html + escape_html(explained.text.substr(at)) + "</p>\n";
}

std::string similarity_table(const bert::SimilarityContributions& similarity) {
    const bert::Matrix& values = similarity.contributions;
    const float largest = std::max(1e-6f, values.cwiseAbs().maxCoeff());
    std::string html = "<h2>Similarity " + fixed(static_cast<double>(similarity.cosine), 4) +
                       "</h2>\n<p class=\"note\">The cosine is the sum of all cells: blue ones add to it, orange ones "
                       "take away.</p>\n<div class=\"scroll\"><table>\n<tr><th></th>";
    for (const auto& token : similarity.second.tokens) html += "<th class=\"up\">" + escape_html(token) + "</th>";
    html += "</tr>\n";
    for (bert::Index i = 0; i < values.rows(); ++i) {
        html += "<tr><th>" + escape_html(similarity.first.tokens[static_cast<std::size_t>(i)]) + "</th>";
        for (bert::Index j = 0; j < values.cols(); ++j) {
            const float value = values(i, j);
            html += std::string("<td style=\"background: rgb(var(") + (value < 0 ? "--against" : "--mark") + ") / " +
                    fixed(static_cast<double>(std::abs(value) / largest), 3) + ")\" title=\"" +
                    fixed(static_cast<double>(value), 5) + "\"></td>";
        }
        html += "</tr>\n";
    }
    return html + "</table></div>\n";
}

Record attention_data(const std::vector<ExplainedText>& texts) {
    Record data = Record::array();
    for (const ExplainedText& text : texts) {
        Record layers = Record::array();
        for (const auto& layer : text.attentions) {
            Record heads = Record::array();
            for (const auto& head : layer) heads.push_back(packed_weights(head));
            layers.push_back(std::move(heads));
        }
        data.push_back({{"tokens", text.encoding.tokens},
                        {"rollout", packed_weights(text.rollout)},
                        {"attentions", std::move(layers)}});
    }
    return data;
}

}  // namespace

std::string fixed(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

std::string script_json(const Record& record) {
    std::string safe;
    for (const char c : record.dump(-1, ' ', true, Record::error_handler_t::replace)) {
        if (c == '<') safe += "\\u003c";
        else safe += c;
    }
    return safe;
}

std::string html_page(const std::string& title, const std::string& body) {
    return "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
           "content=\"width=device-width, initial-scale=1\">\n<title>" +
           escape_html(title) + "</title>\n<style>" + style + "</style>\n<h1>" + escape_html(title) + "</h1>\n" + body +
           "</html>\n";
}

std::string escape_html(const std::string& text) {
    // Bytes that are not UTF-8 become replacement characters, as in JSON.
    const Record valid = Record::parse(Record(text).dump(-1, ' ', false, Record::error_handler_t::replace));
    std::string html;
    for (const char c : valid.get<std::string>()) {
        switch (c) {
            case '&': html += "&amp;"; break;
            case '<': html += "&lt;"; break;
            case '>': html += "&gt;"; break;
            case '"': html += "&quot;"; break;
            case '\'': html += "&#39;"; break;
            default:
                // Characters that HTML does not allow.
                if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r') html += "\xEF\xBF\xBD";
                else html += c;
        }
    }
    return html;
}

std::string explanation_page(const std::vector<ExplainedText>& texts, const bert::SimilarityContributions* similarity) {
    std::string body =
        "<h2>Words</h2>\n<p class=\"note\">The stronger its colour, the further the embedding moves when a word is "
        "left "
        "out (1 - cosine shows when the pointer rests on it).</p>\n";
    for (const ExplainedText& text : texts) {
        body += marked_words(text);
        if (text.encoding.truncated) body += "<p class=\"note\">The end of the text was beyond the length limit.</p>\n";
    }
    if (similarity) body += similarity_table(*similarity);
    body +=
        "<h2>Attention</h2>\n<p><label>Text <select id=\"text\"></select></label> <label>Layer <select "
        "id=\"layer\"></select></label> <label>Head <select id=\"head\"></select></label></p>\n<p class=\"note\" "
        "id=\"weights\"></p>\n<svg id=\"attention\" width=\"100%\" role=\"img\" aria-label=\"Attention between "
        "tokens\"></svg>\n<script type=\"application/json\" id=\"data\">" +
        script_json(attention_data(texts)) + "</script>\n<script>" + script + "</script>\n";
    return html_page("What the model looks at", body);
}
