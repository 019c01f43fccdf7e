#!/bin/bash
# perf bench vdso-clock
# SPDX-License-Identifier: GPL-2.0

set -e

out=$(mktemp /tmp/__perf_test.vdso_clock.XXXXX)
err=0

cleanup() {
	rm -f "${out}"
	trap - EXIT TERM INT
}

trap_cleanup() {
	cleanup
	exit 1
}
trap trap_cleanup EXIT TERM INT

fail() {
	echo "$1 [Failed]"
	err=1
}

# A metric's median from --format=simple
median() {
	awk -v name="$1" '$1 == name { print $2; found = 1 }
			  END { exit !found }' "${out}"
}

test_gettime() {
	echo "gettime: the vDSO is faster than the system call"
	if ! perf bench vdso-clock gettime --clock MONOTONIC -l 200 \
	     --format=simple > "${out}" 2>&1
	then
		fail "gettime: exit status"
		return
	fi
	if ! vdso=$(median gettime.MONOTONIC.vdso)
	then
		echo "gettime: no vDSO here [Skipped]"
		return
	fi
	syscall=$(median gettime.MONOTONIC.syscall)
	source=/sys/devices/system/clocksource/clocksource0/current_clocksource
	case $(cat "${source}" 2>/dev/null) in
	tsc|kvm-clock|hyperv_clocksource_tsc_page|arch_sys_counter) ;;
	*)	echo "gettime: the vDSO can't read the clocksource [Skipped]"
		return ;;
	esac
	awk "BEGIN { exit !(${vdso} > 0 && ${vdso} < ${syscall}) }" ||
		fail "gettime: vDSO ${vdso}, system call ${syscall}"
}

test_fault() {
	echo "fault: a first touch takes a fault"
	perf bench vdso-clock fault -l 100 --format=simple > "${out}" 2>&1 ||
		fail "fault: exit status"
	[ "$(median fault.zero.faults)" = 1 ] || fail "fault: zero page"
	# With populate there is none for vvar
	case $(median fault.vvar.faults) in
	0|1)	;;
	*)	fail "fault: $(median fault.vvar.faults) faults for a vvar page" ;;
	esac
	zero=$(median fault.zero)
	awk "BEGIN { exit !(${zero} > 0) }" || fail "fault: zero page ${zero}"
}

# Its least: what else the machine does only adds, and parts are not of one exec
least() {
	awk -v name="$1" '$1 == name { print $4; found = 1 }
			  END { exit !found }' "${out}"
}

test_exec() {
	echo "exec: the first timestamp comes before the exit"
	perf bench vdso-clock exec -l 100 --format=simple > "${out}" 2>&1 ||
		fail "exec: exit status"
	if ! whole=$(least exec.vfork_exec_exit)
	then
		echo "exec: no static helper [Skipped]"
		return
	fi
	first=$(least exec.first_timestamp) || fail "exec: no first timestamp"
	call=$(least exec.first_call) || fail "exec: no first call"
	awk "BEGIN { exit !(0 < ${call} && ${call} < ${first} && ${first} < ${whole}) }" ||
		fail "exec: ${call} < ${first} < ${whole}"
	[ "$(median exec.first_timestamp.faults)" -gt 0 ] ||
		fail "exec: no faults to the first timestamp"
	# A whole program, with more to load than the static one
	dynamic=$(least exec.vfork_exec_exit_dynamic) ||
		fail "exec: no dynamic program"
	awk "BEGIN { exit !(${dynamic} > ${whole}) }" ||
		fail "exec: ${whole} < ${dynamic}"
}

test_check() {
	echo "check: MONOTONIC does not go backwards"
	perf bench vdso-clock check --clock MONOTONIC,MONOTONIC_COARSE -l 1000 \
		--format=simple > "${out}" 2>&1 || fail "check: exit status"
	[ "$(median check.MONOTONIC.backward)" = 0 ] || fail "check: backwards"
	# Two CPUs at least: each read follows one on another CPU
	if [ "$(nproc)" -gt 1 ]
	then
		[ "$(median check.MONOTONIC.handovers)" -ge 1000 ] ||
			fail "check: CPUs don't take turns"
	fi
	# Seen to move, also where that takes longer than the loops
	awk "BEGIN { exit !($(median check.MONOTONIC_COARSE.step_min) > 0) }" ||
		fail "check: a coarse clock's step"
}

