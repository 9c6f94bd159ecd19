// Outputs that can go on.
#include "row_file.hpp"

#include <bert/core/mapped_file.hpp>
#include <bert/error.hpp>
#include <bert/io/atomic_file.hpp>
#include <bert/io/json.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace {

constexpr const char* state_version = "bert embed 1";

std::string hexadecimal(std::uint64_t value) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(value));
    return digits;
}

std::optional<std::uint64_t> size_of(const std::string& path) {
    std::error_code ec;
    const auto size = std::filesystem::file_size(path, ec);
    if (ec) return std::nullopt;
    return size;
}

[[noreturn]] void refuse_output(const std::string& message) {
    throw CLI::ValidationError(message);
}

/// The first member in which two objects differ.
std::string difference(const Record& a, const Record& b) {
    for (const auto& [key, value] : a.items()) {
        if (!b.contains(key) || b.at(key) != value) return key;
    }
    return "options";
}

Record to_record(const Checkpoint& done) {
    return {{"rows", done.rows},
            {"truncated", done.truncated},
            {"skipped", done.skipped},
            {"bytes", done.bytes},
            {"input",
             {{"records", done.input.records},
              {"skipped", done.input.skipped},
              {"bytes", done.input.bytes},
              {"checksum", done.input.checksum.value()}}}};
}

/// Errors: Record::exception.
Checkpoint to_checkpoint(const Record& record) {
    const Record& input = record.at("input");
    Checkpoint done;
    done.rows = record.at("rows");
    done.truncated = record.at("truncated");
    done.skipped = record.at("skipped");
    done.bytes = record.at("bytes");
    done.input.records = input.at("records");
    done.input.skipped = input.at("skipped");
    done.input.bytes = input.at("bytes");
    done.input.checksum = Checksum(input.at("checksum").get<std::uint64_t>());
    return done;
}

}  // namespace

RowFile::RowFile(const std::string& path, const std::function<Record()>& describe_job, bool force)
    : path_(path), part_path_(path + ".part"), state_path_(path + ".state") {
    struct stat status {};
    if (path.empty()) {
        stream_ = true;
        file_ = stdout;
        path_ = "standard output";
    } else if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        stream_ = true;
        file_ = std::fopen(path.c_str(), "wb");
        if (!file_) fail("could not be opened");
    } else {
        job_ = describe_job();
        resume(force);
    }
}

RowFile::~RowFile() {
    if (!file_ || file_ == stdout) return;
    if (!stream_ && rows_ == 0) {
        std::remove(part_path_.c_str());
        std::remove(state_path_.c_str());
    }
    std::fclose(file_);
}

void RowFile::fail(const char* what) {
    const int error = errno;
    failed_ = true;
    throw bert::Error(bert::ErrorKind::file,
                      (stream_ ? path_ : part_path_) + ": " + what + ": " + std::strerror(error));
}

void RowFile::read_state() {
    const std::string text = bert::detail::read_file(state_path_, bert::detail::json_limit);
    bert::detail::check_json_text(text, state_path_);
    const Record state = Record::parse(text, nullptr, false);
    try {
        if (state.at("version") != state_version) refuse_output(state_path_ + ": another version wrote this");
        found_ = to_checkpoint(state);
        replaces_ = state.at("replaces");
        if (state.contains("made")) made_ = state.at("made").get<std::uint64_t>();
        if (const Record& job = state.at("job"); found_.rows > 0 && job != job_) {
            refuse_output(state_path_ + ": an unfinished run differs in " + difference(job_, job) +
                          "; --force begins anew");
        }
    } catch (const Record::exception&) {
        refuse_output(state_path_ + ": is damaged; --force begins anew");
    }
    if (found_.rows == 0) {
        found_ = {};
        made_.reset();
    }
}

