// The test program: doctest in a guarded process, so that no process is left behind however the tests end.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <exception>
#include <iostream>

#include "../tools/harness/guard.hpp"
#include "../tools/proc/errors.hpp"

int main(int argc, char* argv[]) {
    try {
        proc::require_proc();
    } catch (const std::exception& error) {
        std::cerr << "run_tests: " << error.what() << '\n';
        return 1;
    }
    return harness::guarded([=] { return doctest::Context(argc, argv).run(); });
}
