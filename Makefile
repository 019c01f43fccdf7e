# SPDX-License-Identifier: GPL-2.0
# 'make help' lists the targets; README.md explains them.

KERNEL ?=
KSRC ?=
ARCH ?= x86_64
ACCEL ?= auto
OUT ?=
JOBS ?= $(shell expr 2 \* $$(nproc))
CONFIG ?=
DURATION ?= 60
CALLS ?= 20000
ARCHS ?=

# KERNEL and OUT, where they are not given
picked := $(shell { KERNEL='$(KERNEL)' KSRC='$(KSRC)' OUT='$(OUT)'; \
	ARCH='$(ARCH)' CONFIG='$(if $(filter deb,$(MAKECMDGOALS)),,$(CONFIG))'; . ./scripts/env; echo "$$KERNEL $$ARCH $$OUT"; } 2>&1)
ifneq ($(.SHELLSTATUS),0)
$(error $(picked))
endif
override KERNEL := $(firstword $(picked))
override ARCH := $(word 2,$(picked))
override OUT := $(abspath $(wordlist 3,9,$(picked)))
export KERNEL KSRC ACCEL OUT JOBS
ifneq ($(ARCH),x86_64)
export ARCH
endif
# That of make deb is a config for users, and any; Debian's for guests has no KUnit
ifeq ($(MAKECMDGOALS),deb)
else ifeq ($(CONFIG),debian)
ifneq ($(filter-out bench bench-json baseline test shell report deps kernel-% perf tools \
	clean $(OUT)/%,$(MAKECMDGOALS)),)
$(error CONFIG=debian: no KUnit or other tests there; make bench, baseline, test, shell, report)
endif
export CONFIG
else ifeq ($(origin CONFIG),command line)
$(error CONFIG=$(CONFIG): guests are of the one config or of CONFIG=debian; make deb takes others)
endif
# ccache takes the place of gcc by name, so that no command line changes. A file that
# it does not know yet is not preprocessed for its sake: make asks for its headers.
export PATH := /usr/lib/ccache:$(PATH)
export CCACHE_DEPEND := 1
# Reproducible kernels: nothing of this machine or hour in them
export KBUILD_BUILD_USER = vvar
export KBUILD_BUILD_HOST = vvar

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
# Each target brings the same trees up to date; what is parallel is JOBS
.NOTPARALLEL:

PACKAGES = bc bison ccache cpio flex gcc gcc-multilib gnuplot-nox kmod libc6-dev \
	libelf-dev libjansson-dev libssl-dev libtracecmd-dev libtraceevent-dev \
	libtracefs-dev libxml2-utils lz4 make patch perl pkg-config python3 \
	qemu-system-$(if $(filter arm64,$(ARCH)),arm,x86) spin trace-cmd xz-utils \
	$(if $(KSRC)$(wildcard patches/$(KERNEL)/suite),,linux-source-$(KERNEL))

