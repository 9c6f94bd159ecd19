// The manual page, in the macros of man(7).
#include "man_page.hpp"

#include <sstream>

namespace {

/// Text as it is, whatever it holds that roff would obey.
std::string roff(const std::string& text) {
    std::string out;
    bool begins = true;  // a line, where . and ' are requests
    for (const char c : text) {
        if (begins && (c == '.' || c == '\'')) out += "\\&";
        begins = c == '\n';
        if (c == '\\') out += "\\e";
        else if (c == '-') out += "\\-";
        else if (c == '\'') out += "\\(aq";
        else if (c == '`') out += "\\(ga";
        else if (c == '^') out += "\\(ha";
        else if (c == '~') out += "\\(ti";
        else out += c;
    }
    return out;
}

/// Paragraphs, and indented lines as they are.
std::string paragraphs(const std::string& text) {
    std::istringstream lines(text);
    std::string out;
    bool example = false;
    for (std::string line; std::getline(lines, line);) {
        const bool indented = line.rfind("  ", 0) == 0;
        if (indented && !example) out += ".PP\n.RS 4\n.nf\n";
        if (!indented && example) out += ".fi\n.RE\n";
        example = indented;
        if (line.empty()) out += ".PP\n";
        else out += roff(indented ? line.substr(2) : line) + "\n";
    }
    return out + (example ? ".fi\n.RE\n" : "");
}

/// What stands behind an option's name, as --help has it.
std::string value_of(const CLI::Option& option) {
    if (!option.get_option_text().empty()) return option.get_option_text();
    if (option.get_type_size() == 0) return "";
    std::string text = option.get_type_name();
    if (!option.get_default_str().empty()) text += "=" + option.get_default_str();
    return text;
}

std::string options_of(const CLI::App& app) {
    std::string out;
    for (const CLI::Option* const option : app.get_options()) {
        if (option->get_group().empty()) continue;
        const std::string value = value_of(*option);
        out += ".TP\n\\fB" + roff(option->get_name(option->get_positional(), true)) + "\\fR" +
               (value.empty() ? "" : " \\fI" + roff(value) + "\\fR") + "\n" + roff(option->get_description()) +
               (option->get_required() ? " (required)" : "") + "\n";
    }
    return out;
}

}  // namespace

std::string man_page(const CLI::App& app) {
    std::string page =
        ".TH BERT 1\n.SH NAME\nbert \\- BERT on a CPU\n.SH SYNOPSIS\n.B bert\n.I command\n"
        ".RI [ option ...]\n.RI [ argument ...]\n.SH DESCRIPTION\n" +
        roff(app.get_description()) + "\n.PP\n" + paragraphs(app.get_footer()) + ".SH OPTIONS\n" + options_of(app) +
        ".SH COMMANDS\n";
    for (const CLI::App* const command : app.get_subcommands([](const CLI::App*) { return true; })) {
        page += ".SS bert " + roff(command->get_name()) + "\n" + roff(command->get_description()) + ".\n" +
                options_of(*command) + ".PP\n" + paragraphs(command->get_footer());
    }
    return page;
}
