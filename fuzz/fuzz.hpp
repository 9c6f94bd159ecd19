// What the fuzz targets share: inputs cut into numbers and texts, files to open, and the rule that a call either works
// or throws bert::Error.
#pragma once

#include <bert/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace bert_fuzz {

namespace fs = std::filesystem;

/// Ends the process, which the fuzzer reports as a finding, unless `holds`.
inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "fuzz: does not hold: %s\n", what);
    std::abort();
}

/// An input, read from its front. Behind its end there are zeros.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }

    bool flag() { return (byte() & 1) != 0; }

    /// A number from 0 to end - 1.
    std::size_t below(std::size_t end) {
        const std::size_t low = byte();
        return (low | static_cast<std::size_t>(end > 256 ? byte() : 0) << 8) % end;
    }

    /// The next `size` bytes, or fewer at the end.
    std::string text(std::size_t size) {
        const std::string taken(rest_.substr(0, size));
        rest_.remove_prefix(taken.size());
        return taken;
    }

    std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

/// A folder of this process, in memory where the system has such a place, removed at its end.
class Folder {
public:
    Folder() {
        const fs::path memory = "/dev/shm";
        std::error_code ec;
        const fs::path parent = fs::is_directory(memory, ec) ? memory : fs::temp_directory_path();
        std::random_device random;
        do {
            path_ = parent / ("bert_fuzz_" + std::to_string(random()));
        } while (!fs::create_directory(path_));
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ec;
        fs::remove_all(path_, ec);
    }

    const fs::path& path() const { return path_; }

    /// Writes the file `name`, and the folders above it.
    fs::path write(const std::string& name, std::string_view content) const {
        const fs::path file = path_ / name;
        fs::create_directories(file.parent_path());
        std::ofstream out(file, std::ios::binary);
        out.write(content.data(), static_cast<std::streamsize>(content.size()));
        out.flush();
        require(out.good(), "the file can be written");
        return file;
    }

private:
    fs::path path_;
};

inline std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    require(in.good(), "test data is there");
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Whether `call` came back. Any exception but bert::Error with a message goes on to the fuzzer as a finding.
template <class Call>
bool succeeds(const Call& call) {
    try {
        call();
        return true;
    } catch (const bert::Error& error) {
        require(std::strlen(error.what()) > 0, "errors say something");
        return false;
    }
}

/// A target with its name, in programs that hold all of them.
struct Target {
    const char* name;
    void (*run)(const std::uint8_t* data, std::size_t size);
};

inline std::vector<Target>& targets() {
    static std::vector<Target> all;
    return all;
}

struct Registration {
    explicit Registration(const Target& target) { targets().push_back(target); }
};

}  // namespace bert_fuzz

/// Begins the body of a target, which is given an input as `data` and `size`: the entry of a libFuzzer program or, with
/// BERT_FUZZ_REPLAY, one of bert_fuzz::targets().
#if defined(BERT_FUZZ_REPLAY)
#define BERT_FUZZ_TARGET(name)                                                            \
    static void bert_fuzz_##name(const std::uint8_t* data, std::size_t size);             \
    static const bert_fuzz::Registration registration_##name({#name, &bert_fuzz_##name}); \
    static void bert_fuzz_##name(const std::uint8_t* data, std::size_t size)
#else
#define BERT_FUZZ_TARGET(name)                                                          \
    static void bert_fuzz_##name(const std::uint8_t* data, std::size_t size);           \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
        bert_fuzz_##name(data, size);                                                   \
        return 0;                                                                       \
    }                                                                                   \
    static void bert_fuzz_##name(const std::uint8_t* data, std::size_t size)
#endif
