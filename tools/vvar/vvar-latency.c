// SPDX-License-Identifier: GPL-2.0
/* vvar-latency: how long first touches of vvar and vDSO take, from a trace */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-latency.h"

static const char usage[] =
"usage: vvar-latency TRACE.DAT [TRACE2.DAT] [--by area|page|path|comm|cpu]\n"
"                    [--all] [--top N] [--raw] [--json [--env NAME=VALUE]...]\n"
"                    [--svg FILE] [--outside BENCH.JSON]\n"
"       vvar-latency record [OPTIONS] -- COMMAND [ARG...]\n"
"       vvar-latency hist [SYSTEM/EVENT]\n"
"       vvar-latency locks\n"
"\n"
"How long each first touch of vvar and vDSO took, on patched and unpatched\n"
"kernels: from exception entry to the end of handle_mm_fault(), and if 'record'\n"
"could measure it, less what tracing adds, which is what user space sees\n"
"untraced. Two traces are printed side by side.\n"
"\n"
"  --by KEY      only the table by that key (default: all but cpu)\n"
"  --all         a row for all other user faults, too\n"
"  --top N       the N worst, with what ran before them and what they waited for\n"
"  --raw         do not take off what tracing adds\n"
"  --json        vdso-clock/1, for vvar-compare (one trace)\n"
"  --env N=V     in the environment of the JSON output, where the trace does not\n"
"                say it: kernel, accelerator, cpus, clocksource\n"
"  --svg FILE    draw the histogram\n"
"  --outside F   set beside what 'perf bench vdso-clock fault -f json' measured\n"
"                untraced in the same boot\n"
"\n"
"record runs COMMAND with the events set up, all of them in a buffer of its own,\n"
"and takes them down again whatever happens. See 'vvar-latency record --help'.\n"
"hist prints a histogram that the kernel keeps (default synthetic/vvar_latency).\n"
"locks prints what one first touch of vvar acquires (needs lockdep), with a ! where\n"
"it is neither RCU nor the VMA's read lock, and what page tables had of vvar then.\n";

static int cmd_report(int argc, char **argv)
{
	enum { OPT_BY = 256, OPT_ALL, OPT_TOP, OPT_JSON, OPT_SVG, OPT_OUT,
	       OPT_RAW, OPT_ENV };
	static const struct option options[] = {
		{ "by",		required_argument,	NULL, OPT_BY },
		{ "all",	no_argument,		NULL, OPT_ALL },
		{ "top",	required_argument,	NULL, OPT_TOP },
		{ "json",	no_argument,		NULL, OPT_JSON },
		{ "svg",	required_argument,	NULL, OPT_SVG },
		{ "outside",	required_argument,	NULL, OPT_OUT },
		{ "env",	required_argument,	NULL, OPT_ENV },
		{ "raw",	no_argument,		NULL, OPT_RAW },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	const char *svg = NULL, *outside = NULL, *env[MAX_ENV];
	struct trace t[2] = { };
	bool json = false, all = false, raw = false;
	unsigned int top = 0, nr_env = 0, n, i;
	enum group_by by = NR_BY;
	int opt, ret = 0;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case OPT_BY:
			for (by = 0; by < NR_BY; by++)
				if (!strcmp(by_names[by], optarg))
					break;
			if (by == NR_BY) {
				vvar_err("--by %s: not one of area, page, path, comm, cpu",
					 optarg);
				return 2;
			}
			break;
		case OPT_ALL:
			all = true;
			break;
		case OPT_TOP:
			top = parse_number(optarg, "--top", "number", 1000000);
			break;
		case OPT_JSON:
			json = true;
			break;
		case OPT_SVG:
			svg = optarg;
			break;
		case OPT_OUT:
			outside = optarg;
			break;
		case OPT_ENV:
			if (!env_valid(optarg, nr_env))
				return 2;
			env[nr_env++] = optarg;
			break;
		case OPT_RAW:
			raw = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return 2;
		}
	}
	n = argc - optind;
	if (n < 1 || n > 2 || (n == 2 && (json || outside))) {
		vvar_err("%u traces: %s", n, n == 2 ?
			 "--json and --outside are for one" :
			 "one or two are needed; see --help");
		return 2;
	}

	for (i = 0; i < n && !ret; i++)
		ret = trace_read(&t[i], argv[optind + i], top, all, raw);
	while (!ret && nr_env)
		trace_set_env(&t[0], env[--nr_env]);
	if (!ret && n == 2 && (strcmp(t[0].unit, t[1].unit) ||
			       !strcmp(t[0].unit, UNIT_UNKNOWN)))
		ret = vvar_err("%s is in %s, %s in %s: record both with the same --clock",
			       t[0].label, t[0].unit, t[1].label, t[1].unit);
	if (!ret)
		ret = json ? report_json(&t[0], by) :
			     report_text(t, n, by, top);
	if (!ret && svg)
		ret = report_svg(t, n, svg);
	if (!ret && outside)
		ret = report_outside(&t[0], outside);
	if (!ret && fflush(stdout))
		ret = vvar_err("writing: %s", strerror(errno));
	for (i = 0; i < n; i++)
		trace_free(&t[i]);
	return ret ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs(usage, stderr);
		return 2;
	}
	if (!strcmp(argv[1], "record"))
		return cmd_record(argc - 1, argv + 1);
	if (!strcmp(argv[1], "hist"))
		return cmd_hist(argc - 1, argv + 1);
	if (!strcmp(argv[1], "locks"))
		return cmd_locks(argc - 1, argv + 1);
	return cmd_report(argc, argv);
}