ifeq ($(wildcard patches/$(KERNEL)/series),)
$(error KERNEL=$(KERNEL): no patch series; there is one for: $(notdir $(wildcard patches/*)))
endif

.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

.DEFAULT:
	$(error no target '$@'; 'make help' lists them)

## Build and measure
##   make bench       build stock and patched, boot both, say in a dozen lines what
##                    is better, the same, worse  [FULL=1: print the table too]
##   make check       before each commit: KUnit, our selftests, the recorded counts
##                    and checkpatch, in a few minutes
##   make test        all that CI runs; ends in "N passed, N failed", and in what
##                    was skipped, with the reason
##   make shell       a root shell in a guest         [GUEST="--kernel stock --rw DIR"]
##   make kunit       KUnit through kunit.py        [FILTER='vvar_*']
##   make selftests   the kernel's own on stock and patched, and ours
##   make programs    more of the kernel's own, and Debian's, on both
##   make conformance what user space sees, line by line against stock
##   make conformance-lsm  the same with SELinux, IMA, IPE, KSM and soft-dirty
##   make model       the lock-free protocol in spin  [HERD7=scripts/herd7: and in
##                    the kernel's memory model]
##   make stress      races                         [DURATION=60]
##   make fuzz        random mm calls               [CALLS=20000]
##   make debug-test  KUnit, selftests, failing allocations, random calls and
##                    stress under KASAN, lockdep and more; then under KCSAN
##   make planted     do the KUnit tests catch planted faults?
##   make kunit-matrix  KUnit with 1, 2, 4 CPUs, other page tables, no PAT, ...
##   make kunit-i386  KUnit on 32-bit kernels, PAE and not
##   make kunit-nopat  KUnit on a kernel without PAT
##   make archs       KUnit, and a program that reads the clock, on arm64, riscv64,
##                    s390x and more, in QEMU (7.3)  [ARCHS="arm64 riscv64"]
##   make kunit-leaks  KUnit 100 times in one boot: what do the tests leave?
##   make perf-check  is perf bench vdso-clock right? beside a plain loop and
##                    stress-ng
##   make configs     do our files build in configs that nobody boots?
##   make mseal       are vDSO and vvar sealed where system mappings are? (7.3)
##   make oldest      the series on the oldest 6.12.y, with page-table checks
##   make coverage    lines and branches that KUnit and the selftests run
##   make cachetypes  which type each kind of page gets, and what the PTE says
##   make trace       where a first touch spends its time
##   make vdso-top    who reads which clock how often, by bpftrace and by perf
##   make trace-cost  instructions of the tracepoints that are off
##   make locks       the locks of one first touch, stock beside ours
##   make lines       the cache lines that CPUs fight over, stock beside ours
##   make report      an HTML page from the last bench, and README's pictures
##                    from results/
##   make compare     two revisions of this repository [A=rev B=rev]
##   make baseline    measure, and record the figures in results/
##   make bisect-test  do bisecting and comparing find what is planted in kernels?
##                    [CASE=nops|map_pages|gettime|same]
## Send
##   make series      what git am takes, with a cover letter, in OUT/series
##   make series-check  does each patch of it build, boot and pass KUnit?
##                    [FULL=1: defconfig and allnoconfig whole; PATCHES="4 9"]
##   make deb         packages of the patched kernel  [CONFIG=running|debian|FILE]
##   make deb-test    do they install into a Debian root, boot with its init, and go?
##   make checklist   Documentation/process/submit-checklist.rst by machine (an hour
##                    and more; QUICK=1: minutes)
## Pieces
##   make deps        install what is missing (Debian; as root)
##   make kernel-stock kernel-vvar perf tools
##   make clean       remove what was built
## Variables
##   KERNEL=6.12      patch series (6.12 or 7.3), and Debian's linux-source package
##   CONFIG=debian    kernels of Debian's own config: bench, baseline, test, shell
##   ARCH=arm64       arm64 guests (7.3): kunit, selftests, bench, baseline, test, shell
##   KSRC=dir         your own kernel tree instead (copied, never changed); its
##                    version picks the series where KERNEL= does not
##   ACCEL=auto       kvm, tcg, or the first of the two that works
##   OUT=build        where everything is built (build/7.3 for that series)
##   JOBS=N           parallel jobs (default: two for each CPU)

# --- what it needs ---------------------------------------------------------

.PHONY: deps
deps:
	@scripts/deps $(PACKAGES)

# --- kernels ---------------------------------------------------------------

.PHONY: kernel-stock kernel-vvar
kernel-stock: deps
	@scripts/kernel stock

kernel-vvar: deps
	@scripts/kernel vvar

.PHONY: kernel-debug kernel-debug-stock kernel-kcsan
kernel-debug: deps
	@scripts/kernel debug configs/debug.config

kernel-debug-stock: deps
	@scripts/kernel debug-stock configs/debug.config

kernel-kcsan: deps
	@scripts/kernel kcsan configs/kcsan.config

# perf with what perf bench needs; tools/perf/MANIFEST says what it is made of.
# The last line is of 7.3.
PERF_OFF = NO_LIBELF NO_LIBPERL NO_LIBPYTHON NO_JEVENTS NO_SLANG NO_GTK2 \
	NO_LIBTRACEEVENT NO_LIBBPF NO_BPF_SKEL NO_AUXTRACE NO_DEMANGLE \
	NO_LIBCAP NO_LIBCRYPTO NO_LIBZSTD NO_LZMA NO_LIBNUMA NO_LIBUNWIND \
	NO_BACKTRACE NO_CAPSTONE NO_LIBPFM4 NO_LIBDEBUGINFOD NO_LIBBABELTRACE \
	NO_SDT NO_JVMTI NO_AIO NO_SHELLCHECK NO_PERF_READ_VDSO32 \
	NO_PERF_READ_VDSOX32 NO_ZLIB \
	NO_LIBDW NO_BABELTRACE2 NO_RUST NO_LIBLLVM

.PHONY: perf
perf: deps
	@scripts/prepare vvar
	@echo "Building perf; output in $(OUT)/perf.log"
	@mkdir -p $(OUT)/perf-build
	@$(CROSS) $(MAKE) -j$(JOBS) -C $(OUT)/vvar/tools/perf O=$(OUT)/perf-build \
		$(PERF_OFF:%=%=1) BUILD_BPF_SKEL=0 >$(OUT)/perf.log 2>&1 || \
		{ tail -n 20 $(OUT)/perf.log; exit 1; }
	@cp $(OUT)/perf-build/perf $(OUT)/perf

# --- programs --------------------------------------------------------------

CFLAGS_HOST = -O2 -Wall -Wextra -Wno-unused-parameter

# The compiler of what runs in guests; scripts/env knows where it is
CROSS = $(if $(filter-out x86_64,$(ARCH)),. ./scripts/env && scripts/cross aarch64-linux-gnu $(ARCH) &&)
GUEST_CC = $(if $(CROSS),$(CROSS) $$CROSS_COMPILE''gcc,$(CC))

$(OUT)/tools/guest-init: tools/vvar/guest-init.c
	@mkdir -p $(@D)
	@$(GUEST_CC) $(CFLAGS_HOST) -static -o $@ $<

# The kernel's own initramfs has /dev/console; this adds init
$(OUT)/initramfs.cpio: $(OUT)/tools/guest-init
	@rm -rf $(OUT)/initramfs && mkdir -p $(OUT)/initramfs
	@cp $< $(OUT)/initramfs/init
	@cd $(OUT)/initramfs && echo init | cpio -o -H newc --quiet > $@

COMPARE = $(filter-out %-test.c,$(wildcard tools/vvar/vvar-compare*.c))

$(OUT)/vvar-compare: $(COMPARE) $(wildcard tools/vvar/vvar-compare*.h)
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_HOST) -o $@ $(filter %.c,$^) -ljansson -lm

LATENCY_LIBS = libtracecmd libtracefs libtraceevent jansson
LATENCY = $(addprefix tools/vvar/vvar-latency,.c -read.c -report.c -record.c \
	-live.c -util.c -touch.c)

# Another architecture's libraries are those of its guests
GUEST_ROOT = $(if $(CROSS),export PKG_CONFIG_SYSROOT_DIR=$(OUT)/root \
	PKG_CONFIG_LIBDIR=$(OUT)/root/usr/lib/aarch64-linux-gnu/pkgconfig && \
	scripts/arm64-root $(OUT)/root &&)
RPATH_LINK = $(if $(CROSS),-Wl$(comma)-rpath-link$(comma)$(OUT)/root/usr/lib/aarch64-linux-gnu)
comma = ,

$(OUT)/vvar-latency: $(LATENCY) tools/vvar/vvar-latency.h tools/vvar/tsc.h
	@mkdir -p $(@D)
	@$(GUEST_ROOT) $(GUEST_CC) $(CFLAGS_HOST) $$(pkg-config --cflags $(LATENCY_LIBS)) \
		-o $@ $(filter %.c,$^) $$(pkg-config --libs $(LATENCY_LIBS)) $(RPATH_LINK)

$(OUT)/vvar-latency-load: tools/vvar/vvar-latency-load.c \
		tools/vvar/vvar-latency-touch.c tools/vvar/vvar-latency.h \
		tools/vvar/tsc.h
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_HOST) -pthread -o $@ $(filter %.c,$^)

$(OUT)/vvar-cachetypes: tools/vvar/vvar-cachetypes.c tools/vvar/tsc.h
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_HOST) -o $@ $<

LINES_PLUGIN = $(addprefix tools/vvar/vvar-lines-,plugin.c ram.c sym.c)

$(OUT)/vvar-lines.so: $(LINES_PLUGIN) tools/vvar/vvar-lines-plugin.h \
		tools/vvar/vvar-lines-qemu.h tools/vvar/vvar-lines.h
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_HOST) -fvisibility=hidden -fPIC -shared -o $@ $(filter %.c,$^)

$(OUT)/vvar-lines: tools/vvar/vvar-lines.c tools/vvar/vvar-lines-sym.c \
		tools/vvar/vvar-lines-plugin.h
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_HOST) -o $@ $(filter %.c,$^) -ljansson

# The same program, to be forked with libc mapped and to be executed without
$(OUT)/vvar-lines-stamp: LDFLAGS_LINES = -static
$(OUT)/vvar-lines-load $(OUT)/vvar-lines-stamp: tools/vvar/vvar-lines-load.c \
		tools/vvar/vvar-latency-touch.c tools/vvar/vvar-latency.h \
		tools/vvar/tsc.h tools/vvar/vvar-lines.h
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_HOST) -pthread $(LDFLAGS_LINES) -o $@ $(filter %.c,$^)

.PHONY: tools
TOOLS_X86 = $(addprefix $(OUT)/vvar-,latency latency-load cachetypes lines lines.so \
	lines-load lines-stamp)
tools: deps $(OUT)/initramfs.cpio $(OUT)/vvar-compare \
	$(if $(CROSS),,$(TOOLS_X86))

# --- what people type ------------------------------------------------------

.PHONY: bench check test kunit selftests
bench: kernel-stock kernel-vvar perf tools
	@scripts/bench

check: kernel-stock kernel-vvar perf tools
	@scripts/test --quick

test: kernel-stock kernel-vvar perf tools
	@scripts/deps gdb linux-perf
	@scripts/test

.PHONY: shell
shell: kernel-vvar tools
	@scripts/guest $(GUEST)

# 7.3's kunit.py takes /dev/kvm if it is there. Where scripts/guest has found that to be
# of no use, it is not there: QEMU goes on to TCG.
NO_KVM = run() { unshare -rm sh -c 'mount --bind /dev/null /dev/kvm && exec "$$@"' - "$$@"; }

# kunit.py is the kernel's own; FILTER is its glob of suites and cases. It builds the
# kernel that scripts/guest boots, and so says which one that is, as scripts/kernel does.
# For arm64 it would miss what is x86's in that config: there, that of make archs.
KUNIT = tools/testing/kunit/kunit.py
KUNIT_CONFIG = --kunitconfig=$(CURDIR) \
	--kunitconfig=$(CURDIR)/configs/$(KERNEL).config
KUNIT_IS = $(OUT)/vvar/.kunit/.vvar-kernel
ifeq ($(CROSS),)
kunit: deps
	@scripts/prepare vvar
	@rm -f $(KUNIT_IS)
	@cd $(OUT)/vvar && $(KUNIT) build --arch=x86_64 $(KUNIT_CONFIG) --jobs=$(JOBS)
	@echo vvar > $(KUNIT_IS)
	@$(MAKE) -s tools
	@scripts/guest -- true 2>/dev/null
	@run() { "$$@"; }; \
	! grep -qs ' no$$' $(OUT)/.kvm-probe || $(NO_KVM); \
	cd $(OUT)/vvar && run $(KUNIT) exec --arch=x86_64 $(KUNIT_CONFIG) \
		--json=$(OUT)/kunit.json $(FILTER)
else
kunit: deps
	@FILTER='$(FILTER)' scripts/check/archs --kunit $(ARCH)
	@sed -n '/^\[.*\] /p' $(OUT)/archs/$(ARCH).kunit
	@cp $(OUT)/archs/$(ARCH).json $(OUT)/kunit.json
endif

selftests: kernel-stock kernel-vvar tools
	@scripts/check/selftests same
	@scripts/check/selftests ours

PROGRAM_PACKAGES = bpftrace gdb golang-go libcap-dev linux-perf musl-tools \
	strace stress-ng valgrind

.PHONY: programs
programs: kernel-stock kernel-vvar tools
	@scripts/deps $(PROGRAM_PACKAGES)
	@scripts/check/selftests programs

# Programs of tools/testing/selftests/vvar that have a target of their own
SELFTESTS = $(OUT)/selftests/vvar
.PHONY: selftests-build conformance conformance-lsm mseal model stress fuzz perf-check
selftests-build: kernel-vvar tools
	@scripts/check/selftests build

conformance: kernel-stock kernel-vvar tools
	@scripts/deps gdb linux-perf
	@scripts/check/conformance

mseal: kernel-vvar tools
	@scripts/kernel mseal configs/mseal.config
	@scripts/check/selftests sealed

conformance-lsm: kernel-stock tools
	@scripts/deps gdb linux-perf
	@scripts/kernel lsm-stock configs/lsm.config
	@scripts/kernel lsm configs/lsm.config
	@scripts/check/conformance lsm-stock lsm

model: deps
	@$(if $(HERD7),HERD7=$(abspath $(HERD7))) tools/testing/selftests/vvar/model/run.sh \
		$(if $(HERD7),--memory-model $(OUT)/stock/tools/memory-model)

# Half of it with all pages mapped beforehand, half with first touches. Why not
# --mttcg on 7.3 is in scripts/test.
stress: selftests-build
	@for p in 1 0; do \
		scripts/guest $(if $(filter 6.%,$(KERNEL)),--mttcg) \
			--append "vdso_hpet=1 slab_nomerge vvar.populate=$$p" \
			--timeout $$(($(DURATION) * 8 + 300)) $(GUEST) -- \
			$(SELFTESTS)/stress -a $$((($(DURATION) + 1) / 2)) || \
			exit 1; \
	done

fuzz: selftests-build
	@scripts/guest $(GUEST) -- $(SELFTESTS)/fuzz -n $(CALLS)

.PHONY: vdso-top
vdso-top: tools
	@scripts/deps bpftrace golang-go linux-perf
	@scripts/kernel uprobes configs/uprobes.config
	@scripts/vdso-top

.PHONY: cachetypes trace trace-cost locks lines planted kunit-matrix
cachetypes: kernel-vvar tools
	@scripts/figures/cachetypes

trace: kernel-stock kernel-vvar perf tools
	@scripts/figures/trace

trace-cost: kernel-vvar perf tools
	@scripts/figures/trace-cost

LOCKDEP = $(if $(CROSS),lockdep,debug)
locks: deps tools
	@scripts/kernel $(LOCKDEP)-stock configs/$(LOCKDEP).config
	@scripts/kernel $(LOCKDEP) configs/$(LOCKDEP).config
	@scripts/check/locks $(LOCKDEP)-stock $(LOCKDEP)

lines: kernel-stock kernel-vvar tools
	@scripts/lines

planted: kernel-vvar
	@scripts/check/planted

kunit-matrix: kernel-vvar
	@scripts/check/kunit-matrix

.PHONY: configs oldest
configs: deps
	@scripts/check/build-configs

oldest: selftests-build
	@scripts/check/oldest

.PHONY: kunit-i386 kunit-nopat kunit-leaks coverage
kunit-i386: deps
	@for name in i386 i386-pae; do \
		scripts/kernel $$name ARCH=i386 configs/$$name.config \
			$$(ls configs/$(KERNEL)-$$name.config 2>/dev/null) && \
		KUNIT_KERNEL=$$name scripts/check/kunit-matrix cpu1 cpu2 nopat locked || \
		exit 1; \
	done

kunit-nopat: deps
	@scripts/kernel nopat configs/nopat.config
	@KUNIT_KERNEL=nopat scripts/check/kunit-matrix plain cpu2

# 6.12's series is x86's alone
.PHONY: archs
archs: deps
	@$(if $(filter 6.12,$(KERNEL)),KERNEL=7.3 OUT=$(OUT)/7.3) \
		scripts/check/archs $(ARCHS)

kunit-leaks: kernel-vvar tools
	@scripts/check/kunit-leaks 100 $(GUEST)

coverage: kernel-vvar tools
	@scripts/check/coverage

perf-check: kernel-stock kernel-vvar perf tools
	@scripts/check/perf-check --kernel stock --kernel vvar

# --- comparing -------------------------------------------------------------

.PHONY: bench-json compare report baseline
bench-json: kernel-stock kernel-vvar perf tools
	@scripts/bench --json

compare:
	@scripts/compare $(A) $(B)

report: $(OUT)/vvar-compare
	@scripts/deps gnuplot-nox
	@scripts/report -o $(OUT)/report.html
	@[ $(KERNEL) != 6.12 ] || scripts/report --pictures results

baseline: bench-json
	@scripts/baseline record

# Trees of its own: a step leaves a planted fault behind
.PHONY: bisect-test
bisect-test: perf tools
	@OUT=$(OUT)/bisect PERF=$(OUT)/perf VVAR_COMPARE=$(OUT)/vvar-compare \
		tools/testing/selftests/vvar/bisect-test.sh --kernel $(CASE)

# --- sending ---------------------------------------------------------------

.PHONY: series series-check checklist deb deb-test
series: deps
	@scripts/deps git
	@scripts/series

series-check: kernel-stock tools
	@scripts/deps git git-email libmailtools-perl
	@scripts/series
	@PERF_FLAGS="$(PERF_OFF:%=%=1) BUILD_BPF_SKEL=0" scripts/check/series $(if $(FULL),--full) $(PATCHES)

deb: deps
	@scripts/deps build-essential debhelper rsync
	@CONFIG='' scripts/deb $(or $(CONFIG),running)

deb-test: deps perf
	@scripts/deps build-essential debhelper rsync
	@scripts/check/deb

checklist: kernel-stock kernel-vvar
	@scripts/check/checklist $(if $(QUICK),--quick)

# --- debug kernels ---------------------------------------------------------

.PHONY: debug-test
debug-test: kernel-debug kernel-kcsan tools
	@scripts/check/debug-test debug $(DURATION) $(CALLS)
	@scripts/check/debug-test kcsan $(DURATION) $(CALLS)

.PHONY: clean
clean:
	rm -rf $(OUT)
