#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# scripts/bisect finds what was planted in a history of 16 commits.
#   without arguments: each commit is a small program in place of the kernel,
#	built by make and cc; the rest (git, the verdicts) is real: seconds
#   --kernel [nops|map_pages|gettime|same]: each commit is built and booted: a
#	step takes a minute. BASE is the revision to plant in (default: HEAD).
#	same: in boots of one kernel, nothing is found.
# VVAR_COMPARE names the vvar-compare to use; else it is built here.
set -eu

top=$(cd "$(dirname "$0")/../../../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bisect=$top/scripts/bisect
export GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost
export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost

. "$top/tools/testing/selftests/vvar/tap.sh"

# run_bisect GOOD BAD ARG...: git bisect run in the current directory
run_bisect()
{
	first=$1 last=$2
	shift 2
	: > "$tmp/err"
	git bisect start "$last" "$first" > "$tmp/out" 2>&1
	git bisect run "$bisect" "$@" >> "$tmp/out" 2>&1 || :
	found=$(sed -n 's/ is the first bad commit$//p' "$tmp/out")
	subject=
	[ -z "$found" ] || subject=$(git log -1 --format=%s "$found")
	git bisect reset > /dev/null 2>&1
}

found_it()
{
	ok=0
	[ "$subject" = "$2" ] ||
		{ ok=1; echo "# found '$subject', planted '$2'"; }
	result $ok "$1"
}

commit()
{
	git add -A
	git commit -q -m "$1"
}

# --- in small ------------------------------------------------------------------

# A "kernel" writes what perf bench would measure in it. Times wander by 5 %
# from boot to boot and sample to sample; the count of boots is the seed.
# small_tree DIR: in a tree like this repository, or in what passes for a kernel
# tree, by the name of the one $source
source=mm/vvar_fault.c
small_tree()
{
	mkdir -p "$1/mm" "$1/scripts"
	cd "$1"
	git init -q
	: > scripts/prepare
	chmod +x scripts/prepare
	cat > $source <<'TREE'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int cost = 942;
static double gettime = 100;

static double wander(double by)
{
	double u = drand48(), v = drand48();

	return exp(by * sqrt(-2 * log(1 - u)) * cos(6.2831853 * v));
}

static int by_value(const void *a, const void *b)
{
	double x = *(double *)a, y = *(double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	static double v[200], s[200];
	double sum = 0, boot;
	int i, n = 200;

	srand48(atoi(getenv("SEED")));
	for (i = 0; i < 10; i++)
		drand48();
	boot = wander(0.01);
	for (i = 0; i < n; i++) {
		v[i] = s[i] = rint(1000 * gettime * boot * wander(0.05)) / 1000;
		sum += v[i];
	}
	qsort(s, n, sizeof(*s), by_value);
	printf("{\"schema\":\"vdso-clock/1\",\"environment\":{\"kernel\":\"k\","
	       "\"accelerator\":\"tcg\",\"cpus\":2,\"clocksource\":\"tsc\"},"
	       "\"metrics\":[{\"name\":\"fault.vvar\",\"unit\":"
	       "\"instructions\",\"exact\":true,\"better\":\"lower\",\"n\":1,"
	       "\"min\":%d,\"p50\":%d,\"p90\":%d,\"p99\":%d,\"max\":%d,"
	       "\"mean\":%d,\"samples\":[%d]},", cost, cost, cost, cost, cost,
	       cost, cost);
	printf("{\"name\":\"gettime.MONOTONIC.vdso\",\"unit\":\"ns\","
	       "\"exact\":false,\"better\":\"lower\",\"n\":%d,\"min\":%.9g,"
	       "\"p50\":%.9g,\"p90\":%.9g,\"p99\":%.9g,\"max\":%.9g,"
	       "\"mean\":%.9g,\"samples\":[", n, s[0], s[99], s[179], s[197],
	       s[199], sum / n);
	for (i = 0; i < n; i++)
		printf("%s%.9g", i ? "," : "", v[i]);
	printf("]}]}\n");
	return 0;
}
TREE
	: > Kconfig
	cat > Makefile <<'TREE'
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 1
image = $(or $(O),$(OUT)/vvar/.kunit)/arch/x86/boot/bzImage
olddefconfig:
all kernel-vvar:
	mkdir -p $(dir $(image))
	$(CC) -w -O1 -o $(image) mm/*.c -lm
TREE
	commit "begin"
	git tag good
}

# small_history DIR COMMAND: 16 commits; COMMAND changes the source in the 11th,
# the 8th does not build, which the 9th mends
small_history()
{
	small_tree "$1"
	i=0
	while [ $i -lt 16 ]; do
		i=$((i + 1))
		echo "/* change $i */" >> $source
		what="change $i"
		case $i in
		8)	echo "int broken = ;" >> $source ;;
		9)	sed -i '/broken/d' $source ;;
		11)	eval "$2"
			what=culprit ;;
		esac
		commit "$what"
	done
	git tag bad
}

