# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Sourced by tests of programs, with $tmp set: tests in TAP, by what a command says.
# What the last one said is in $tmp/out and $tmp/err, and is shown if the test failed.
# $about, if set, is put before each name.
#
# Not kselftest/ktap_helpers.sh: that is in a kernel tree, of which these have no need,
# and takes the words of names and commands apart.
nr=0 failed=0 about=''

# result STATUS NAME: a test, which passed if the status is 0
result()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr ${about:+$about: }$2"
	else
		failed=$((failed + 1))
		echo "not ok $nr ${about:+$about: }$2"
		cat "$tmp/out" "$tmp/err" 2>/dev/null | tail -n 100 | sed 's/^/# /'
	fi
}

# skipped NAME REASON
skipped()
{
	nr=$((nr + 1))
	echo "ok $nr ${about:+$about: }$1 # SKIP $2"
}

# expect STATUS WORDS NAME COMMAND...: wants the status and, on stdout or stderr,
# the words (an extended regular expression)
expect()
{
	want=$1 words=$2 name_of=$3
	shift 3
	got=0
	"$@" > "$tmp/out" 2> "$tmp/err" || got=$?
	ok=0
	[ "$got" = "$want" ] || { ok=1; echo "# status $got, not $want"; }
	cat "$tmp/out" "$tmp/err" | grep -Eq -e "$words" ||
		{ ok=1; echo "# no '$words' in the output"; }
	result $ok "$name_of"
}

# check NAME COMMAND...: wants status 0
check()
{
	name_of=$1
	shift
	got=0
	"$@" > "$tmp/out" 2> "$tmp/err" || got=1
	result $got "$name_of"
}

# The plan, behind the tests; false if one failed
finish()
{
	echo "1..$nr"
	echo "# ${about:+$about: }$((nr - failed)) passed, $failed failed"
	[ "$failed" = 0 ]
}
