// HTTP requests, by libcurl.
#include "http.hpp"

#include "interrupt.hpp"

#include <bert/error.hpp>
#include <bert/version.hpp>

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <thread>
#include <utility>

std::string HttpAnswer::header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
}

/// What the callbacks of one request need. An exception in them ends the transfer and is thrown behind it.
struct Http::Transfer {
    bool head = false;
    std::uint64_t first = 0;           // byte of the file to begin with
    std::size_t limit = 0;             // bytes of a body that is kept
    const Receive* receive = nullptr;  // of a body that is not

    HttpAnswer answer;
    std::uint64_t offset = 0;
    bool begun = false;
    std::exception_ptr error;

    void take_header(std::string line) {
        while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.pop_back();
        if (line.rfind("HTTP/", 0) == 0) answer.headers.clear();  // of the answer behind a redirection
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) return;
        std::string name = line.substr(0, colon);
        std::transform(name.begin(), name.end(), name.begin(),
                       [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
        const std::size_t value = line.find_first_not_of(" \t", colon + 1);
        answer.headers[name] = value == std::string::npos ? "" : line.substr(value);
    }

    void take_body(CURL* handle, const char* bytes, std::size_t count) {
        if (!receive) {
            if (answer.body.size() + count > limit) {
                throw bert::Error(bert::ErrorKind::file, "an answer of more than " + std::to_string(limit) + " bytes");
            }
            answer.body.append(bytes, count);
            return;
        }
        long status = 0;
        curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 300) return;  // the page of an error
        if (!begun) {
            begun = true;
            offset = status == 206 ? range_begin() : 0;
        }
        (*receive)(offset, bytes, count);
        offset += count;
    }

    std::uint64_t range_begin() const {
        const std::string range = answer.header("content-range");  // "bytes 5-9/10"
        if (range.rfind("bytes ", 0) != 0) {
            throw bert::Error(bert::ErrorKind::format, "part of a file without a Content-Range");
        }
        return std::strtoull(range.c_str() + 6, nullptr, 10);
    }

    template <class F>
    bool guarded(F&& f) {
        try {
            f();
            return true;
        } catch (...) {
            error = std::current_exception();
            return false;
        }
    }
};

namespace {

using Take = std::function<bool(const char*, std::size_t)>;

std::size_t on_bytes(char* bytes, std::size_t size, std::size_t count, void* take) {
    return (*static_cast<Take*>(take))(bytes, size * count) ? size * count : 0;
}

int on_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    try {
        throw_if_interrupted();
        return 0;
    } catch (const Interrupted&) {
        return 1;
    }
}

void wait(std::chrono::milliseconds time) {
    for (; time.count() > 0; time -= std::chrono::milliseconds(50)) {
        throw_if_interrupted();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

/// Whether the same request may succeed later.
bool may_pass(CURLcode code, long status) {
    switch (code) {
        case CURLE_OK: return status == 408 || status == 429 || status >= 500;
        case CURLE_PARTIAL_FILE:
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_GOT_NOTHING:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM: return true;
        default: return false;
    }
}

}  // namespace

void Http::Closer::operator()(void* handle) const {
    curl_easy_cleanup(handle);
}

Http::Http(std::string token) : handle_(curl_easy_init()), token_(std::move(token)) {
    if (!handle_) throw bert::Error(bert::ErrorKind::file, "libcurl could not be started");
}

Http::~Http() = default;

HttpAnswer Http::head(const std::string& url) {
    Transfer transfer;
    transfer.head = true;
    return request(url, transfer, nullptr);
}

HttpAnswer Http::get(const std::string& url, std::size_t limit) {
    Transfer transfer;
    transfer.limit = limit;
    return request(url, transfer, nullptr);
}

HttpAnswer Http::get_file(const std::string& url, const std::uint64_t& position, const Receive& receive) {
    Transfer transfer;
    transfer.receive = &receive;
    return request(url, transfer, &position);
}

HttpAnswer Http::request(const std::string& url, const Transfer& transfer, const std::uint64_t* position) {
    constexpr int tries = 5;
    for (int failures = 0;;) {
        Transfer current = transfer;
        if (position) current.first = *position;
        const std::string problem = attempt(url, current);
        if (problem.empty()) return std::move(current.answer);
        if (position && *position > current.first) failures = 0;
        if (++failures == tries) throw bert::Error(bert::ErrorKind::file, problem);
        wait(std::chrono::milliseconds(250 << failures));
    }
}

std::string Http::attempt(const std::string& url, Transfer& transfer) {
    CURL* const handle = handle_.get();
    curl_easy_reset(handle);
    const std::string agent =
        "bert.hpp/" + std::to_string(BERT_VERSION_MAJOR) + "." + std::to_string(BERT_VERSION_MINOR);
    const char* const protocols = url.rfind("https://", 0) == 0 ? "https" : "http,https";
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_USERAGENT, agent.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, protocols);
    curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, transfer.head ? 0L : 1L);
    curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 10L);
    if (transfer.head) curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, 20L);
    // A server that sends nothing for a minute is taken for gone.
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, 60L);
    if (!token_.empty()) {
        curl_easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(handle, CURLOPT_XOAUTH2_BEARER, token_.c_str());
    }
    if (transfer.first > 0) curl_easy_setopt(handle, CURLOPT_RANGE, (std::to_string(transfer.first) + "-").c_str());
    // Sizes and hashes are those of the file, not of something packed.
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
        curl_slist_append(nullptr, "Accept-Encoding: identity"), &curl_slist_free_all);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());

    Take take_header = [&](const char* bytes, std::size_t count) {
        return transfer.guarded([&] { transfer.take_header(std::string(bytes, count)); });
    };
    Take take_body = [&](const char* bytes, std::size_t count) {
        return transfer.guarded([&] {
            throw_if_interrupted();
            transfer.take_body(handle, bytes, count);
        });
    };
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &on_bytes);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &take_header);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_bytes);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &take_body);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &on_progress);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);

    const CURLcode code = curl_easy_perform(handle);
    if (transfer.error) std::rethrow_exception(transfer.error);
    throw_if_interrupted();
    HttpAnswer& answer = transfer.answer;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
    const char* redirect = nullptr;
    curl_easy_getinfo(handle, CURLINFO_REDIRECT_URL, &redirect);
    if (redirect) answer.redirect = redirect;
    const bool passing = may_pass(code, answer.status);
    if (code == CURLE_OK && !passing) return "";
    const std::string problem =
        url + ": " + (code == CURLE_OK ? "status " + std::to_string(answer.status) : curl_easy_strerror(code));
    if (!passing) throw bert::Error(bert::ErrorKind::file, problem);
    return problem;
}
