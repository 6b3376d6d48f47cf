# The front door for C programmers; cargo does the work.
#
#   make          the library, its headers and the command, in build/lib, build/include and build/bin; the manual in build/man
#   make install  puts them where PREFIX says (packaging/install.mk tells the other places); make uninstall
#   make java     the jars, in build/java
#   make bench-java  measures them, and the jar that SPREAD_CLASSIC_JAR names beside
#   make demo     C programs on an embedded network of three daemons (SPREAD=4803@host: on that daemon)
#   make test     all tests, the Java suite, then the C programs again under sanitizers and valgrind
#   make bench    benchmarks in C, see docs/PERFORMANCE.md
#   make check    format and lints
#   make headers  writes the generated headers, and docs/OPTIONS.md, after a change in rust/c or of the options
#   make clean
#
# On a Debian-like machine missing tools are installed when run as root; otherwise it is said what is missing.

SHELL = /bin/sh
CARGO = cargo
export PATH := $(PATH):$(HOME)/.cargo/bin

TARGET := $(or $(CARGO_TARGET_DIR),target)
BUILD = build

# As in the library's own soname.
SONAME = libspread.so.3
# What programs ask for that were linked with the classic core libraries. They are libraries of their own, empty, that
# need the one library: ldconfig goes by sonames, so mere links would not be found outside of the loader's own folders.
CORE = spread-core tspread-core
# For finding the one library beside the empty ones, where a program's own search path does not reach.
CORE_LDFLAGS = -Wl,-rpath,'$$ORIGIN'
# The simulated network for test programs.
TESTD_SONAME = libspread_testd.so.0

# The test files whose C programs heed SANITIZE and VALGRIND.
C_TESTS = $(basename $(notdir $(shell grep -l 'Variant::from_env' tests/*.rs)) \
	$(notdir $(patsubst %/main.rs,%,$(shell grep -l 'Variant::from_env' tests/*/main.rs 2>/dev/null))))

include packaging/install.mk

.PHONY: all bench java bench-java natives demo test test-rust test-java test-sanitized test-valgrind check headers clean

all:
	scripts/need cargo cc
	$(CARGO) build --release
	mkdir -p $(BUILD)/lib $(BUILD)/include $(BUILD)/bin
	rm -rf $(BUILD)/complete $(BUILD)/lib/* $(BUILD)/include/* $(BUILD)/bin/* $(BUILD)/man
	cp $(TARGET)/release/libspread.so $(BUILD)/lib/$(SONAME)
	cp $(TARGET)/release/libspread.a $(BUILD)/lib/
	cp $(TARGET)/release/libspread_testd.so $(BUILD)/lib/$(TESTD_SONAME)
	ln -s $(TESTD_SONAME) $(BUILD)/lib/libspread_testd.so
	cp include/*.h $(BUILD)/include/
	cp $(TARGET)/release/everspread $(BUILD)/bin/
	ln -s $(SONAME) $(BUILD)/lib/libspread.so
	for core in $(CORE); do \
		$(CC) -shared $(LDFLAGS) -Wl,-z,relro,-z,now $(CORE_LDFLAGS) -Wl,-soname,lib$$core.so.3 -Wl,--no-as-needed -x c /dev/null -x none \
			$(BUILD)/lib/$(SONAME) -o $(BUILD)/lib/lib$$core.so.3 || exit 1; \
		ln -s $(SONAME) $(BUILD)/lib/lib$$core.so; \
		ln -s libspread.a $(BUILD)/lib/lib$$core.a; \
	done
	$(CARGO) run --quiet --release --package spread-man -- $(BUILD)/man
	touch $(BUILD)/complete

# C programs on this library, and beside the classic one where SPREAD_CLASSIC_LIB names its folder. BENCH=words chooses.
bench: all
	$(CARGO) bench --bench end_to_end -- $(BENCH)

# The libraries that the jars carry.
natives:
	scripts/need cargo
	$(CARGO) build --release --package spread-jni --package spread-testd-jni

java: natives
	scripts/need javac mvn
	mvn --quiet --batch-mode --file java/pom.xml -Dnative.dir=$(abspath $(TARGET))/release -DskipTests -Pjavadoc package
	mkdir -p $(BUILD)/java
	rm -f $(BUILD)/java/*
	cp java/everspread/target/everspread-*.jar java/everspread-testing/target/everspread-testing-*.jar $(BUILD)/java/

bench-java: java
	scripts/bench-java

demo: all
	mkdir -p $(BUILD)/demo
	for program in talk flood sleeper failover chat; do \
		$(CC) -std=c89 -Wall -Wextra -pedantic -D_DEFAULT_SOURCE -O2 -I $(BUILD)/include \
			demo/$$program.c -L $(BUILD)/lib -lspread -o $(BUILD)/demo/$$program || exit 1; \
	done
	BUILD=$(BUILD)/demo LIBDIR=$(BUILD)/lib EVERSPREAD=$(TARGET)/release/everspread demo/run.sh
	@if command -v javac >/dev/null && command -v mvn >/dev/null; then \
		$(MAKE) --no-print-directory java && \
		javac --release 8 -Xlint:-options -cp "$$(echo $(BUILD)/java/*.jar | tr ' ' :)" -d $(BUILD)/demo demo/java/*.java && \
		BUILD=$(BUILD)/demo LIBDIR=$(BUILD)/lib JARS=$(BUILD)/java demo/java.sh; \
	else \
		echo "skipped: the Java act, as javac or mvn is missing"; \
	fi

test: test-rust test-java test-sanitized test-valgrind

test-rust:
	scripts/need cargo cc c++ nm readelf
	scripts/need --optional valgrind strace abidiff pkg-config cmake mandoc man dpkg-buildpackage dh lintian
	$(CARGO) test --workspace --no-fail-fast

test-java: natives
	scripts/need javac mvn cc
	$(CARGO) build --release --package spread-c
	scripts/test-java -Dnative.dir=$(abspath $(TARGET))/release

test-sanitized: test-rust
	@if echo 'int main(void) { return 0; }' | $(CC) -fsanitize=address,undefined -x c - -o /dev/null; then \
		echo "C programs under ASan and UBSan: $(C_TESTS)"; \
		SANITIZE=address,undefined $(CARGO) test $(addprefix --test ,$(C_TESTS)) && \
		SANITIZE=address,undefined $(CARGO) test -p spread-testd-ffi a_c_program; \
	else \
		echo "skipped: the C programs under sanitizers, as $(CC) has none here"; \
	fi

test-valgrind: test-rust
	@if valgrind --version; then \
		echo "C programs under valgrind: $(C_TESTS)"; \
		VALGRIND=1 $(CARGO) test $(addprefix --test ,$(C_TESTS)) && \
		VALGRIND=1 $(CARGO) test -p spread-testd-ffi a_c_program; \
	else \
		echo "skipped: the C programs under valgrind, which is not installed"; \
	fi

check:
	scripts/need cargo cc
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

headers:
	scripts/need cargo cc
	UPDATE_HEADERS=1 $(CARGO) test --test headers generated_headers
	UPDATE_HEADERS=1 $(CARGO) test --package spread-testd-ffi the_header_is
	UPDATE_HEADERS=1 $(CARGO) test --package spread-client --test options_page

clean:
	$(CARGO) clean
	rm -rf $(BUILD) java/*/target