# step STATUS WORDS WHAT ARG...: one step by hand, as expect()
step()
{
	want=$1 words=$2 what=$3
	shift 3
	expect "$want" "$words" "$what" "$bisect" "$@"
}

small()
{
	if [ -z "${VVAR_COMPARE:-}" ]; then
		VVAR_COMPARE=$tmp/vvar-compare
		make -s -C "$top" OUT="$tmp" "$VVAR_COMPARE"
	fi
	OUT=$tmp/build
	export VVAR_COMPARE OUT
	echo 0 > "$tmp/seed"
	# Expanded when it runs
	# shellcheck disable=SC2016
	measure='SEED=$(($(cat '"$tmp"'/seed) + 1)); echo $SEED > '"$tmp"'/seed
		export SEED; exec "$KERNEL_IMAGE"'

	small_history "$tmp/exact" \
		"sed -i 's/cost = 942/cost = 982/' mm/vvar_fault.c"
	run_bisect good bad --metric fault.vvar --limit '<= 950' \
		--measure "$measure"
	found_it "40 instructions, by a limit" culprit
	ok=0
	steps=.git/vvar-bisect/steps
	grep -q 'fault.vvar  good  [0-9]* s  (942 instructions)' $steps &&
		grep -q 'fault.vvar  bad  [0-9]* s  (982 instr' $steps || ok=1
	result $ok "one line a step"
	ok=0
	grep -q 'skip.*does not build' "$tmp/out" || ok=1
	result $ok "the commit that does not build was skipped"

	git checkout -q good
	make -s OUT="$OUT" kernel-vvar
	SEED=1 "$OUT/vvar/.kunit/arch/x86/boot/bzImage" > "$tmp/baseline.json"
	git checkout -q bad
	run_bisect good bad --metric fault.vvar \
		--against "$tmp/baseline.json" --measure "$measure"
	found_it "40 instructions, by a recorded result" culprit

	run_bisect good bad --metric fault.vvar --good good --bad bad \
		--measure "$measure"
	found_it "40 instructions, by two endpoints" culprit

	sed 's/"tcg"/"kvm"/' "$tmp/baseline.json" > "$tmp/kvm.json"
	step 125 'not comparable' "another accelerator is no answer" \
		--metric fault.vvar --against "$tmp/kvm.json" --measure "$measure"
	step 125 'too noisy' "too noisy is no answer" --cap 1 \
		--metric gettime.MONOTONIC.vdso --limit '<= 100' \
		--measure "$measure"
	step 125 'cannot be measured' "a kernel that does not boot is no answer" \
		--metric fault.vvar --limit '<= 950' --measure false
	step 125 'no result' "a result without the metric is no answer" \
		--metric nonesuch --limit '<= 950' --measure "$measure"
	step 128 'nothing to bisect' "equal endpoints are refused" \
		--metric fault.vvar --good good --bad good~0 --measure "$measure"
	for wrong in "--limit <=fast" "--limit <=1 --against x" "--good good" \
		     "--against /nonesuch" "--nonesuch" "--limit" "" \
		     "--good nonesuch --bad bad" "--limit <=1 --run x" \
		     "--limit <=1 --cap 0"; do
		got=0
		# Words on purpose
		# shellcheck disable=SC2086
		"$bisect" --metric fault.vvar $wrong \
			> "$tmp/out" 2> "$tmp/err" || got=$?
		result $((got != 128)) "misuse: '$wrong'"
	done

	bad_steps
	small_history "$tmp/wall" \
		"sed -i 's/gettime = 100/gettime = 112/' mm/vvar_fault.c"
	run_bisect good bad --metric gettime.MONOTONIC.vdso --good good \
		--bad bad --cap 8 --measure "$measure"
	found_it "a slower clock_gettime, by wall times" culprit
	small_kernel_tree
}

