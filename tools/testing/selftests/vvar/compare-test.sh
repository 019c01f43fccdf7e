#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vvar-compare on results made up here, so that the truth is known.
# Usage: [DIRECTORY of vvar-compare and vvar-compare-test]; without it, both are
# built for the occasion.
set -eu

top=$(cd "$(dirname "$0")/../../../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bin=${1:-$tmp}
if [ $# = 0 ]; then
	make -s -C "$top" OUT="$tmp" "$tmp/vvar-compare"
	(cd "$top/tools/vvar" &&
	 ${CC:-cc} -O2 -o "$tmp/vvar-compare-test" vvar-compare-test.c \
		vvar-compare-stats.c -lm)
fi
PATH=$(cd "$bin" && pwd):$PATH
. "$top/tools/testing/selftests/vvar/tap.sh"
cd "$tmp"

# compare STATUS WORDS WHAT ARG...: vvar-compare ARG..., as expect()
compare()
{
	want=$1 words=$2 what=$3
	shift 3
	expect "$want" "$words" "$what" vvar-compare "$@"
}

# make_json FILE [VARIABLE=VALUE...]: a result file. Each boot is off by
# boot (relative, normal), each sample by spread; seed makes them repeatable.
make_json()
{
	file=$1
	shift
	for assignment; do
		shift
		set -- "$@" -v "$assignment"
	done
	awk -v seed=1 -v accel=tcg -v cpus=2 -v clock=tsc -v cpu=model \
	    -v kernel=6.12-test -v n=300 -v boot=0 -v spread=0.02 \
	    -v fault=942 -v gettime=100 -v contend=8000 -v tail=3 \
	    -v slow=0 -v walk=0 "$@" '
	function normal()
	{
		return sqrt(-2 * log(1 - rand())) * cos(6.2831853 * rand())
	}
	function around()
	{
		return exp(spread * normal())
	}
	function rare()
	{
		return rand() < 0.04 ? tail : 1
	}
	function round(x)
	{
		return sprintf("%.3f", x)
	}
	function put(name, unit, exact, v,	i, s, cmd, sum, q)
	{
		cmd = "sort -g > sorted"
		for (i = 1; i <= n; i++) {
			print v[i] | cmd
			sum += v[i]
		}
		close(cmd)
		for (i = 1; i <= n; i++)
			getline s[i] < "sorted"
		close("sorted")
		printf "%s{\"name\":\"%s\",\"unit\":\"%s\",\"exact\":%s,",
			sep, name, unit, exact
		printf "\"better\":\"lower\",\"n\":%d,\"min\":%s,\"p50\":%s,",
			n, s[1], s[int((n + 1) / 2)]
		printf "\"p90\":%s,\"p99\":%s,\"max\":%s,\"mean\":%.9g,",
			s[int(0.9 * n + 0.95)], s[int(0.99 * n + 0.995)],
			s[n], sum / n
		printf "\"samples\":["
		for (i = 1; i <= n; i++)
			printf "%s%s", (i > 1 ? "," : ""), v[i]
		printf "]}"
		sep = ",\n"
	}
	BEGIN {
		srand(seed)
		rand()
		printf "{\"schema\":\"vdso-clock/1\",\"environment\":{"
		printf "\"kernel\":\"%s\",\"accelerator\":\"%s\",", kernel,
			accel
		printf "\"cpus\":%d,\"clocksource\":\"%s\",", cpus, clock
		printf "\"cpu_model\":\"%s\"},\n\"metrics\":[\n", cpu
		for (i = 1; i <= n; i++)
			v[i] = i <= slow * n ? fault + 900 : \
				int(fault * (1 + walk * rand()))
		put("fault.vvar", "instructions", "true", v)
		if (accel != "tcg-icount") {
			off = 1 + boot * normal()
			for (i = 1; i <= n; i++)
				v[i] = round(gettime * off * around())
			put("gettime.MONOTONIC.vdso", "ns", "false", v)
			off = 1 + boot * normal()
			for (i = 1; i <= n; i++)
				v[i] = round(contend * off * around() * rare())
			put("contend.2M.vvar", "ns", "false", v)
		}
		print "]}"
	}' < /dev/null > "$file"
}

# broken FILE SED-SCRIPT: good.json with a change
broken()
{
	sed "$2" good.json > "$1"
	! cmp -s "$1" good.json || { echo "# $2 changes nothing"; exit 1; }
}

echo "TAP version 13"

got=0
vvar-compare-test > out 2> err || got=$?
grep -q '^1\.\.[1-9]' out || got=1
result $got "statistics against tables and R"

# --- verdicts --------------------------------------------------------------

make_json good.json seed=1
make_json good2.json seed=2
compare 0 '^0 worse, 0 better, ' "the same again: no change" \
	good.json good2.json
compare 0 'fault.vvar .* 0 \(\+0\.0%\) +exact .* no change' \
	"an equal exact counter" good.json good2.json
make_json exact.json seed=3 fault=943
compare 1 'fault.vvar .*\+1 \(\+0\.1%\).*WORSE' \
	"one instruction more" good.json exact.json
compare 0 'fault.vvar .*-1 .*better' \
	"one instruction less" exact.json good.json
compare 0 'fault.vvar .*no change' "a tolerance of one" \
	--tolerance 1 good.json exact.json
compare 0 'fault.vvar .*no change.*' "a tolerance of one in a hundred" \
	--tolerance 1% --metric fault.vvar good.json exact.json
make_json more.json seed=3 fault=952
compare 1 'fault.vvar .*\+10 .*WORSE' "... which ten of 942 are above" \
	--tolerance 1% --metric fault.vvar good.json more.json
make_json rare.json seed=4 slow=0.2
compare 1 'fault.vvar p90 .*WORSE' \
	"a slow path that one fault in five takes" good.json rare.json
# As fork and exit do: counted, but no two alike
make_json fork1.json seed=20 fault=165000 walk=0.01
make_json fork2.json seed=21 fault=166000 walk=0.01
make_json fork3.json seed=22 fault=190000 walk=0.01
compare 0 'fault.vvar .*\+0\.[4-8]%.*no change' \
	"counts that vary, and less than the threshold" fork1.json fork2.json
compare 1 'fault.vvar .*\+15\.[0-9]%.*WORSE' \
	"counts that vary, and more than it" fork1.json fork3.json
make_json slower.json seed=5 gettime=210
compare 1 'gettime.*\+1(09|10|11)\.[0-9]%.*<0\.0001.*WORSE' \
	"clock_gettime 110 % slower" good.json slower.json
compare 0 'gettime.*better' "clock_gettime 52 % faster" slower.json good.json
compare 0 'gettime.*no change' "110 % below a threshold of 120" \
	--threshold 120 good.json slower.json
make_json slightly.json seed=5 gettime=106
compare 0 'gettime.*<0\.0001.*too noisy: need 4 more' \
	"6 %, and one boot only: it could be the boot" good.json slightly.json
make_json good3.json seed=3
compare 1 'gettime.*WORSE' "6 %, where A/A runs show no such noise" \
	--aa good2.json --aa good3.json good.json slightly.json
make_json longtail.json seed=6 n=2000 tail=7
make_json tail.json seed=7 n=2000
compare 1 'contend.2M.vvar p99 .*WORSE' \
	"a longer tail, the median as before" tail.json longtail.json
compare 0 'contend.2M.vvar p50 .*no change' \
	"... of which the median says nothing" --metric 'gettime*' \
	--metric 'contend*' --metric 'fault*' longtail.json tail.json
make_json noisy.json seed=8 spread=0.6 n=40
make_json noisy2.json seed=9 spread=0.6 n=40
compare 0 'gettime.*too noisy: need [1-9][0-9]* more' "too noisy says so" \
	noisy.json noisy2.json
compare 4 'too noisy' "... and has a status of its own on request" --decided \
	noisy.json noisy2.json
compare 0 'gettime.*too noisy' "a change below the A/A noise is none" \
	--aa good.json --aa slightly.json --metric 'gettime*' \
	good2.json slightly.json
make_json boots1.json seed=10
make_json boots2.json seed=11 gettime=150
make_json boots3.json seed=12 gettime=150
make_json boots4.json seed=13 gettime=160
compare 0 'gettime.*too noisy' "boots that differ as much as the sides" \
	--metric 'gettime*' boots1.json boots2.json -- boots3.json boots4.json

# Of these metrics no change matters, and none is a test more
sed 's/gettime.MONOTONIC.vdso/overhead.call/' good.json > shown1.json
sed 's/gettime.MONOTONIC.vdso/overhead.call/' slower.json > shown2.json
compare 0 'overhead.call .*\+11[0-9].* not judged$' "what is shown only" \
	shown1.json shown2.json
compare 0 ' over 2 tests ' "... is no test" shown1.json shown2.json
compare 1 'overhead.call .*WORSE' "... but judged if asked for" \
	--metric overhead.call shown1.json shown2.json
compare 2 'nothing to judge: of overhead.call' "... by its name" \
	--metric 'over*' shown1.json shown2.json
sed 's/contend.2M.vvar/first.timestamp/' tail.json > first1.json
sed 's/contend.2M.vvar/first.timestamp/' longtail.json > first2.json
compare 1 'first.timestamp p99 .*WORSE' "a longer tail of the first timestamp" \
	first1.json first2.json

# --- the summary -----------------------------------------------------------

# Names that it knows, in place of those made here
claim()
{
	sed "s/fault.vvar/$1/" "$2"
}
for i in 1 2 3; do
	claim exec.fork_exit fork$i.json > claim$i.json
done
make_json fork4.json seed=23 fault=163000 walk=0.01
claim exec.fork_exit fork4.json > claim4.json
compare 0 'fork and exit .* 1\.01 .* same +noise 1%$' \
	"a hundredth more of what boots differ in is the same" \
	--summary claim1.json claim2.json
compare 1 'fork and exit .* 1\.15 .* WORSE +noise 1%$' "... and 15 are worse" \
	--summary claim1.json claim3.json
compare 0 'fork and exit .* 0\.99 .* same ' "a hundredth less is no gain" \
	--summary claim1.json claim4.json
compare 1 'a vvar page .* 942 +943 +1\.00 .* WORSE +exact$' \
	"one instruction more is worse" --summary good.json exact.json
claim fault.zero good.json > zero.json
make_json twice.json seed=24 fault=1903
compare 0 'zero page +2\.02 +1 +0\.50 +times +better +exact$' \
	"beside the zero page" --summary --metric 'fault.*' twice.json zero.json -- \
	good.json zero.json
compare 0 'contended, p50 .* 1\.00 .* same +noise 1[0-9][0-9]%$' \
	"times, of one boot" --summary good.json good2.json
compare 1 ' p99 .* WORSE ' "a longer tail" --summary tail.json longtail.json
compare 2 'nothing of what the summary' "nothing that it knows" \
	--summary shown1.json --metric 'overhead.*' shown2.json
make_json hpet0.json clock=hpet
compare 3 'not comparable' "two clocksources" --summary good.json hpet0.json
[ "$(vvar-compare --summary good.json good2.json | wc -l)" -le 12 ] && ok=0 || ok=1
result $ok "a dozen lines"

# --- neither fires on noise nor sleeps ----------------------------------------

# As in a comparison of two kernels: 50 metrics more that have not changed
i=0
while [ $i -lt 50 ]; do
	i=$((i + 1))
	grep gettime noisy.json | sed "s/MONOTONIC/$i/"
done > crowd
old='' new='' boots=0 missed=''
while [ $boots -lt 8 ]; do
	boots=$((boots + 1))
	make_json out seed=$((800 + boots)) boot=0.05 n=1000
	sed '/"metrics":/r crowd' out > "huge1.$boots.json"
	make_json out seed=$((900 + boots)) boot=0.05 n=1000 gettime=300 \
		tail=3000
	sed '/"metrics":/r crowd' out > "huge2.$boots.json"
	old="$old huge1.$boots.json" new="$new huge2.$boots.json"
	got=0
	# shellcheck disable=SC2086
	vvar-compare $old -- $new > out 2> err || got=$?
	[ "$got" = 1 ] && grep -q ' over 5[0-9] tests ' out &&
		grep -q 'gettime.MONOTONIC.*WORSE' out &&
		grep -q 'contend.2M.vvar p99.*WORSE' out ||
		missed="$missed $boots"
done
[ -z "$missed" ] || echo "# missed with boots:$missed"
result $((0${missed:+1})) \
	"three times slower, a tail of 1000 times: WORSE with 1 to 8 boots"

# pairs FILES A-TO-B [BOOT]: 20 comparisons of so many boots a side; counts
# those that found something
pairs()
{
	alarms=0 pair=0 died=0
	while [ $pair -lt 20 ]; do
		pair=$((pair + 1)) i=0 old='' new=''
		while [ $i -lt "$1" ]; do
			i=$((i + 1))
			make_json "a$i.json" seed=$((pair * 100 + i)) \
				boot="${3:-0.01}" spread=0.05
			make_json "b$i.json" seed=$((pair * 100 + 50 + i)) \
				boot="${3:-0.01}" spread=0.05 gettime="$2"
			old="$old a$i.json" new="$new b$i.json"
		done
		# $old and $new are lists of words
		# shellcheck disable=SC2086
		vvar-compare $old -- $new > out 2> err || [ $? = 1 ] || died=1
		alarms=$((alarms + $(grep -Ec 'WORSE|better$' out || :)))
	done
}

pairs 2 100
echo "# A/A, 2 boots a side: $alarms alarms of 20"
result $((died || alarms > 0)) "A/A: no alarm in 20 pairs of 2 boots"
pairs 6 100
echo "# A/A, 6 boots a side: $alarms alarms of 20"
result $((died || alarms > 0)) "A/A: no alarm in 20 pairs of 6 boots"
pairs 6 108
echo "# 8 % planted, 6 boots a side: $alarms found of 20"
result $((died || alarms < 19)) "8 % planted: found in 19 of 20 pairs at least"

pairs 6 100 0.03
echo "# A/A, boots that differ by 3 %: $alarms alarms of 20"
result $((died || alarms > 0)) "A/A: no alarm in 20 pairs of boots that differ"
pairs 6 130 0.03
echo "# 30 % planted, boots that differ by 3 %: $alarms found of 20"
result $((died || alarms < 19)) "30 % planted there: found in 19 of 20 pairs at least"

# --- not comparable ----------------------------------------------------------

for diff in accel=kvm cpus=4 clock=hpet cpu=other; do
	make_json other.json seed=2 $diff
	case $diff in
	accel*)	words='accelerator tcg and kvm' ;;
	cpus*)	words='2 and 4 CPUs' ;;
	clock*)	words='clocksource tsc and hpet' ;;
	*)	words="CPU model 'model' and 'other'" ;;
	esac
	compare 3 "not comparable: good.json and other.json: $words" \
		"$diff is another thing" good.json other.json
