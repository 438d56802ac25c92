#!/bin/sh
# Types, lint, format, contracts: everything about the source that can be wrong without running it.
set -eu
cd "$(dirname "$0")"
PATH="$PWD/node_modules/.bin:$PATH"
tsc -p .
biome check --error-on-warnings .
find bench bpf native \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) -print0 | xargs -0 clang-format --dry-run --Werror
vitest run test/contract
