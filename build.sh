#!/bin/sh
# Builds what is stale: the BPF object and its TypeScript layout, the addon, the engine, the parser modules.
# With `release` also dist/, the host compiled to JavaScript.
set -eu
cd "$(dirname "$0")"
mkdir -p build
PATH="$PWD/node_modules/.bin:$PATH:/usr/sbin"
export PATH

make --no-print-directory -s -C bpf
make --no-print-directory -s -C native
make --no-print-directory -s -C host/engine
node parsers/build.ts

if [ "${1:-}" = release ]; then
	rm -rf dist
	tsc -p tsconfig.release.json
fi
