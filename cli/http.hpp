// HTTP requests, by libcurl. Depends on libcurl, bert/error.hpp and interrupt.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

/// The end of an answer, after redirections.
struct HttpAnswer {
    long status = 0;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
    std::string redirect;  // where a redirection that was not followed leads to

    /// The value of a header, empty where it is not there.
    std::string header(const std::string& name) const;
};

/// One connection to a server and those that it redirects to. What fails in passing (a connection that breaks, a server
/// that is busy) is tried again, after longer and longer waits. The token goes to the first server only.
class Http {
public:
    explicit Http(std::string token);
    ~Http();

    /// The headers alone; a redirection is not followed. Errors: file, Interrupted.
    HttpAnswer head(const std::string& url);

    /// Errors: file (also for a body of more than `limit` bytes), Interrupted.
    HttpAnswer get(const std::string& url, std::size_t limit);

    /// Takes the bytes of a file. `offset` counts them from the file's begin: it is what was asked for, or 0 where the
    /// server sends the file from its begin.
    using Receive = std::function<void(std::uint64_t offset, const char* bytes, std::size_t count)>;

    /// Gets the bytes of a file from `position` on. `receive` advances it; a transfer that breaks goes on from there.
    /// An answer that is no file (a status of 400 or more) is returned as it is. Errors: file, Interrupted, and those
    /// of `receive`.
    HttpAnswer get_file(const std::string& url, const std::uint64_t& position, const Receive& receive);

private:
    struct Transfer;

    /// Tries as long as that makes sense. `position`: of a file, where to go on.
    HttpAnswer request(const std::string& url, const Transfer& transfer, const std::uint64_t* position);

    /// Tries once. Returns what went wrong where that may pass, else nothing.
    std::string attempt(const std::string& url, Transfer& transfer);

    struct Closer {
        void operator()(void* handle) const;
    };
    std::unique_ptr<void, Closer> handle_;
    std::string token_;
};
