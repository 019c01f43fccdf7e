#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Check the model of the lock-free fault path (vvar.pml) with spin: the right
# model exhaustively, for the sizes given, and that each mutant breaks the
# property that it should. Then the litmus tests, where herd7 and the kernel's
# tools/memory-model are there. KTAP on stdout; 0 if everything passed.

set -u

usage()
{
	cat <<-END
	usage: $0 [--memory-model DIR] [WORD]
	  --memory-model DIR  tools/memory-model of a kernel source, for herd7
	  WORD                run only the checks whose line contains WORD
	END
}

here=$(cd "$(dirname "$0")" && pwd)
lkmm=$here/../../../../memory-model
word=

while [ $# -gt 0 ]; do
	case $1 in
	--memory-model)
		if [ $# -lt 2 ]; then
			echo "$0: --memory-model wants a directory" >&2
			exit 2
		fi
		lkmm=$2
		shift ;;
	-h|--help)
		usage
		exit 0 ;;
	-*)
		echo "$0: unknown option '$1'" >&2
		usage >&2
		exit 2 ;;
	*)
		if [ -n "$word" ]; then
			echo "$0: one WORD, not '$word' and '$1'" >&2
			exit 2
		fi
		word=$1 ;;
	esac
	shift
done

CC=${CC:-gcc}
for tool in spin "$CC"; do
	if ! command -v "$tool" >/dev/null; then
		echo "$0: $tool not found; Debian has it as package '$tool'" >&2
		exit 2
	fi
done

tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' INT TERM

passed=0 failed=0 skipped=0 n=0

result()	# 0|1 TEXT
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok $n $2"
	else
		failed=$((failed + 1))
		echo "not ok $n $2"
	fi
}

skip()		# TEXT REASON
{
	n=$((n + 1))
	skipped=$((skipped + 1))
	echo "ok $n $1 # SKIP $2"
}

wanted()
{
	case $1 in
	*"$word"*) ;;
	*) return 1 ;;
	esac
}