# What is no verdict, on a commit that is good
bad_steps()
{
	git checkout -q good
	gettime=gettime.MONOTONIC.vdso
	# shellcheck disable=SC2016
	as="$measure"' | sed "s/tsc/${CLOCK:-tsc}/; s/tcg/${SAYS:-tcg}/"'
	step 0 'fault.vvar  good' "the issue's name for it" \
		--metric first_touch_insns --limit '<= 950' --measure "$as"
	CLOCK=hpet step 125 'clocksource is hpet, not tsc' \
		"a limit, and another clocksource than in the first step" \
		--metric fault.vvar --limit '<= 950' --measure "$as"
	SAYS=kvm step 125 'accelerator is kvm, not tcg' \
		"... another accelerator" \
		--metric fault.vvar --limit '<= 950' --measure "$as"
	step 125 'clocksource is tsc, not hpet' "... not the one asked for" \
		--metric fault.vvar --limit '<= 950' --measure "$as" \
		--clocksource hpet
	step 125 'clocksource is tsc, not hpet' "... by two endpoints" \
		--metric fault.vvar --good good --bad bad --measure "$as" \
		--clocksource hpet
	step 128 'unknown; known are: .*contend.2M.vvar .*fault.vvar ' \
		"a metric that perf bench does not have" \
		--metric fault.vvarr --limit '<= 950'
	step 125 'too noisy' "30 % off, and one boot only" --cap 1 \
		--metric $gettime --limit '<= 130' --measure "$measure"
	step 0 'good' "... five boots" --cap 5 \
		--metric $gettime --limit '<= 130' --measure "$measure"

	steps=.git/vvar-bisect/steps
	ln -sf /dev/full $steps
	step 125 'a command failed' "a disk that is full" \
		--metric fault.vvar --limit '<= 950' --measure "$measure"
	rm $steps
	mkdir "$tmp/failing"
	for tool in cp mkdir; do
		printf '#!/bin/sh\ncase $* in *vvar-bisect/*) exit 1; esac\n' \
			> "$tmp/failing/$tool"
		echo "exec $(command -v $tool) \"\$@\"" >> "$tmp/failing/$tool"
		chmod +x "$tmp/failing/$tool"
		rm -rf .git/vvar-bisect/ends.*
		# Where the logs are is made before
		PATH=$tmp/failing:$PATH step 125 'a command failed' \
			"a $tool that fails" --metric fault.vvar --good good \
			--bad bad --measure "$measure" --logs .git/vvar-bisect
		rm "$tmp/failing/$tool"
	done
	rm -rf .git/vvar-bisect

	# Measured once, and again where another answer is possible
	proofs=''
	for other in '--cap 7' '--cap 8' '--run smp' '--args exec' \
		     '--append quiet' ''; do
		how=$measure
		[ -n "$other" ] || how="true; $measure"
		# Words on purpose
		# shellcheck disable=SC2086
		step 0 'good' "two endpoints, ${other:-another command}" \
			--metric fault.vvar --good good --bad bad \
			--measure "$how" $other
		proofs="$proofs $(find .git/vvar-bisect -name proved | wc -l)"
	done
	ok=0
	[ "$proofs" = ' 1 1 2 3 4 5' ] || { ok=1; echo "# proofs:$proofs"; }
	result $ok "... are proved once for each way to measure"
}

# Through this repository's own prepare and kernel, which make what passes for a
# kernel out of it
small_kernel_tree()
{
	source=mm/mmap.c
	small_history "$tmp/tree" \
		"sed -i 's/cost = 942/cost = 982/' mm/mmap.c"
	git status --porcelain > "$tmp/before"
	git count-objects > "$tmp/objects"
	OUT=$tmp/trees
	run_bisect good bad --metric fault.vvar --good good --bad bad \
		--measure "$measure"
	found_it "40 instructions in a kernel tree" culprit
	ok=0
	git status --porcelain | cmp -s "$tmp/before" - &&
		git count-objects | cmp -s "$tmp/objects" - &&
		[ "$(git worktree list | wc -l)" = 1 ] || ok=1
	result $ok "... which stays as it was"
	# What is not committed is built, what is ignored is not
	echo ignored.c > .gitignore
	echo broken > mm/ignored.c
	sed -i 's/cost = 982/cost = 900/' mm/mmap.c
	step 0 'good' "a change that is not committed is judged" \
		--metric fault.vvar --limit '<= 900' --measure "$measure"
	: > "$tmp/err"
	got=0
	"$bisect" --metric fault.vvar --limit '<= 950' --patched \
		--measure "$measure" > "$tmp/out" 2>&1 || got=$?
	log=$(sed -n 's/.*does not build: \(.*\))$/\1/p' "$tmp/out")
	[ -n "$log" ] && grep -q '^prepare: .*\.patch changes .*does not have;' "$log" || got=1
	result $((got != 125)) "a series that does not apply is no answer"
}