done

# --- input that is none --------------------------------------------------------

head -c 1000 good.json > cut.json
compare 2 'cut.json:[0-9]+:[0-9]+: not JSON' "cut short" good.json cut.json
: > empty.json
compare 2 'empty.json.*not JSON' "an empty file" good.json empty.json
compare 2 'none.json: No such file' "no file" good.json none.json
echo '[1]' > array.json
compare 2 'array.json: not a JSON object' "an array" array.json good.json
echo '{"schema":"other/2"}' > x.json
compare 2 "x.json: schema is 'other/2'" "another schema" good.json x.json
broken x.json 's/"accelerator":"tcg",//'
compare 2 'x.json: environment.accelerator is missing' \
	"no accelerator" good.json x.json
broken x.json 's/"cpus":2/"cpus":"two"/'
compare 2 'x.json: environment.cpus is not a number' "CPUs in words" \
	good.json x.json
for cpus in 0 2.5 1e300; do
	broken x.json "s/\"cpus\":2/\"cpus\":$cpus/"
	compare 2 'x.json: environment.cpus is .*, not a whole number' \
		"$cpus CPUs" good.json x.json
done
broken x.json 's/"samples":\[[^]]*\]/"samples":[]/; s/"n":300/"n":0/'
compare 2 'x.json: metrics\[0\] \(fault.vvar\).samples is empty' \
	"zero samples" good.json x.json
