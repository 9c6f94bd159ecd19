// An output that grows row by row and can go on where an earlier run ended. Depends on text_reader.hpp and the
// library's atomic file.
#pragma once

#include "text_reader.hpp"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// What a run has finished.
struct Checkpoint {
    std::uint64_t rows = 0;
    std::uint64_t truncated = 0;  ///< texts that were cut
    std::uint64_t skipped = 0;    ///< records that were left out after they were read
    std::uint64_t bytes = 0;      ///< of the output; RowFile keeps it
    ReadPosition input;           ///< behind the record of the last row
};

/// Writes to `OUT.part`, with a note of what is finished in `OUT.state`, and takes the name OUT in finish(). What the
/// state counts has reached the disk before the state says so, so that a run may end at any moment, by any means, and
/// the next one with the same job goes on. Standard output, devices and pipes are written as they are, without a state.
class RowFile {
public:
    /// `path`: empty for standard output. `describe_job` tells all that the bytes depend on beside the input. Without
    /// `force` an output that is there is an error, and so is an unfinished run of another job; with it nothing of an
    /// earlier run is used. Errors: CLI::ValidationError (those two), file.
    RowFile(const std::string& path, const std::function<Record()>& describe_job, bool force);
    RowFile(const RowFile&) = delete;
    RowFile& operator=(const RowFile&) = delete;
    /// Leaves nothing behind where no row was finished.
    ~RowFile();

    /// Whether bytes can be changed once they are written.
    bool seekable() const { return !stream_; }

    /// Where to go on from; 0 rows and bytes for a new output.
    const Checkpoint& found() const { return found_; }

    /// Errors: file.
    void write(std::string_view bytes);

    /// Makes what was written last. `done` describes it. Errors: file.
    void save(const Checkpoint& done);

    /// Puts `header` over the beginning, and the file in its place; or, with `make`, what that makes of it: it is given
    /// the file to read and the one to write. Errors: file; those of `make`, after which the run can go on.
    using Make = std::function<void(const std::filesystem::path& rows, const std::filesystem::path& made)>;
    void finish(std::string_view header, const Checkpoint& done, const Make& make = {});

    /// For messages.
    const std::string& state_path() const { return state_path_; }

private:
    void resume(bool force);
    void read_state();
    void make_output(const Make& make, const Checkpoint& done);
    [[noreturn]] void fail(const char* what);

    bool stream_ = false;
    bool failed_ = false;                // what the file holds is not known
    bool replaces_ = false;              // an output of that name that was there at first
    std::optional<std::uint64_t> made_;  // bytes of what was made and may have taken the name
    std::string path_;
    std::string part_path_;
    std::string state_path_;
    Record job_;
    std::FILE* file_ = nullptr;
    Checkpoint found_;
    std::uint64_t rows_ = 0;  // that the state counts
    std::uint64_t bytes_ = 0;
};

/// A checksum of the files that a model folder (or a file) is read from.
std::string model_checksum(const std::filesystem::path& path);
