// Writing records.
#include "records.hpp"

#include "interrupt.hpp"

#include <bert/error.hpp>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace {

[[noreturn]] void fail(const std::string& message) {
    throw bert::Error(bert::ErrorKind::file, message);
}

}  // namespace

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
            fail("text " + std::to_string(input.first + i) + ": expected a second text in \"" + field +
                 "\" or behind a tab");
        }
        seconds.push_back(text.substr(tab + 1));
        text.resize(tab);
        record = {{"text", text}, {field, seconds.back()}};
    }
    return seconds;
}

Output::Output(const std::string& path, bool force) {
    if (path.empty()) return;
    std::error_code ec;
    const auto status = std::filesystem::status(path, ec);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
        stream_ = path;
        return;
    }
    if (std::filesystem::exists(status) && !force) {
        throw CLI::ValidationError(path + " exists; --force overwrites it");
    }
    file_.emplace(path);
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
        return;
    }
    const std::string name = stream_.empty() ? "standard output" : stream_;
    std::FILE* const file = stream_.empty() ? stdout : std::fopen(stream_.c_str(), "wb");
    if (!file) fail(name + ": could not be opened: " + std::strerror(errno));
    const bool written =
        std::fwrite(buffer_.data(), 1, buffer_.size(), file) == buffer_.size() && std::fflush(file) == 0;
    const int error = errno;
    if (file != stdout) std::fclose(file);
    if (!written) fail(name + ": could not be written: " + std::strerror(error));
    buffer_.clear();
}

std::string shortest(float value) {
    char digits[32];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

namespace {

/// Answers a window and lets that out. If it fails, its records are answered one by one, which tells whose fault it is.
/// Returns how many of them were skipped, `before` having been before.
std::uint64_t answer_window(const InputOptions& options, const Input& window, std::uint64_t before,
                            const std::function<void(Input&, Output&)>& answer) {
    std::optional<Output> output(std::in_place, "");
    std::uint64_t skipped = 0;
    try {
        Input all = window;
        answer(all, *output);
    } catch (const bert::Error&) {
        output.emplace("");
        for (std::size_t i = 0; i < window.texts.size(); ++i) {
            throw_if_interrupted();
            Input one;
            one.first = window.first + i;
            one.texts.push_back(window.texts[i]);
            one.records.push_back(window.records[i]);
            try {
                answer(one, *output);
            } catch (const bert::Error& error) {
                const std::size_t kind = std::string(bert::to_string(error.kind()) + std::string(" error: ")).size();
                const bert::Error named(error.kind(), window.places[i] + ": " + std::string(error.what()).substr(kind));
                throw_or_skip(options, named, before + skipped++);
            }
        }
    }
    output->commit();
    return skipped;
}

}  // namespace

void answer_in_windows(const InputOptions& options, const std::function<void(Input&, Output&)>& answer) {
    notice_interrupts();
    TextReader reader(options);
    std::size_t read = 0;
    std::uint64_t skipped = 0;  // for what the model says of them
    for (bool more = true; more;) {
        Input window;
        window.first = read;
        more = read_window(reader, [&](TextRecord&& text) {
            window.texts.push_back(std::move(text.text));
            window.records.push_back(std::move(text.record));
            window.places.push_back(std::move(text.place));
        });
        throw_if_interrupted();
        read += window.texts.size();
        if (!window.texts.empty()) {
            skipped += answer_window(options, window, reader.position().skipped + skipped, answer);
        }
    }
    report_skipped(reader.position().skipped + skipped);
}
