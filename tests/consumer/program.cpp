// A user's program: needs headers, a thread library, and nothing else.
#include <bert/bert.hpp>

#include <cstdio>

int main() {
    try {
        const bert::SentenceEncoder encoder("no such folder");
    } catch (const bert::Error& error) {
        std::puts(error.what());
        return error.kind() == bert::ErrorKind::file ? 0 : 1;
    }
    return 1;
}