# Run pan over the model with switches $1; its output goes to $tmp/out.
# The verifier is built without optimisation for mutants: most end early.
check()
{
	(
		cd "$tmp" && rm -f pan* ./*.trail || exit
		flags="-O2 -DSAFETY"
		args=
		case " $1 " in
		*" -DLIVENESS "*)
			flags=-O2
			args="-a -f" ;;
		esac
		case "$1" in
		*-DM_*) flags="$flags -O0" ;;
		esac
		# shellcheck disable=SC2086 # lists of words, all three
		spin -a $1 "$here/vvar.pml" &&
			$CC $flags -w -DVECTORSZ=512 -DMEMLIM=3000 \
				pan.c -o pan &&
			./pan -m1000000 $args
	) >"$tmp/out" 2>&1
}

states()
{
	awk '/states, stored/ { print $1 }' "$tmp/out"
}

# A word of $tmp/out about how the run ended
outcome()
{
	if grep -q 'acceptance cycle (at' "$tmp/out"; then
		echo "P4"
	elif grep -q 'assertion violated' "$tmp/out"; then
		sed -n 's/.*assertion violated.*(\([0-9]\)==0)).*/P\1/p' \
			"$tmp/out"
	elif grep -q 'invalid end state (at' "$tmp/out"; then
		echo "deadlock"
	elif grep -Eq 'Search not completed|max search depth too small' \
			"$tmp/out" || ! grep -q 'errors: 0' "$tmp/out"; then
		echo "not-finished"
	else
		echo "holds"
	fi
}

# The right model: properties $1 hold in the scenario $2, switches $3
holds()
{
	wanted "$1 hold: $2" || return 0
	check "$3"
	got=$(outcome)
	if [ "$got" = holds ]; then
		result 0 "$1 hold: $2: $(states) states"
	else
		head -n 20 "$tmp/out" | sed "s/^/# /"
		result 1 "$1 hold: $2: $got"
	fi
}

# A mutant: property $1 fails, and no other first, with the mistake $2
breaks()
{
	wanted "$1 fails: $2" || return 0
	check "$3"
	got=$(outcome)
	if [ "$got" = "$1" ]; then
		result 0 "$1 fails: $2: found after $(states) states"
	else
		head -n 20 "$tmp/out" | sed "s/^/# /"
		result 1 "$1 fails: $2: $got"
	fi
}

echo "TAP version 13"
cat <<END
# P1 no stale PTE after replace has returned
# P2 no stale TLB entry either
# P3 no access to a freed page table
# P4 every touch ends (no lost publish that loops for ever)
# P5 a present PTE is never overwritten, a page table is freed empty
# P6 no page of a time namespace that was left, nor the view without one
# The safety properties and the absence of deadlock are checked together.
END

safe="P1 P2 P3 P5"

holds "$safe" "2 threads, 3 replaces" "-DREPLACES=3 -DTOUCHES=3 -DSTRAY"
holds "$safe" "the same, PTE lock taken" \
	"-DREPLACES=3 -DTOUCHES=3 -DSTRAY -DLOCKED"
holds "$safe" "2 threads, 2 replaces, munmap" "-DMUNMAP -DSTRAY"
holds "$safe" "the same, VMA lock of 6.16 and later" "-DMUNMAP -DSTRAY -DREFCOUNT"
holds "$safe" "1 thread, kthread, 2 replaces, munmap" "-DMUNMAP -DKTHREAD"
holds "$safe" "parent, child, 2 replaces, fork" "-DFORK -DUSERS=1 -DSTRAY"
holds "$safe" "parent, child, 2 replaces, fork, munmap by the child" \
	"-DFORK -DMUNMAP -DUSERS=1"
holds "$safe" "1 thread, 2 replaces, mremap" "-DMREMAP -DUSERS=1 -DSTRAY"
holds "$safe" "2 threads that touch once, 1 replace, mremap" \
	"-DMREMAP -DREPLACES=1 -DTOUCHES=1"
holds "$safe" "1 thread, 2 replaces, mmap with populate" \
	"-DMAP -DUSERS=1 -DSTRAY"
holds "$safe" "2 threads that touch once, 1 replace, mmap with populate" \
	"-DMAP -DREPLACES=1 -DTOUCHES=1"
holds "$safe P6" "1 thread, kthread, 2 joins, 1 replace" \
	"-DJOIN=2 -DKTHREAD -DREPLACES=1"
holds "$safe P6" "1 thread, kthread, 2 joins with populate, 1 replace" \
	"-DJOIN=2 -DKTHREAD -DREPLACES=1 -DPOPULATE"
holds "$safe P6" "1 thread, kthread, 2 joins, munmap" \
	"-DJOIN=2 -DKTHREAD -DREPLACES=0 -DMUNMAP -DSTRAY"
holds "$safe P6" "1 thread, kthread, 2 joins with populate, munmap" \
	"-DJOIN=2 -DKTHREAD -DREPLACES=0 -DMUNMAP -DSTRAY -DPOPULATE"

holds P4 "2 threads, 2 replaces" "-DLIVENESS -DSTRAY"
holds P4 "2 threads, 1 replace, munmap" \
	"-DLIVENESS -DMUNMAP -DREPLACES=1 -DSTRAY"
holds P4 "parent, child, 1 replace, fork" \
	"-DLIVENESS -DFORK -DUSERS=1 -DREPLACES=1"
holds P4 "1 thread, 1 replace, mremap" \
	"-DLIVENESS -DMREMAP -DUSERS=1 -DREPLACES=1"
holds P4 "1 thread, kthread, 2 joins, 1 replace" \
	"-DLIVENESS -DJOIN=2 -DKTHREAD -DREPLACES=1 -DPOPULATE"

breaks P1 "no grace period" "-DM_NO_GP"
breaks P1 "grace period before the store" "-DM_GP_FIRST"
breaks P1 "zap before the store" "-DM_ZAP_FIRST"
breaks P1 "slot read before rcu_read_lock()" "-DM_WORD_BEFORE_RCU"
breaks P1 "mmap: populate before i_mmap has the VMA" \
	"-DMAP -DUSERS=1 -DM_POPULATE_BEFORE_LINK"
breaks P1 "fork: PTEs copied from a parent in another i_mmap" \
	"-DFORK -DUSERS=1 -DM_FORK_COPIES"
breaks P1 "fork: published before i_mmap has the child" \
	"-DFORK -DUSERS=1 -DM_PUBLISH_BEFORE_LINK"
breaks P1 "replace looks for the PTE without its lock, while mremap moves it" \
	"-DMREMAP -DUSERS=1 -DM_LOOK_NO_LOCK"
breaks P1 "mremap: new VMA before the old in i_mmap" \
	"-DMREMAP -DUSERS=1 -DM_WALK_ORDER"
breaks P2 "zap does not flush for a parallel one (mm_tlb_flush_nested)" \
	"-DMUNMAP -DM_NO_NESTED_FLUSH"
breaks P2 "replace passes over a PTE whose TLB flush is still to come" \
	"-DMUNMAP -DM_LOOK_NO_PENDING"
breaks P2 "area not VM_PFNMAP: munmap leaves i_mmap before its flush" \
	"-DMUNMAP -DM_NO_PFNMAP_FLUSH"
breaks P2 "mremap: no flush under the PTE lock" \
	"-DMREMAP -DUSERS=1 -DM_MOVE_NO_FLUSH"
breaks P3 "munmap: table freed without waiting for the VMA's readers" \
	"-DMUNMAP -DM_MUNMAP_NO_WAIT"
breaks P3 "the same, VMA lock of 6.16 and later" \
	"-DMUNMAP -DM_MUNMAP_NO_WAIT -DREFCOUNT"
breaks P3 "fault does not look at vma->detached" \
	"-DMUNMAP -DM_NO_DETACHED_CHECK"
breaks P3 "munmap: table freed before i_mmap has lost the VMA" \
	"-DMUNMAP -DM_FREE_BEFORE_UNLINK"
breaks P4 "PTE compared with 0, not with the value seen" \
	"-DLIVENESS -DSTRAY -DM_COMPARE_ZERO"
breaks P4 "fault leaves out a slot that is not in use" \
	"-DLIVENESS -DM_ONLY_IN_USE"
breaks P5 "publish with a plain store" "-DM_PLAIN_STORE"
breaks P5 "mremap: new VMA not write-locked" \
	"-DMREMAP -DREPLACES=1 -DM_MOVE_NO_VMA_LOCK"
breaks P5 "the same, VMA lock of 6.16 and later" \
	"-DMREMAP -DREPLACES=1 -DM_MOVE_NO_VMA_LOCK -DREFCOUNT"
breaks P1 "replace: timens_slot not zapped" \
	"-DJOIN=1 -DKTHREAD -DREPLACES=1 -DM_REPLACE_ONE_PTE"
breaks P6 "setns: populated before the view changes" \
	"-DJOIN=1 -DKTHREAD -DREPLACES=0 -DPOPULATE -DM_ZAP_BEFORE_VIEW"
breaks P6 "setns: timens_slot not zapped" \
	"-DJOIN=1 -DKTHREAD -DREPLACES=0 -DPOPULATE -DM_JOIN_ONE_PTE"
breaks P6 "setns: mmap_lock for read, a kthread between view and zap" \
	"-DJOIN=1 -DKTHREAD -DREPLACES=0 -DM_JOIN_READ_LOCK"
breaks P6 "setns: old namespace let go with the view, before the zap" \
	"-DJOIN=1 -DKTHREAD -DREPLACES=0 -DM_PUT_BEFORE_ZAP"

# The head of a litmus test says what herd7 must find: Never or Sometimes
for t in "$here"/*.litmus; do
	name="litmus ${t##*/}"
	wanted "$name" || continue
	want=$(sed -n 's/^ \* Result: \([A-Z][a-z]*\)$/\1/p' "$t")
	if ! command -v "${HERD7:-herd7}" >/dev/null; then
		skip "$name: $want" "no ${HERD7:-herd7} (Debian 12 has none: HERD7=scripts/herd7)"
		continue
	fi
	if ! [ -f "$lkmm/linux-kernel.cfg" ]; then
		skip "$name: $want" "no linux-kernel.cfg in $lkmm"
		continue
	fi
	(cd "$lkmm" && "${HERD7:-herd7}" -conf linux-kernel.cfg "$t") >"$tmp/out" 2>&1
	got=$(sed -n 's/^Observation [^ ]* \([A-Z][a-z]*\) .*/\1/p' "$tmp/out")
	if [ -n "$want" ] && [ "$got" = "$want" ]; then
		result 0 "$name: $want"
	else
		head -n 20 "$tmp/out" | sed "s/^/# /"
		result 1 "$name: expected '$want', herd7 says '$got'"
	fi
done

echo "1..$n"
if [ "$n" -eq 0 ]; then
	echo "$0: no check matches '$word'" >&2
	exit 2
fi
echo "# $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
