#!/bin/sh
# Makes this checkout ready to run: missing Debian packages, npm packages, build. Called by `npm run demo`, `start`
# and `test`; quick when there is nothing to do. Names of packages for the tests and the bench alone come with `setup.sh
# test`, programs from other registries for `npm run test:peers` with `setup.sh peers`.
set -eu
cd "$(dirname "$0")"

build_packages="clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev g++ make"
demo_packages="nginx redis-server"
test_packages="clang-format etcd-client etcd-server kcat lld mariadb-client mariadb-server minisign nginx openssl postgresql redis-server redis-tools tshark wrk"
bench_packages="libhiredis-dev libnghttp2-dev"

say() { printf 'setup: %s\n' "$*" >&2; }

# A package counts as there when what we need of it is there, however it came to be installed.
missing_packages() {
	for package in "$@"; do
		case $package in
		clang | make | clang-format | kcat | minisign | openssl | tshark | wrk) command -v "$package" ;;
		etcd-client) command -v etcdctl ;;
		etcd-server) command -v etcd ;;
		mariadb-client) command -v mariadb-slap ;;
		mariadb-server) command -v mariadbd || ls /usr/sbin/mariadbd ;;
		postgresql) ls /usr/lib/postgresql/*/bin/initdb ;;
		lld) command -v wasm-ld || command -v wasm-ld-14 ;;
		g++) command -v g++ ;;
		llvm) command -v llvm-strip || command -v llvm-strip-14 ;;
		bpftool) command -v bpftool || ls /usr/sbin/bpftool ;;
		nginx) command -v nginx || ls /usr/sbin/nginx ;;
		redis-server) command -v redis-server ;;
		redis-tools) command -v redis-benchmark ;;
		libbpf-dev) ls /usr/include/bpf/libbpf.h ;;
		libelf-dev) ls /usr/include/libelf.h ;;
		zlib1g-dev) ls /usr/include/zlib.h ;;
		libhiredis-dev) ls /usr/include/hiredis/hiredis.h ;;
		libnghttp2-dev) ls /usr/include/nghttp2/nghttp2.h ;;
		*) false ;;
		esac >/dev/null 2>&1 || printf '%s ' "$package"
	done
}

install_packages() {
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	install="apt-get install -y --no-install-recommends $missing"
	if [ "$(id -u)" -ne 0 ]; then
		say "missing packages; run this line, then again:"
		say "  sudo sh -c 'apt-get update && $install'"
		exit 1
	fi
	say "installing $missing"
	# Servers must not start by themselves: the demo and the tests run their own.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086
	{ apt-get update -q && $install; } >build/apt.log 2>&1 || {
		tail -n 20 build/apt.log >&2
		say "the packages could not be installed"
		exit 1
	}
}

install_modules() {
	stamp=node_modules/.spanwire-lock
	if [ -e "$stamp" ] && cmp -s package-lock.json "$stamp"; then return 0; fi
	say "installing npm packages"
	npm ci --no-audit --no-fund --loglevel=error >&2 || {
		# A run that was cut off leaves a tree that npm cannot always remove.
		rm -rf node_modules
		npm ci --no-audit --no-fund --loglevel=error >&2
	}
	link_node
	add_left_out
	cp package-lock.json "$stamp"
}

# npm leaves out optional packages that its own Node is too old for; ours is not. vitest needs this one.
add_left_out() {
	case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
	package=@rolldown/binding-linux-$arch-gnu
	[ ! -d "node_modules/$package" ] || return 0
	version=$(sed -n "s|.*\"$package\": \"\([^\"]*\)\".*|\1|p" package.json)
	npm install --prefix build/left-out --no-save --no-audit --no-fund --loglevel=error "$package@$version" >&2
	mkdir -p "node_modules/${package%/*}"
	cp -R "build/left-out/node_modules/$package" "node_modules/$package"
}

# Programs of others to test against: Apache Kafka with all that it needs, in build/peers, reused when it is there. Without
# Java and Maven there is none, and its tests say so.
install_peers() {
	for program in java mvn; do
		command -v $program >/dev/null && continue
		say "NO REAL KAFKA BROKER: $program is not installed (Debian: openjdk-17-jre-headless, maven), its tests cannot run"
		return 0
	done
	pom=test/peers/kafka/pom.xml
	kafka=build/peers/kafka
	if cmp -s $pom $kafka/pom.xml; then return 0; fi
	say "installing Apache Kafka, as $pom names it, from Maven Central: 55 MB of jars into $kafka"
	rm -rf $kafka
	mvn -q -B -f $pom dependency:copy-dependencies "-DoutputDirectory=$PWD/$kafka/lib" >&2
	cp $pom $kafka/pom.xml
}

# Debian's npm does not link a program of that name by itself.
link_node() {
	[ -x node_modules/.bin/node ] && return 0
	for binary in node_modules/node-linux-*/bin/node; do
		if [ -x "$binary" ]; then
			ln -sf "../${binary#node_modules/}" node_modules/.bin/node
			return 0
		fi
	done
	say "npm brought no Node.js for this machine ($(uname -m)): x86-64 and arm64 are supported"
	exit 1
}

mkdir -p build
case ${1:-} in
demo) install_packages $build_packages $demo_packages ;;
test | peers | bench) install_packages $build_packages $test_packages $bench_packages ;;
*) install_packages $build_packages ;;
esac
install_modules
if [ "${1:-}" = peers ]; then install_peers; fi
PATH="$PWD/node_modules/.bin:$PATH" sh ./build.sh