# --- with kernels ----------------------------------------------------------------

# plant FILE SED-SCRIPT
plant()
{
	cp "$1" "$tmp/before"
	sed -i "$2" "$1"
	! cmp -s "$1" "$tmp/before" ||
		{ echo "Bail out! '$2' changes nothing in $1"; exit 1; }
}

# kernel_history DIR FILE SED-SCRIPT [COMMAND]: as small_history, on a clone of
# this tree
kernel_history()
{
	git clone -q "$top" "$1"
	cd "$1"
	git checkout -q -b planted "$base"
	git tag good
	i=0
	while [ $i -lt 16 ]; do
		i=$((i + 1))
		what="change $i"
		echo "/* change $i */" >> mm/vvar_fault.c
		case $i in
		8)	echo "int broken = ;" >> mm/vvar_fault.c ;;
		9)	sed -i '/broken/d' mm/vvar_fault.c ;;
		11)	plant "$2" "$3"
			${4:-:}
			what=culprit ;;
		esac
		commit "$what"
	done
	git tag bad
}

kernels()
{
	. "$top/scripts/env"
	PERF=${PERF:-$OUT/perf}
	VVAR_COMPARE=${VVAR_COMPARE:-$OUT/vvar-compare}
	export OUT KERNEL PERF VVAR_COMPARE
	base=$(git -C "$top" rev-parse "${BASE:-HEAD}")
	"$top/scripts/prepare" stock
	for case in ${1:-nops map_pages gettime same}; do
		"kernel_$case"
	done
}

# bisect_kernels WHAT ARG...: between good and bad
bisect_kernels()
{
	what_for=$1
	shift
	run_bisect good bad --good good --bad bad "$@"
	sed 's/^/# /' "$tmp/out"
	found_it "$what_for" culprit
}

# Each nop is one instruction
kernel_nops()
{
	kernel_history "$tmp/nops" mm/vvar_fault.c \
		'/^static vm_fault_t vvar_map_pages(/,/^$/{
		s/^$/\tasm volatile(".rept 40\\n\\tnop\\n\\t.endr");/}'
	bisect_kernels "40 instructions in the first touch" --metric fault.vvar
}

kernel_map_pages()
{
	kernel_history "$tmp/map_pages" mm/vvar_fault.c \
		'/\.map_pages.*= vvar_map_pages/d'
	bisect_kernels "a lost .map_pages" --metric fault.vvar
}

# The vDSO's own code is in no file of this tree: a patch slows it
kernel_gettime()
{
	# shellcheck disable=SC2016
	kernel_history "$tmp/gettime" "patches/$KERNEL/series" \
		'$aslow-clock.patch' slow_clock
	bisect_kernels "a slower clock_gettime, by wall times" \
		--metric gettime.MONOTONIC.vdso --run smp
}

# boots NAME N GUEST-ARGS -- BENCH-ARGS: $tmp/same.NAME.1.json and on
boots()
{
	name=$1 n=$2 i=0 guest=''
	shift 2
	while [ "$1" != -- ]; do
		guest="$guest $1"
		shift
	done
	shift
	while [ $i -lt "$n" ]; do
		i=$((i + 1))
		# A list of words
		# shellcheck disable=SC2086
		"$top/scripts/guest" $guest --append norandmaps \
			--append vvar.populate=0 -- \
			"$PERF" bench vdso-clock --format json "$@" \
			> "$tmp/same.$name.$i.json" 2> "$tmp/out" ||
			{ cat "$tmp/out"; echo "Bail out! no figures"; exit 1; }
	done
}

