// Reading texts and writing records.
#include "records.hpp"

#include <bert/error.hpp>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <istream>
#include <iterator>
#include <utility>

namespace {

[[noreturn]] void fail(const std::string& message) {
    throw bert::Error(bert::ErrorKind::file, message);
}

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void read_stream(std::istream& stream, const std::string& name, bool json, const std::string& field, Input& input) {
    std::string line;
    for (std::size_t number = 1; std::getline(stream, line); ++number) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (!json) {
            input.records.push_back({{"text", line}});
            input.texts.push_back(std::move(line));
            line.clear();
            continue;
        }
        if (line.empty()) continue;
        const auto where = [&] { return name + ":" + std::to_string(number) + ": "; };
        Record record = Record::parse(line, nullptr, false);
        if (!record.is_object()) fail(where() + "expected a JSON object");
        const auto text = record.find(field);
        if (text == record.end() || !text->is_string()) fail(where() + "expected a text in \"" + field + "\"");
        input.texts.push_back(text->get<std::string>());
        input.records.push_back(std::move(record));
    }
    if (stream.bad()) fail(name + ": could not be read");
}

}  // namespace

void add_input_options(CLI::App& command, InputOptions& input) {
    command.add_option("files", input.files, "Files of texts; none, or -, for standard input");
    command
        .add_option("--format", input.format,
                    "lines: one text a line; whole: one text a file; jsonl: one JSON object a line; auto: jsonl for "
                    ".jsonl and .ndjson files, else " +
                        input.plain)
        ->check(CLI::IsMember({"auto", "lines", "whole", "jsonl"}).description(""));
    command.add_option("--field", input.field, "The field of JSON objects that holds the text")->capture_default_str();
}

Input read_input(const InputOptions& options) {
    Input input;
    std::vector<std::string> files = options.files;
    if (files.empty()) files.emplace_back("-");
    for (const std::string& file : files) {
        const bool by_name = options.format == "auto" && (ends_with(file, ".jsonl") || ends_with(file, ".ndjson"));
        const bool json = options.format == "jsonl" || by_name;
        const bool whole = !json && (options.format == "auto" ? options.plain : options.format) == "whole";
        if (whole) {
            input.texts.push_back(read_whole(file));
            input.records.push_back({{"file", file}});
            continue;
        }
        if (file == "-") {
            read_stream(std::cin, "standard input", json, options.field, input);
            continue;
        }
        std::ifstream stream(file, std::ios::binary);
        if (!stream) fail(file + ": could not be opened: " + std::strerror(errno));
        read_stream(stream, file, json, options.field, input);
    }
    return input;
}

std::vector<std::string> take_second_texts(Input& input, const std::string& field) {
    std::vector<std::string> seconds;
    for (std::size_t i = 0; i < input.texts.size(); ++i) {
        Record& record = input.records[i];
        std::string& text = input.texts[i];
        if (const auto second = record.find(field); second != record.end() && second->is_string()) {
            seconds.push_back(second->get<std::string>());
            continue;
        }
        const std::size_t tab = text.find('\t');
        if (record.size() != 1 || tab == std::string::npos) {
            fail("text " + std::to_string(i) + ": expected a second text in \"" + field + "\" or behind a tab");
        }
        seconds.push_back(text.substr(tab + 1));
        text.resize(tab);
        record = {{"text", text}, {field, seconds.back()}};
    }
    return seconds;
}

std::string read_whole(const std::string& file) {
    if (file == "-") return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
    std::ifstream stream(file, std::ios::binary);
    if (!stream) fail(file + ": could not be opened: " + std::strerror(errno));
    std::string content{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    if (stream.bad()) fail(file + ": could not be read");
    return content;
}

Output::Output(const std::string& path) {
    if (!path.empty()) file_.emplace(path);
}

void Output::write(const void* bytes, std::size_t count) {
    if (file_) file_->write(bytes, count);
    else buffer_.append(static_cast<const char*>(bytes), count);
}

void Output::write_line(const Record& record) {
    write(record.dump(-1, ' ', false, Record::error_handler_t::replace) + "\n");
}

void Output::commit() {
    if (file_) {
        file_->commit();
    } else if (std::fwrite(buffer_.data(), 1, buffer_.size(), stdout) != buffer_.size() || std::fflush(stdout) != 0) {
        fail(std::string("standard output: could not be written: ") + std::strerror(errno));
    }
}

std::string shortest(float value) {
    char digits[32];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}
