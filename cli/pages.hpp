// Self-contained HTML: pages that need no network, read in light and dark, and treat every text as text.
#pragma once

#include "records.hpp"

#include <bert/bert.hpp>

#include <string>
#include <vector>

/// A text with what was found out about it.
struct ExplainedText {
    std::string text;
    bert::Encoding encoding;
    std::vector<bert::WordContribution> words;
    std::vector<std::vector<bert::Matrix>> attentions;  ///< [layer][head]: tokens x tokens
    bert::Matrix rollout;                               ///< tokens x tokens
};

/// The text with &, <, >, quotes and control characters written so that HTML shows them.
std::string escape_html(const std::string& text);

/// A number with so many digits behind the point.
std::string fixed(double value, int digits);

/// JSON that may stand inside a script element: nothing in it can end that.
std::string script_json(const Record& record);

/// A whole page around `body`, which is HTML.
std::string html_page(const std::string& title, const std::string& body);

/// A page about one text, or about two and their similarity (`similarity` may be null).
std::string explanation_page(const std::vector<ExplainedText>& texts, const bert::SimilarityContributions* similarity);