# judge ARG...: vvar-compare, which has to have a verdict
judge()
{
	got=0
	"$VVAR_COMPARE" "$@" > "$tmp/out" 2>&1 || got=$?
	[ $got -le 1 ] ||
		{ cat "$tmp/out"; echo "Bail out! status $got"; exit 1; }
}

# pairs NAME N SIZE...: compares boots of N with others, 20 times, so many a side
# by turns. Among all metrics none may seem to have changed; one by one, where no
# p is multiplied by their number, one in a hundred (--alpha).
pairs()
{
	name=$1 n=$2 pair=0 alarms=0 undecided=0 decided=0 singles=0 single=0
	shift 2
	while [ $pair -lt 20 ]; do
		pair=$((pair + 1))
		size=$1
		shift
		set -- "$@" "$size"
		# A shuffle that is the same each time
		files=$(awk -v seed=$pair -v n="$n" -v size="$size" \
			-v stem="$tmp/same.$name." 'BEGIN {
			srand(seed)
			for (i = 1; i <= n; i++)
				v[i] = i
			for (i = 1; i <= 2 * size; i++) {
				j = i + int(rand() * (n - i + 1))
				t = v[i]; v[i] = v[j]; v[j] = t
				printf "%s%s%d.json", i == size + 1 ? " -- " : " ",
					stem, v[i]
			}
		}')
		# A list of words
		# shellcheck disable=SC2086
		judge $files
		sum=$(tail -n 1 "$tmp/out")
		better=${sum#*worse, } same=${sum#*better, } noisy=${sum#*no change, }
		alarms=$((alarms + ${sum%% *} + ${better%% *}))
		decided=$((decided + ${same%% *}))
		undecided=$((undecided + ${noisy%% *}))
		grep -E 'WORSE|better$' "$tmp/out" | sed 's/^/# /' || :
		# shellcheck disable=SC2013
		for metric in $(awk '/%.*(WORSE|better|no change|more)$/ &&
				!/ exact / { print $1 }' "$tmp/out" | sort -u); do
			# shellcheck disable=SC2086
			judge --metric "$metric" $files
			singles=$((singles + 1))
			! grep -E 'WORSE|better$' "$tmp/out" | sed 's/^/# /' |
				grep . || single=$((single + 1))
		done
	done
	echo "# $name: 20 pairs, $alarms alarms, $decided no change, $undecided too noisy"
	ok=0
	[ $alarms = 0 ] && [ $((decided + undecided)) -gt 0 ] || ok=1
	result $ok "A/A: no alarm in 20 pairs, $name"
	echo "# $name: one by one, $single alarms of $singles"
	result $((singles == 0 || 100 * single > singles)) \
		"A/A: one alarm in a hundred at most, $name"
}

kernel_same()
{
	"$top/scripts/kernel" vvar | sed 's/^/# /'
	boots icount 8 --icount -- gettime fault exec --unit instructions \
		--env accelerator=tcg-icount
	pairs icount 8 1 2 4
	# With five boots a side one metric can raise an alarm, with eight all can
	boots smp 16 --smp 2 -- gettime contend -l 300
	pairs smp 16 1 2 4 5 6 8
}

# A loop in each call of the vDSO's clock_gettime. Not of nops: QEMU counts them,
# but emulates them in no time.
slow_clock()
{
	f=lib/vdso/gettimeofday.c
	mkdir -p "$tmp/a/lib/vdso" "$tmp/b/lib/vdso"
	cp "$OUT/stock/$f" "$tmp/a/$f"
	cp "$OUT/stock/$f" "$tmp/b/$f"
	plant "$tmp/b/$f" '/^__cvdso_clock_gettime_common(/,/^$/{
		s/^$/\tfor (int i = 0; i < 200; i++)\n\t\tasm volatile("");/}'
	diff -u --label "a/$f" --label "b/$f" "$tmp/a/$f" "$tmp/b/$f" \
		> "patches/$KERNEL/slow-clock.patch" || [ $? = 1 ]
}

case ${2:-same} in
nops|map_pages|gettime|same) ;;
*)		echo "bisect-test: no case '$2'" >&2; exit 2 ;;
esac
case ${1:-} in
'')		echo "TAP version 13"; small ;;
--kernel)	echo "TAP version 13"; kernels "${2:-}" ;;
*)		echo "bisect-test: unknown argument '$1'" >&2; exit 2 ;;
esac
finish
