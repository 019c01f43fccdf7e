#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What gdb and perf see of the vDSO, for scripts/check/conformance to compare between
# kernels: debuggers.sh DIR, with clock-signal and clock-signal_32 in DIR.
# Addresses are replaced, and what is said of one instruction: the images of two
# kernels need not be the same.
set -eu

dir=${1:?usage: debuggers.sh DIR}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

addresses()
{
	sed -E 's/0x[0-9a-f]+/ADDR/g; s/\+[0-9]+>/+N>/g; s/process [0-9]+/process N/
		s/\(LWP [0-9]+\)/(LWP N)/; s/New LWP [0-9]+/New LWP N/
		s,/[0-9]+ HAS_,/N HAS_,
		s/^([a-z_0-9]+)( \+ [0-9]+)?( in section .text of system-supplied DSO)/\1 + N\3/
		s/^((=>|  ) ADDR <[a-z_0-9]+)(\+N)?>:.*/\1+N>/
		s/[ \t]+$//'
}

# 32-bit libc wants the clock that does not end in 2038
for program in clock-signal clock-signal_32; do
	entry=__vdso_clock_gettime
	[ $program = clock-signal ] || entry=__vdso_clock_gettime64
	# Stop in the vDSO, called by the handler; then leave a core there. The
	# breakpoint itself is a write to vDSO text by ptrace.
	gdb -nx -batch -iex 'set auto-load off' -iex 'set debuginfod enabled off' \
		-ex 'set breakpoint pending on' -ex 'set width 0' \
		-ex 'handle SIGUSR1 nostop noprint pass' \
		-ex "break $entry" -ex run \
		-ex 'echo stopped\n' -ex 'info symbol $pc' -ex 'x/i $pc' \
		-ex 'backtrace' -ex 'stepi' -ex 'info symbol $pc' \
		-ex 'info proc mappings' \
		-ex "generate-core-file $program.core" \
		-ex 'continue' -ex 'backtrace' -ex 'kill' \
		"$dir/$program" > gdb.out 2>&1 || {
		cat gdb.out >&2
		exit 1
	}
	addresses < gdb.out | grep -v 'warning: Error reading shared library' |
		sed "s/^/gdb $program: /"
	gdb -nx -batch -iex 'set auto-load off' -iex 'set debuginfod enabled off' \
		-ex 'set width 0' -ex 'info symbol $pc' \
		-ex 'backtrace' -ex 'x/4i $pc' -ex 'maint info sections' \
		"$dir/$program" "$program.core" > core.out 2>&1 || {
		cat core.out >&2
		exit 1
	}
	addresses < core.out | grep -v '^Core file' | sed "s/^/gdb core of $program: /"
done

# Which vDSO symbols perf finds in its samples: those of 1 % or more
perf record -q -e cpu-clock -F 999 -g -o perf.data "$dir/clock-signal" 3 \
	> perf.out 2>&1 || {
	cat perf.out >&2
	exit 1
}
perf script -i perf.data -F ip,sym,dso 2>/dev/null |
	awk '/\[vdso\]/ { n++; $1 = ""; all[$0]++ }
		END { if (!n) exit 1
		      for (s in all) if (all[s] > n / 100) print "perf script:" s }' |
	sort
