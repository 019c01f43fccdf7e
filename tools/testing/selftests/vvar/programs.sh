#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Programs that know nothing of this project, for scripts/check/selftests to run on
# stock and patched: "programs.sh DIR NAME" runs one, "programs.sh DIR" lists the
# names. DIR has clock-signal, clock-signal_32, clock-musl, clock-go and
# on-fault-limit.
set -eu

dir=${1:?usage: programs.sh DIR [NAME]}
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
chmod 777 "$tmp"
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

# A command that makes no system call to read the clock: the vDSO did
by_vdso()
{
	strace -f -o strace "$@"
	grep -q 'exited with 0' strace
	! grep -E '(clock_gettime|gettimeofday|[^a-z]time)\(' strace
}

case ${2-} in
'')
	sed -n 's/^\([a-z][a-z0-9|-]*\))$/\1/p' "$here/programs.sh" | tr '|' '\n' ;;

# What maps, forks and reads the clock
stress-ng-vdso|stress-ng-clock|stress-ng-mmap|stress-ng-mremap|stress-ng-fork|stress-ng-exec|stress-ng-vm|stress-ng-madvise|stress-ng-mprotect|stress-ng-timer)
	# exec and a part of clock do not run as root
	setpriv --reuid 65534 --clear-groups stress-ng "--${2#stress-ng-}" 2 \
		--vm-bytes 64m --mmap-bytes 64m --verify -t 24 ;;
on-fault-limit)
	# Of the kernel's own, but not for root
	setpriv --reuid 65534 --clear-groups "$dir/on-fault-limit" ;;
gdb)
	# A backtrace through a signal frame; a core read back
	"$here/debuggers.sh" "$dir" > out
	[ "$(grep -c 'signal handler called' out)" -ge 4 ]
	grep 'gdb core of clock-signal: .*system-supplied DSO' out
	grep 'gdb core of clock-signal_32: .*system-supplied DSO' out ;;
perf-record)
	perf record -q -e cpu-clock -F 999 -o data "$dir/clock-signal" 2
	perf script -i data -F ip,sym,dso | grep 'clock_gettime.*vdso' ;;
strace-date)
	by_vdso date ;;
strace-musl-static)
	by_vdso "$dir/clock-musl" ;;
strace-go)
	by_vdso "$dir/clock-go" ;;
valgrind-date)
	valgrind --error-exitcode=9 date ;;
valgrind-clock-signal)
	valgrind --error-exitcode=9 "$dir/clock-signal" ;;
bpftrace-vdso)
	# It names no function of a vDSO: are there samples in it?
	"$dir/clock-signal" 60 > /dev/null & pid=$!
	bpftrace -e "profile:hz:199 /pid == $pid/ { @[reg(\"ip\")] = count(); }
		interval:s:3 { exit(); }" > out
	range=$(sed -n 's/ .*\[vdso\]//p' "/proc/$pid/maps")
	kill $pid
	sed -n 's/^@\[\([0-9]*\)\]: \([0-9]*\)$/\1 \2/p' out |
		awk -v from=$((0x${range%-*})) -v to=$((0x${range#*-})) '
		$1 >= from && $1 < to { n += $2 }
		END { print n + 0 " samples in the vDSO"; exit !n }' ;;
auxv)
	LD_SHOW_AUXV=1 /bin/true | grep AT_SYSINFO_EHDR ;;
*)
	echo "programs.sh: '$2': no such program; without a name it lists them" >&2
	exit 2 ;;
esac