test_repeat() {
	echo "repeat: as often as said, before and after the name"
	for args in "-r 10 vdso-clock" "vdso-clock -r 10"
	do
		# A list of words
		# shellcheck disable=SC2086
		perf bench ${args} gettime --clock TAI -l 20 --format=simple \
			> "${out}" 2>&1 || fail "repeat: exit status"
		[ "$(awk '$1 == "gettime.TAI.syscall" { print $6 }' "${out}")" = 200 ] ||
			fail "repeat: perf bench ${args}"
	done
}

test_json() {
	echo "json: valid, with every sample"
	if ! command -v python3 > /dev/null
	then
		echo "json: no python3 [Skipped]"
		return
	fi
	perf bench --format=json vdso-clock gettime --clock MONOTONIC -l 123 \
		> "${out}" 2> /dev/null || fail "json: exit status"
	python3 - "${out}" <<-END || fail "json"
		import json, sys
		d = json.load(open(sys.argv[1]))
		assert d["schema"] == "vdso-clock/1"
		assert d["environment"]["kernel"]
		m = {x["name"]: x for x in d["metrics"]}["gettime.MONOTONIC.syscall"]
		assert m["n"] == 123 == len(m["samples"])
		s = sorted(m["samples"])
		assert s[0] == m["min"] and s[-1] == m["max"]
		assert m["p50"] == s[61]
		# The hash of no config is none
		assert not d["environment"]["config_sha256"].startswith("e3b0c442")
	END
	# Every tick counts, of a million as well
	perf bench vdso-clock exec -l 30 --unit cycles --format=json \
		> "${out}" 2> /dev/null || fail "json: exit status"
	python3 - "${out}" <<-END || fail "json: digits"
		import json, sys
		d = json.load(open(sys.argv[1]))
		long = [x for m in d["metrics"] for x in m["samples"] if x > 2e6]
		assert not long or any(x % 10 for x in long)
	END
}

# refused COMMAND...: with a status of perf's own, 129 being that of its usage
refused() {
	status=0
	"$@" || status=$?
	case "${status}" in
	0|12[678]|1[3-9][0-9]|2[0-9][0-9])	return 1 ;;
	esac
}

# Each of these must fail, with a message
test_errors() {
	echo "errors: a message and a status that is not 0"
	while read -r args
	do
		# A list of words
		# shellcheck disable=SC2086
		if ! refused perf bench vdso-clock ${args} > /dev/null 2> "${out}" < /dev/null
		then
			fail "errors: '${args}' exits ${status}"
		elif ! [ -s "${out}" ]
		then
			fail "errors: '${args}' says nothing"
		fi
	done <<-END
		nonsense
		gettime --clock NONSENSE
		gettime -l 0
		gettime -l 4294967295
		gettime -l 99999999999
		gettime -l 1x
		gettime -r 0
		gettime -w -1
		scale -T 0
		gettime -C 99999
		gettime --format=nonsense
		gettime --unit=nonsense
		gettime -t 0
		gettime --env cpus=1
		gettime --env a=1 --env a=2
		exec --program /nonexistent
	END
	for args in --format=nonsense "-r 0" "-r 20000"
	do
		# shellcheck disable=SC2086
		if ! refused perf bench ${args} vdso-clock > /dev/null 2>&1
		then
			fail "errors: 'perf bench ${args}' exits ${status}"
		fi
	done
	if ! refused perf bench vdso-clock gettime -l 10 > /dev/full 2> /dev/null
	then
		fail "errors: a full disk exits ${status}"
	fi
}

test_gettime
test_fault
test_exec
test_check
test_repeat
test_json
test_errors

cleanup
exit ${err}