void RowFile::resume(bool force) {
    const bool there = size_of(path_).has_value();
    replaces_ = force && there;
    const bool has_state = size_of(state_path_).has_value();
    if (!force && has_state) read_state();
    const bool goes_on = found_.rows > 0;
    // A run that ended between taking the name and removing the state is finished once more.
    if (goes_on && !size_of(part_path_) && size_of(path_) == found_.bytes) {
        if (std::rename(path_.c_str(), part_path_.c_str()) != 0) fail("could not be created");
    } else if (there && !replaces_ && !(made_ && size_of(path_) == made_)) {
        refuse_output(path_ + " exists; --force overwrites it");
    }
    // Opened without cutting it: another run may be at it.
    const int descriptor = open(part_path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) fail("could not be created");
    const bool locked = flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    struct stat opened {};
    struct stat named {};
    // A run that ended just now may have given the file its name.
    if (!locked || fstat(descriptor, &opened) != 0 || stat(part_path_.c_str(), &named) != 0 ||
        opened.st_ino != named.st_ino) {
        close(descriptor);
        refuse_output(part_path_ + ": another run is writing this");
    }
    if (!force && !has_state && opened.st_size > 0) {
        close(descriptor);
        refuse_output(part_path_ + " exists, and is of no unfinished run; --force overwrites it");
    }
    if (size_of(part_path_).value_or(0) < found_.bytes) {
        refuse_output(part_path_ + ": is shorter than " + state_path_ + " says; --force begins anew");
    }
    file_ = fdopen(descriptor, "r+b");
    if (!file_) fail("could not be opened");
    if (ftruncate(descriptor, static_cast<off_t>(found_.bytes)) != 0) fail("could not be cut");
    if (!goes_on) std::remove(state_path_.c_str());
    if (fseeko(file_, static_cast<off_t>(found_.bytes), SEEK_SET) != 0) fail("could not be read");
    rows_ = found_.rows;
    bytes_ = found_.bytes;
    if (!goes_on) save({});
}

void RowFile::write(std::string_view bytes) {
    if (!bytes.empty() && std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
        fail("could not be written");
    }
    bytes_ += bytes.size();
}

void RowFile::save(const Checkpoint& done) {
    if (failed_) return;
    if (std::fflush(file_) != 0) fail("could not be written");
    if (stream_) return;
    if (fsync(fileno(file_)) != 0) fail("could not be written");
    Checkpoint saved = done;
    saved.bytes = bytes_;
    Record state = {{"version", state_version}, {"job", job_}, {"replaces", replaces_}};
    if (made_) state["made"] = *made_;
    state.update(to_record(saved));
    bert::detail::AtomicFile file(state_path_);
    file.write(state.dump(1, ' ', false, Record::error_handler_t::replace) + "\n");
    file.commit();
    rows_ = saved.rows;
}

void RowFile::finish(std::string_view header, const Checkpoint& done, const Make& make) {
    save(done);
    if (stream_) return;
    if (!replaces_ && size_of(path_) && !(made_ && size_of(path_) == made_)) {
        refuse_output(path_ + " was made meanwhile: move it away, and the same command puts what is done in its place");
    }
    if (fseeko(file_, 0, SEEK_SET) != 0) fail("could not be written");
    if (std::fwrite(header.data(), 1, header.size(), file_) != header.size()) fail("could not be written");
    if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) fail("could not be written");
    if (make) {
        make_output(make, done);
    } else if (std::rename(part_path_.c_str(), path_.c_str()) != 0) {
        fail("could not be renamed");
    }
    bert::detail::synchronise_folder(bert::detail::folder_of(path_));
    if (std::remove(state_path_.c_str()) != 0) fail("its state could not be removed");
    if (make && std::remove(part_path_.c_str()) != 0) fail("could not be removed");
    std::fclose(std::exchange(file_, nullptr));
}

void RowFile::make_output(const Make& make, const Checkpoint& done) {
    const std::string made = path_ + ".made";
    try {
        make(part_path_, made);
        made_ = size_of(made);
        save(done);
        const int descriptor = open(made.c_str(), O_RDONLY | O_CLOEXEC);
        const bool kept = descriptor >= 0 && fsync(descriptor) == 0;
        if (descriptor >= 0) close(descriptor);
        if (!kept || std::rename(made.c_str(), path_.c_str()) != 0) fail("what was made of it could not be kept");
    } catch (...) {
        std::remove(made.c_str());
        throw;
    }
}

std::string model_checksum(const std::filesystem::path& path) {
    namespace fs = std::filesystem;
    std::vector<fs::path> files;
    std::error_code ec;
    if (fs::is_directory(path, ec)) {
        // The kinds of files that the library reads; weights for other programs may lie beside them.
        for (const auto& entry : fs::recursive_directory_iterator(path)) {
            const std::string ending = entry.path().extension().string();
            const bool read = ending == ".json" || ending == ".txt" || ending == ".safetensors";
            if (read && entry.is_regular_file()) files.push_back(entry.path());
        }
        std::sort(files.begin(), files.end());
    } else {
        files.push_back(path);
    }
    Checksum checksum;
    for (const fs::path& file : files) {
        const bert::MappedFile content(file);
        checksum.add(fs::relative(file, path).generic_string());
        checksum.add({reinterpret_cast<const char*>(content.data()), content.size()});
    }
    return hexadecimal(checksum.value());
}