broken x.json 's/"samples":\[942/"samples":[NaN/'
compare 2 'x.json:[0-9]+:[0-9]+: not JSON.*NaN' "NaN" good.json x.json
broken x.json 's/"samples":\[942/"samples":[null/'
compare 2 'x.json: metrics\[0\] \(fault.vvar\).samples\[0\] is not a number' \
	"null for a sample" good.json x.json
broken x.json 's/"samples":\[942/"samples":[1e999/'
compare 2 'x.json:[0-9]+:[0-9]+: not JSON.*overflow' "infinity" \
	good.json x.json
broken x.json 's/"samples":\[942/"samples":[-1/'
compare 2 'x.json: .*samples\[0\] is -1, below zero' "a negative time" \
	good.json x.json
broken x.json 's/"p50":942/"p50":900/'
compare 2 'x.json: .*fault.vvar.*p50 is 900, its samples say 942' \
	"a median that the samples contradict" good.json x.json
broken x.json 's/"mean":942,//'
compare 2 'x.json: metrics\[0\] \(fault.vvar\).mean is missing' "no mean" \
	good.json x.json
broken x.json 's/"mean":942,/"mean":943,/'
compare 2 'x.json: .*fault.vvar.*mean is 943, its samples say 942' \
	"a mean that the samples contradict" good.json x.json
