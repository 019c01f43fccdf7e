#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vvar-latency against what is known from elsewhere: user space's own clock, perf
# bench, a count by trace-cmd and awk, and traces that are broken on purpose. Runs in a
# guest of each kernel (default: stock vvar), counting instructions.
# Usage: latency-test.sh [KERNEL...]; OUT names the directory of the kernels, of
# perf and vvar-latency.
# Functions are called by name, and commands are lists of words
# shellcheck disable=SC2317,SC2086,SC2016
set -eu

top=$(cd "$(dirname "$0")/../../../.." && pwd)
. "$top/scripts/env"
export OUT

. "$top/tools/testing/selftests/vvar/tap.sh"

# --- a trace.dat by trace-cmd report and awk alone ----------------------------

# Count and p50 of the page at ADDRESS, of the first touches by vvar-latency-lo
by_awk()
{
	trace-cmd report -t -i "$1" 2>/dev/null |
	awk -v at="address=$2" '
		/vvar-latency-lo-.* page_fault_user:/ {
			n = split($0, f); open = 0
			for (i = 1; i <= n; i++)
				if (f[i] == at)
					open = 1
			begin = stamp()
			retried = 0
		}
		open && /vvar-latency-lo-.* fault_done:/ {
			if (/ret=0x400/) { retried = 1; next }
			if (retried || patched)
				print stamp() - begin
			open = 0
		}
		/vvar-latency-lo-.* vvar_fault:/ { patched = 1 }
		/vvar-latency-lo-.* page_fault_user:/ { patched = 0 }
		# 12.000345678: -> 345678, of one second that does not wrap
		function stamp(  s) {
			match($0, /[0-9]+\.[0-9]+:/)
			s = substr($0, RSTART, RLENGTH - 1)
			sub(/^[0-9]*[0-9][0-9]\./, "", s)
			sub(/^[0-9]\./, "", s)
			return s + 0
		}' | sort -n | awk '{ v[NR] = $1 }
		END { print NR, v[int((NR + 1) / 2)] }'
}

# Ours, of the same: the tables by page, of the process alone
by_us()
{
	"$OUT/vvar-latency" "$1" --raw --json --by page |
	python3 -c '
import json, sys
for m in json.load(sys.stdin)["metrics"]:
    if m["name"] == "trace.page.vvar.0":
        print(m["n"], m["p50"])'
}

# --- in the guest --------------------------------------------------------------

clean()
{
	! grep -q . /sys/kernel/tracing/kprobe_events &&
	[ -z "$(ls /sys/kernel/tracing/instances)" ]
}

# near A B PERCENT
near()
{
	echo "# $1 and $2"
	awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN {
		d = a > b ? a - b : b - a
		exit !(a > 0 && d * 100 <= p * b) }'
}

p50()
{
	"$OUT/vvar-latency" "$1" --by page | awk -v page="$2" \
		'$1 == page { print $4 }'
}

# Waits until a command that makes the file does so
running()
{
	until [ -e running ]; do
		sleep 0.1
	done
	rm running
}

