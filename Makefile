GO := $(or $(shell command -v go),$(wildcard /usr/local/go/bin/go))
ifeq ($(GO),)
$(error Go is not installed: see https://go.dev/dl)
endif
export PATH := $(patsubst %/,%,$(dir $(GO))):$(PATH)

# Packages whose tests are not bound to a kernel's ptrace stops.
race = ./rsp/... ./gdbserver/... ./threads/... ./host/... ./platform/...

.PHONY: all build demo test check unit race bench conformance conformance-fast conformance-lldb conformance-lldb-fast conformance-delve conformance-delve-fast suite clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o build/rspd ./cmd/rspd

demo: build
	./test/install gcc gdb
	gcc -g -O0 -pthread -o build/demo demo/demo.c
	./demo/run build/rspd build/demo

test:
	./test/install gcc g++ gcc-m32 gdb gdbserver lldb musl-gcc uftrace
	$(MAKE) --no-print-directory check unit race

check:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

unit:
	$(GO) test -count=1 -timeout 20m ./...

race:
	CGO_ENABLED=1 $(GO) test -count=1 -timeout 20m -race $(race)

bench: build
	./test/install gcc gdbserver
	$(GO) run ./test/bench -rspd build/rspd

# GDB's own test suite, as README says. TESTS are patterns such as
# gdb.base/break*.exp, FLAGS those that "go run ./test/conformance -help" lists.
conformance: suite
	$(GO) run ./test/conformance $(FLAGS) $(TESTS)

conformance-fast: suite
	$(GO) run ./test/conformance -expect test/conformance/fast.txt $(FLAGS)

# LLDB's tests of its server, of which TESTS is a regular expression of file names.
conformance-lldb: build
	./test/install dpkg-source xz python3 lldb libcurl4
	./test/conformance/lldb/fetch build/lldb-suite
	./test/conformance/lldb/compare build/lldb-suite build/rspd $(TESTS)

conformance-lldb-fast: build
	./test/install dpkg-source xz python3 lldb libcurl4
	./test/conformance/lldb/fetch build/lldb-suite
	./test/conformance/lldb/fast build/lldb-suite build/rspd

# Delve's own tests, of which TESTS are regular expressions, such as
# proc/TestStep; FLAGS as "go run ./test/conformance/delve -help" lists them.
conformance-delve: build
	./test/install gcc
	$(GO) run ./test/conformance/delve $(FLAGS) $(TESTS)

conformance-delve-fast: build
	./test/install gcc
	$(GO) run ./test/conformance/delve -list test/conformance/delve/fast.txt $(FLAGS)

suite: build
	./test/install gcc g++ gdb gdbserver runtest make dpkg-source xz libc6-dbg

clean:
	rm -rf build