broken x.json 's/"n":300/"n":301/'
compare 2 'x.json: .*n is 301, but there are 300 samples' \
	"a sample lost" good.json x.json
broken x.json 's/"unit":"instructions"/"unit":"cycles"/'
compare 2 "x.json: fault.vvar has unit 'cycles', but 'instructions' in good" \
	"mixed units" good.json x.json
broken x.json 's/"exact":true/"exact":false/'
compare 2 'x.json: fault.vvar is statistical, but not in good' \
	"exact on one side only" good.json x.json
broken x.json 's/"better":"lower"/"better":"faster"/'
compare 2 "x.json: .*better is 'faster'" "an unknown direction" \
	good.json x.json
broken x.json 's/"name":"gettime.MONOTONIC.vdso"/"name":"fault.vvar"/
	s/"unit":"ns","exact":false/"unit":"instructions","exact":true/'
compare 2 'x.json: metric fault.vvar is there twice' "a metric twice" \
	good.json x.json
broken x.json 's/gettime.MONOTONIC.vdso/gettime.other/'
compare 2 'gettime.MONOTONIC.vdso is in good.json, but missing from new' \
	"a metric gone" good.json x.json
compare 0 'fault.vvar' "... unless it was not asked for" \
	--metric 'fault.*' good.json x.json