record_tests()
{
	clock=/sys/devices/system/clocksource/clocksource0
	load=$OUT/vvar-latency-load
	record="$vl record --clock x86-tsc"

	$load touch 100 > untraced
	expect 7 'written' "record passes the command's status on" \
		$record -o seven.dat -- sh -c 'exit 7'
	expect 127 'No such file' "record of a command that is not there" \
		$record -o no.dat -- ./no-such-command
	check "record touches" $record -o touch.dat -- $load touch 100
	check "record leaves nothing behind" clean
	cp touch.dat /tmp/touch.dat

	expect 0 '\[vvar\]\+0 ' "touches are in the table" $vl touch.dat
	for page in vvar vdso; do
		want=$(awk -v n=$page '$1 == n { print $3 }' untraced)
		check "p50 of $page is what user space sees untraced" \
			near "$(p50 touch.dat "[$page]+0")" "$want" 3
	done

	at=$(trace-cmd report -i touch.dat 2>/dev/null | awk '
		/vvar-latency-lo-.* map: .*\[vvar\]/ {
			for (i = 1; i <= NF; i++)
				if ($i ~ /^addr=/)
					at = substr($i, 6) }
		END { print at }')
	by_awk touch.dat "$at" > awk.txt
	by_us touch.dat > us.txt
	check "the count is awk's, but for what exec touched" awk '
		NR == FNR { n = $1; next }
		{ exit !(n == 100 && $1 >= n && $1 <= n + 2) }' awk.txt us.txt
	check "p50 is awk's" awk '
		NR == FNR { p = $2; next }
		{ exit !(p > 0 && p == $2) }' awk.txt us.txt

	expect 0 'back from the handler' "--top says what happened" \
		$vl touch.dat --top 3
	expect 0 '\[vvar\]\+0 .*1\.00' "two traces side by side" \
		$vl touch.dat /tmp/touch.dat
	expect 0 '^0 worse, 0 better' "vvar-compare takes --json" sh -c \
		"$vl touch.dat --json > touch.json &&
		 $OUT/vvar-compare touch.json -- touch.json"
	expect 0 '"tcg-icount"' "which says what counted" \
		grep '"accelerator"' touch.json
	check "--svg draws" $vl touch.dat --svg out.svg
	check "the drawing is XML" python3 -c \
		'import xml.dom.minidom as m; m.parse("out.svg")'

	expect 0 'where the mean fault spends its time' "the parts of a fault" \
		$vl touch.dat
	expect 0 '^\[vdso\]  ' "a table by area" $vl touch.dat --by area

	check "record touches of what was moved" \
		$record -o moved.dat -- $load moved 50
	check "they are counted where it was moved to" sh -c "
		$vl moved.dat --by page --json | python3 -c '
import json, sys
n = {m[\"name\"]: m[\"n\"] for m in json.load(sys.stdin)[\"metrics\"]}
sys.exit(not 50 <= n[\"trace.page.vvar.0\"] <= 52)'"

	until grep -qvx tsc-early $clock/current_clocksource; do
		sleep 0.1
	done
	check "record switches of the clocksource" $record -o clock.dat -- sh -c "
		echo hpet > $clock/current_clocksource
		$load storm 5
		python3 -c 'import time
time.time()
open(\"has\", \"w\")
time.sleep(1e6)' &
		until [ -e has ]; do
			sleep 0.1
		done
		echo tsc > $clock/current_clocksource
		$load storm 5
		kill \$!"
	if [ -d /sys/kernel/tracing/events/vvar ]; then
		# Nobody has a tombstone to lose; one that reads the clock, registers
		hpet='\[vvar_hpet\]\+0 +1 '
		expect 0 "$hpet +0x[0-9a-f]+ WB -> 0xfed00 UC- +[1-9][0-9]* +[1-9][0-9]* +0" \
			"the registers come" $vl clock.dat
		expect 0 "$hpet +0xfed00 UC- -> 0x[0-9a-f]+ WB +[1-9][0-9]* +[1-9][0-9]* +[1-9]" \
			"and go" $vl clock.dat
	fi

	# Signals and other recordings. Of virtual time, which leaps while the guest
	# waits for a disk: pgrep is read before it counts
	wait="touch running; exec sleep 100000"
	pgrep -x vvar-latency || :
	for signal in HUP:129 INT:130 QUIT:131 PIPE:141; do
		(running; kill -${signal%:*} "$(pgrep -o -x vvar-latency)") &
		expect ${signal#*:} 'before the signal' \
			"SIG${signal%:*} ends a recording in order" \
			$record -o ended.dat -- sh -c "$wait"
		check "SIG${signal%:*} leaves nothing behind" clean
	done
	expect 7 'hup.dat written$' "SIGHUP stays ignored" \
		nohup $record -o hup.dat -- sh -c 'kill -HUP $PPID; exit 7'
	$record -o killed.dat -- sh -c "$wait" 2> /dev/null &
	pid=$!
	running
	expect 125 'recording already' "two recordings at once" \
		$record -o second.dat -- true
	kill -KILL $pid
	wait $pid || :
	check "a recording after one that was killed" \
		$record -o after.dat -- $load storm 2
	check "it clears up after both" clean
	expect 0 'LOST EVENTS' "lost events are said" sh -c \
		"$record --buffer 64 -o lost.dat -- $load storm 40 && $vl lost.dat"
	expect 0 'in instructions$' "and take the unit with them no more" \
		$vl lost.dat
	expect 0 'less what tracing adds' "nor what tracing adds" $vl lost.dat
	expect 0 '^0 worse, 0 better' "nor the environment" sh -c \
		"$vl lost.dat --json > lost.json &&
		 $OUT/vvar-compare lost.json -- lost.json"

	# Tracing made to look dearer than all it traces, in a file without
	# compression
	trace-cmd convert -i touch.dat -o plain.dat --file-version 6 > /dev/null
	# shellcheck disable=SC2016
	LC_ALL=C perl -pe 's/(zero|retried)=(\d)(\d+)/"$1=-" . "9" x length $3/ge' \
		plain.dat > dear.dat
	expect 0 '[0-9] faults took less than that, and are shown as 0' \
		"what was taken off too much is said" $vl dear.dat
	all=$($vl dear.dat | sed -n '1s/.*: \([0-9]*\) vvar and vDSO faults .*/\1/p')
	said=$($vl dear.dat | sed -n 's/^ *\([0-9]*\) faults took less .*/\1/p')
	# A timer tick makes a fault dearer still
	check "of all ${all:-no} faults, but for ticks" \
		awk -v n="$said" -v all="$all" 'BEGIN {
			n += 0; all += 0
			exit !(n > 0 && n <= all && n >= all - 5) }'
	for trace in dear:$said touch:0; do
		check "--json counts ${trace#*:} in ${trace%:*}.dat" sh -c "
			$vl ${trace%:*}.dat --json | python3 -c '
import json, sys
n = {m[\"name\"]: m[\"max\"] for m in json.load(sys.stdin)[\"metrics\"]}
sys.exit(n[\"trace.clamped\"] != ${trace#*:})'"
	done
}

# What a benchmark says untraced, and a trace of it in the same boot
outside_tests()
{
	bench="$OUT/perf bench vdso-clock fault --unit instructions --loops 200"
	check "perf bench" sh -c "$bench --format json > bench.json"
	check "perf bench, traced" $record -o fault.dat -- $bench
	$vl fault.dat --by page --outside bench.json > outside.txt 2>&1 || :
	for metric in fault.vvar fault.text; do
		awk -v m=$metric '$1 == m { print $3, $4 }' outside.txt > pair
		read -r untraced traced < pair || untraced=0 traced=0
		check "$metric: perf bench $untraced, its trace $traced: within 3 %" \
			near "$traced" "$untraced" 3
	done
}

# What the patched kernel's own event says
event_tests()
{
	check "record what is read and written" \
		$record -o pages.dat -- $load pages
	cp out pages.txt
	trace-cmd report -i pages.dat 2>/dev/null | sed -n '
		s/.*vvar-latency-lo-.* vvar_fault: .*\[vdso\].* pfn=\(0x[0-9a-f]*\) .* path=\([a-z_]*\) published=\([0-9]*\) .* result=\([A-Z0-9]*\) .*/\1 \2 \3 \4/p' |
		tail -n 2 > event.txt
	check "text that is read: the page that is mapped" awk '
		NR == FNR { pfn[FNR] = $1; next }
		FNR == 1 { ok = $1 == pfn[1] && $2 == "map_pages" && $3 > 0 &&
				$4 == "NOPAGE" && pfn[1] != pfn[2] }
		END { exit !ok }' pages.txt event.txt
	check "text that is written to: the copy, mapped by the core" awk '
		NR == FNR { pfn[FNR] = $1; next }
		FNR == 2 { ok = $1 == pfn[2] && $2 == "fault" && $3 == 0 &&
				$4 == 0 }
		END { exit !ok }' pages.txt event.txt
}

# Traces that trace-cmd recorded, without our marks
foreign_tests()
{
	trace-cmd record --file-version 6 -C x86-tsc -o foreign.dat \
		-e page_fault_user -e vvar_fault $load storm 5 > /dev/null 2>&1
	expect 0 'in cycles$' "a foreign trace's unit is its clock's" \
		$vl foreign.dat
	LC_ALL=C sed 's/\[x86-tsc\]/ x86-tsc /' foreign.dat > unknown.dat
	expect 0 'in unknown units$' "without a clock, the unit is unknown" \
		$vl unknown.dat
	trace-cmd record -C counter -o counter.dat -e page_fault_user \
		-e vvar_fault $load storm 5 > /dev/null 2>&1
	expect 1 "'counter', which is no time" "a clock that is none" \
		$vl counter.dat
	trace-cmd reset > /dev/null 2>&1
	expect 1 'each of: kernel accelerator cpus clocksource' \
		"--json of where nobody knows" $vl foreign.dat --json
	env="--env kernel=6 --env accelerator=tcg --env clocksource=tsc"
	expect 0 '^0 worse, 0 better' "but if --env says it" sh -c \
		"$vl foreign.dat --json $env --env cpus=1 > foreign.json &&
		 $OUT/vvar-compare foreign.json -- foreign.json"
	expect 1 'cpus=none: not a number' "--env cpus=none" \
		$vl foreign.dat --json $env --env cpus=none
	expect 1 'no unit' "--json of no unit" \
		$vl unknown.dat --json $env --env cpus=1
	expect 1 'unknown units' "two traces of no unit" \
		$vl unknown.dat unknown.dat
}

error_tests()
{
	# Traces that say nothing, or not enough
	trace-cmd record -o switch.dat -e sched_switch true > /dev/null 2>&1
	trace-cmd record -o begin.dat -e page_fault_user true > /dev/null 2>&1
	expect 1 'no exceptions:page_fault_user among them' \
		"a trace of something else" $vl switch.dat
	expect 1 'end of a fault was not recorded|none ends|was not enabled' \
		"a trace without the end of faults" $vl begin.dat
	trace-cmd reset > /dev/null 2>&1
	mkdir /sys/kernel/tracing/instances/quiet
	trace-cmd extract -B quiet -o quiet.dat > /dev/null 2>&1
	rmdir /sys/kernel/tracing/instances/quiet 2>/dev/null || :
	expect 1 'an empty trace' "an empty trace" $vl quiet.dat

	# Files
	: > empty.dat
	expect 1 'empty file' "an empty file" $vl empty.dat
	expect 1 'No such file' "a file that is not there" $vl nowhere.dat
	expect 1 'not a regular file' "a directory" $vl /tmp
	expect 1 'not a trace.dat' "a foreign file" $vl "$0"
	head -c 14 touch.dat > header.dat
	expect 1 'truncated' "a file that ends in the header" $vl header.dat
	size=$(stat -c %s touch.dat)
	for percent in 10 50 90 99; do
		head -c $((size * percent / 100)) touch.dat > short.dat
		expect 1 'truncated|damaged' "a file cut at $percent %" \
			$vl short.dat
	done
	# magic, version string, then endianness, size of long, page size
	at=$(python3 -c 'print(open("touch.dat", "rb").read().index(b"\0", 10) + 1)')
	cp touch.dat big.dat
	printf '\001' | dd of=big.dat bs=1 seek="$at" conv=notrunc 2>/dev/null
	expect 1 'big-endian' "a trace of another endianness" $vl big.dat
	cp touch.dat page.dat
	printf '\000\000\001\000' |
		dd of=page.dat bs=1 seek=$((at + 2)) conv=notrunc 2>/dev/null
	expect 1 'pages of 65536' "a trace of another page size" $vl page.dat

	# Options
	expect 2 'not one of area' "--by nonsense" $vl touch.dat --by nonsense
	expect 2 'not a number' "--top nonsense" $vl touch.dat --top 1x
	expect 2 'name=value' "--env nonsense" $vl touch.dat --env cpus
	expect 2 'one or two' "no trace" $vl --by page
	expect 2 'for one' "--json of two traces" $vl touch.dat touch.dat --json
	expect 2 'no COMMAND' "record of nothing" $vl record
	expect 125 'not one of this kernel' "record with an unknown clock" \
		$vl record --clock sundial -- true
	expect 2 'not a number' "record with no buffer" \
		$vl record --buffer 0 -- true
	expect 1 'Permission|No such file|cannot' "--svg where nothing can be" \
		$vl touch.dat --svg /proc/x.svg
	expect 1 'JSON|expected|No such|Unable|unable' "--outside of a foreign file" \
		$vl touch.dat --outside "$0"

	# tracefs
	user="setpriv --reuid 65534 --regid 65534 --clear-groups"
	mkdir open
	chmod 777 open
	expect 125 'run as root' "record without permission" \
		$user $vl record -o open/x.dat -- true
	expect 1 'run as root' "hist without permission" $user $vl hist
	expect 1 'no such event' "hist of an event that is not there" $vl hist
	expect 125 'no tracefs' "record without tracefs" unshare -m sh -c \
		"umount /sys/kernel/tracing; umount /sys/kernel/debug;
		 $user $vl record -o open/x.dat -- true"
}

# The lines that Documentation/mm/vvar_fault.rst has
hist_tests()
{
	cd /sys/kernel/tracing
	keys=hist:keys=common_pid
	if [ -d events/vvar ]; then
		echo 's:vvar_latency u64 lat; char area[]' >> dynamic_events
		end=events/vvar/vvar_fault args=,area by=area,
	else
		echo 'r:vvar_special special_mapping_fault' >> kprobe_events
		echo 's:vvar_latency u64 lat' >> dynamic_events
		end=events/kprobes/vvar_special args='' by=''
	fi
	echo "$keys:ts0=common_timestamp" > events/exceptions/page_fault_user/trigger
	echo "$keys:lat=common_timestamp-\$ts0:onmatch(exceptions.page_fault_user).trace(vvar_latency,\$lat$args)" > $end/trigger
	cd - > /dev/null
	expect 1 'no histogram' "hist before its trigger is set" $vl hist
	echo "hist:keys=${by}lat.log2" \
		> /sys/kernel/tracing/events/synthetic/vvar_latency/trigger
	"$OUT/vvar-latency-load" touch 100 > /dev/null
	expect 0 "in ns \(trace clock 'global'\)" "hist says its unit" $vl hist
	expect 0 'faults; p50 at most (1024|2048|4096)' "hist reads the kernel's" \
		$vl hist
	# 200 touches, and some of the processes between
	check "hist counts every touch" sh -c "$vl hist | awk '
		/faults;/ { n += \$2 } END { exit !(n >= 200 && n <= 220) }'"
}

if [ "${1:-}" = --guest ]; then
	about=$2
	vl=$OUT/vvar-latency
	tmp=$(mktemp -d)
	chmod 755 "$tmp"
	cd "$tmp"
	record_tests
	outside_tests
	if [ -d /sys/kernel/tracing/events/vvar ]; then
		event_tests
		foreign_tests
	fi
	error_tests
	hist_tests
	finish
	exit
fi

[ $# -gt 0 ] || set -- stock vvar
[ -x "$OUT/perf" ] || { echo "no $OUT/perf: run 'make perf'" >&2; exit 2; }
for program in vvar-latency vvar-latency-load vvar-compare; do
	[ -x "$OUT/$program" ] ||
		make -s -C "$top" OUT="$OUT" "$OUT/$program" >&2
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for kernel; do
	# They count instructions: both at once, they disturb nobody
	"$top/scripts/guest" --kernel "$kernel" --icount --timeout 1200 \
		--append 'norandmaps vvar.populate=0 vdso_hpet=1' -- \
		env OUT="$OUT" "$top/tools/testing/selftests/vvar/latency-test.sh" \
		--guest "$kernel" > "$tmp/$kernel" 2>&1 &
done
wait
echo "TAP version 13"
for kernel; do
	cat "$tmp/$kernel"
	# A guest that died said no sum
	grep -q "^# $kernel: .* failed$" "$tmp/$kernel" ||
		echo "# $kernel: 0 passed, 1 failed" >> "$tmp/$kernel"
done
cat "$tmp"/* | awk '
	/^# .*: [0-9]+ passed, [0-9]+ failed$/ { passed += $3; failed += $5 }
	END {
		printf "%d passed, %d failed\n", passed, failed
		exit failed > 0 || !passed
	}'
