// The manual page, made from what the commands declare. Depends on CLI11.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

/// The page bert(1) as man reads it: `app`, its commands, and the options and footers of each.
std::string man_page(const CLI::App& app);