compare 2 'no metric matches' "a metric that nobody has" \
	--metric nonesuch good.json x.json
compare 2 'given twice' "a file twice on one side" \
	good.json good.json -- good2.json
compare 2 'no --' "three files and no separator" good.json good2.json x.json
compare 2 'no files' "no file at all"
compare 2 'alpha 2' "a significance above one" --alpha 2 good.json good2.json
compare 2 'tolerance 1x' "a number and a letter" --tolerance 1x \
	good.json good2.json
compare 2 'unrecognized option' "an unknown option" --nonesuch \
	good.json good2.json

# --- other output --------------------------------------------------------------

make_json icount.json seed=1 accel=tcg-icount cpus=1 fault=1994
make_json icount2.json seed=1 accel=tcg-icount cpus=1
compare 0 '^fault.vvar +1994 +942 +0\.47 +instructions, exact$' \
	"a table of two kinds of run" --table icount.json good.json -- \
	icount2.json good2.json
compare 0 '^gettime.MONOTONIC.vdso +- +[0-9.]+ +- ' "a dash for what is not there" \
	--table icount.json -- icount2.json good2.json
compare 0 'fault.vvar 942 .*limit <= 942: holds' "a limit that holds" \
	--limit '<= 942' --metric fault.vvar good.json
compare 1 'limit < 942: BROKEN' "a limit that is broken" \
	--limit '< 942' --metric fault.vvar good.json
