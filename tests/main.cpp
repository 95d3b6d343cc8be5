// The test program: doctest, in a process that is guarded, so that whatever happens to it nothing is left behind.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "../tools/harness/process.hpp"

int main(int argc, char* argv[]) {
    return harness::guarded([=] { return doctest::Context(argc, argv).run(); });
}
