# make install, make uninstall. Included by the Makefile.
#
#   make && sudo make install
#   make install DESTDIR=/tmp/root PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu
#
# DESTDIR is put before every path, and is not part of what the installed files say of their places. Nothing is built if
# `make` has built the present sources; so root needs no Rust.

DESTDIR =
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
DATADIR = $(PREFIX)/share
MANDIR = $(DATADIR)/man
DOCDIR = $(DATADIR)/doc/everspread
JAVADIR = $(DATADIR)/java
# The Java library and the simulated network for Java, if they have been built; JAR= and TESTING_JAR= leave them out.
built_jar = $(firstword $(filter-out %-sources.jar %-javadoc.jar,$(wildcard java/$(1)/target/$(1)-[0-9]*.jar)))
JAR = $(call built_jar,everspread)
TESTING_JAR = $(call built_jar,everspread-testing)

# The version of Everspread, and the one of the classic library whose interface it has.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
API_VERSION := $(shell sed -n 's/^const CLASSIC_VERSION.*= \[\([0-9]*\), \([0-9]*\), \([0-9]*\)\];/\1.\2.\3/p' rust/c/version.rs)

.PHONY: install uninstall

install: $(BUILD)/complete
# What is there is enough to know what to remove.
uninstall: $(if $(wildcard $(BUILD)/complete),,$(BUILD)/complete)
install uninstall:
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BINDIR='$(BINDIR)' LIBDIR='$(LIBDIR)' INCLUDEDIR='$(INCLUDEDIR)' \
		DATADIR='$(DATADIR)' MANDIR='$(MANDIR)' DOCDIR='$(DOCDIR)' JAVADIR='$(JAVADIR)' JAR='$(JAR)' TESTING_JAR='$(TESTING_JAR)' \
		BUILD='$(BUILD)' VERSION='$(VERSION)' API_VERSION='$(API_VERSION)' scripts/install $@

$(BUILD)/complete: Makefile build.rs Cargo.toml Cargo.lock $(shell find rust include man docs -type f)
	$(MAKE) all

# Debian packages, in build/deb; needs no root.
.PHONY: deb

deb:
	scripts/need cargo cc dpkg-buildpackage dh fakeroot
	CARGO_TARGET_DIR='$(abspath $(TARGET))' JAR='$(abspath $(JAR))' TESTING_JAR='$(abspath $(TESTING_JAR))' \
		scripts/deb $(abspath $(BUILD))/deb