compare 4 'too noisy' "a limit within the noise" --limit '<= 100' \
	--metric 'gettime*' noisy.json
compare 4 'too noisy: need 4 more' "a limit 30 % off, and one boot only" \
	--limit '<= 77' --metric 'gettime*' good.json
compare 4 'too noisy: need 4 more' "... either way" \
	--limit '<= 130' --metric 'gettime*' good.json
compare 1 'limit <= 40: BROKEN' "... far off" \
	--limit '<= 40' --metric 'gettime*' good.json
compare 0 'limit <= 250: holds' "... either way" \
	--limit '<= 250' --metric 'gettime*' good.json
for i in 1 2 3 4 5; do
	make_json limit$i.json seed=3$i boot=0.01
done
compare 1 'limit <= 77: BROKEN' "a limit 30 % off, and five boots" \
	--limit '<= 77' --metric 'gettime*' limit[1-5].json
compare 2 "not one of" "a limit without a number" --limit '<= fast' \
	--metric fault.vvar good.json
compare 2 "for one metric" "a limit for several metrics" --limit '<= 1' \
	good.json
compare 0 '^BenchmarkVdsoClock/fault.vvar 1 942 instructions$' \
	"benchstat's format" --benchstat good.json good2.json
result $(($(grep -c ^Benchmark out) != 1800)) "... has every sample"
grep '^BenchmarkVdsoClock/gettime' out > lines
result $(($(wc -l < lines) != 600 || $(grep -Ec ' 1 [0-9]+(\.[0-9]{1,3})? ns$' lines) != 600)) \
	"... as it was written"
compare 0 '^Unit instructions better=lower assume=exact$' \
	"a unit of which every metric is exact" --benchstat good.json good2.json
sed '/fault.vvar/p; s/fault.vvar/exec.fork_exit/' good.json > x.json
compare 0 '^Unit instructions better=lower assume=exact$' "... of two" \
	--benchstat x.json
grep fault.vvar fork1.json | sed 's/fault.vvar/exec.fork_exit/' > line
sed '/"metrics":/r line' good.json > x.json
compare 0 '^Unit instructions better=lower$' "a unit of which one varies" \
	--benchstat x.json
result "$(grep -c 'assume=exact' out)" "... is nowhere called exact"
sed 's/"name":"/&other./; s/"clocksource"/"note":"b",&/' good2.json > other.json
sed 's/"clocksource"/"note":"a",&/' good.json > first.json
vvar-compare --merge first.json other.json > merged.json 2> err
compare 0 "note	a; b$" "two runs as one result, run in two ways" \
	--env merged.json
vvar-compare --samples good.json > want
vvar-compare --samples merged.json | grep -v '	other\.' |
	sed 's/merged.json/good.json/' > out
ok=0
cmp want out > err && [ -s want ] || ok=1
result $ok "... with every sample of the first"
vvar-compare --samples merged.json | grep -c '	other\.' > out
result $(($(cat out) != $(wc -l < want) - 1)) "... and of the second"
compare 2 'fault.vvar is in good.json and in good2.json' \
	"not of metrics that both have" --merge good.json good2.json
vvar-compare --merge --metric 'fault*' first.json other.json > merged.json
vvar-compare --tsv merged.json | cut -f 2 > out
result $(($(sed 1d out | tr -d '\n' | grep -cx fault.vvar) != 1)) \
	"... of the metrics asked for only"
sed 's/6.12-test/6.13-test/' other.json > third.json
compare 2 'third.json: environment.kernel is not that of good.json' \
	"nor of two kernels" --merge good.json third.json

# --- recorded figures ----------------------------------------------------------

# As PARTS=icount scripts/bench leaves them, and as scripts/baseline records them
counts()
{
	make_json out accel=tcg-icount cpus=1 kernel="$2" fault="$3"
	sed "s/\"clocksource\"/\"compiler\":\"$4\",&/" out > "$1"
}

recorded()
{
	counts bench/stock-icount.json '6.12.1 #2' 2000 gcc-12
	counts bench/vvar-icount.json "$@"
	for side in stock vvar; do
		counts out2 '6.12.1 #2' 1085 gcc-12
		[ $side = stock ] || counts out2 "$1" 1085 "$3"
		sed 's/fault.vvar/fault.zero/' out2 > bench/$side-icount-fault.json
	done
}

# baseline STATUS WORDS WHAT
baseline()
{
	expect "$@" env RESULTS="$tmp/recorded" OUT="$tmp" KERNEL=6.12 \
		VVAR_COMPARE="$(command -v vvar-compare)" \
		"$top/scripts/baseline" check
}

mkdir bench recorded
recorded '6.12.1 #3' 1000 gcc-12
baseline 1 'no .*6.12-tcg-icount-stock.json.*make baseline' \
	"nothing recorded is no pass"
for side in stock vvar; do
	vvar-compare --merge bench/$side-icount-fault.json \
		bench/$side-icount.json > recorded/6.12-tcg-icount-$side.json
done
recorded '6.12.1 #4' 1000 gcc-12
baseline 0 '^4 passed, 0 failed$' "the recorded figures, another build"
recorded '6.12.1 #4' 1001 gcc-12
baseline 1 '^not ok vvar: fault.vvar .*WORSE' "one instruction above them"
baseline 1 '^3 passed, 1 failed$' "... is counted"
recorded '6.12.1 #4' 999 gcc-12
baseline 0 'make baseline' "one below: time to renew"
recorded '6.12.1 #4' 1050 gcc-13
baseline 0 'compiler: recorded gcc-12 , now gcc-13' \
	"another compiler, 5 %: said so, and allowed"
recorded '6.12.1 #4' 1120 gcc-13
baseline 1 '^not ok vvar: fault.vvar .*WORSE' "... 12 %: not allowed"
recorded '6.12.2 #4' 1050 gcc-12
baseline 0 'kernel: recorded 6.12.1 , now 6.12.2' "another version, 5 %"
sed 's/"tsc"/"hpet"/' bench/vvar-icount.json > out
cp out bench/vvar-icount.json
baseline 1 'cannot be compared' "another clocksource is no pass"

# --- the page ------------------------------------------------------------------

report()
{
	got=0
	VVAR_COMPARE=$(command -v vvar-compare) "$top/scripts/report" "$@" \
		> out 2> err || got=$?
}

if command -v gnuplot > /dev/null && command -v xmllint > /dev/null; then
	report -o page.html --history icount.json --history icount2.json \
		icount.json good.json -- icount2.json good2.json
	xmllint --noout page.html >> out 2>> err || got=1
	[ "$(grep -c '<svg' page.html)" -ge 3 ] || got=1
	result $got "a page, well-formed, with charts"
	got=0
	vvar-compare --tsv icount.json good.json -- icount2.json good2.json \
		> figures
	awk -F '\t' 'NR > 1 { print $2, $10, $12 }' figures > out
	while read -r name p50 p99; do
		grep "<td>$name</td>" page.html | grep ">$p50</td>" |
			grep -q ">$p99</td>" || got=1
	done < out
	[ -s out ] || got=1
	result $got "... has the numbers of the files"
	got=0
	grep -Eo '<script|(src|href)="[^"]*"|url\([^)]*\)|@import' page.html |
		grep -v 'url(#' > out && got=1
	result $got "... needs no scripts and no network"
	got=0
	for how in 'first.timestamp. <code>make bench' \
		   'hpet. <code>scripts/figures/hpet-figures --all' \
		   'pvclock. <code>scripts/figures/hpet-figures --all' \
		   'cache types. <code>make cachetypes'; do
		grep -q "<p>Not measured: .*$how</code>" page.html || got=1
	done
	make_json hpet.json clock=hpet
	report -o other.html good.json hpet.json -- good2.json
	! grep 'hpet. <code>' other.html > out || got=1
	grep -q 'Through the vdso, clocksource hpet' other.html || got=1
	result $got "... says how to measure what is missing, and only that"
	report -o other.html good.json -- cut.json
	result $(((got != 2) + $(grep -c 'cut.json.*not JSON' err) - 1)) \
		"... is refused for broken input"
	report -o other.html good.json
	result $((got != 2)) "... and with one side only"
else
	skipped report "no gnuplot or no xmllint"
fi

finish
