// SPDX-License-Identifier: GPL-2.0
/*
 * Read what perf bench vdso-clock wrote (schema vdso-clock/1), and say what
 * changed between two kernels, and whether to believe it.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-compare.h"

const char **wanted;
size_t nr_wanted;
double tolerance, tolerance_share, threshold = 0.03, alpha = 0.01;
const char *side_name[SIDES] = { "old", "new", "A/A" };

static void usage(void)
{
	puts("usage: vvar-compare [OPTION...] OLD.json NEW.json\n"
	     "       vvar-compare [OPTION...] OLD.json... -- NEW.json...\n"
	     "       vvar-compare --table|--summary STOCK.json... -- PATCHED.json...\n"
	     "       vvar-compare --limit 'OP N' --metric NAME FILE.json...\n"
	     "       vvar-compare --benchstat|--tsv|--samples|--env FILE...\n"
	     "       vvar-compare --merge FILE.json...\n"
	     "\n"
	     "Says what changed from OLD to NEW, and whether to believe it.\n"
	     "\n"
	     "  --table          figures side by side, without verdicts\n"
	     "  --summary        what make bench is to prove, with verdicts, in a dozen lines\n"
	     "  --limit 'OP N'   does the median hold it? OP: <, <=, >, >=\n"
	     "  --benchstat      write what Go's benchstat reads\n"
	     "  --tsv            write figures, tab-separated\n"
	     "  --samples        write every sample, tab-separated\n"
	     "  --env            write the environments, tab-separated\n"
	     "  --merge          write runs of one kernel as one result\n"
	     "  --metric GLOB    only these metrics; may be given again\n"
	     "  --tolerance N    exact: so many counts are no change (0);\n"
	     "                   N%: such a share of the old one\n"
	     "  --threshold PCT  statistical: no smaller change counts (3)\n"
	     "  --alpha P        statistical: significance (0.01)\n"
	     "  --aa FILE        an A/A run: its differences are noise;\n"
	     "                   give at least two, of one kernel\n"
	     "  --names OLD,NEW  how to call the two sides\n"
	     "  --decided        exit 4, not 0, if something was too noisy\n"
	     "\n"
	     "Exit status: 0 no regression, 1 regression or a limit broken,\n"
	     "2 usage or unreadable input, 3 not comparable, 4 undecided\n"
	     "(with --decided or --limit).");
}

static double get_option(const char *name, const char *text, double above,
			 double below)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= above && v < below))
		die("--%s %s: not a number from %g to below %g", name, text,
		    above, below);
	return v;
}

static void set_tolerance(char *text)
{
	size_t n = strlen(text);

	if (n && text[n - 1] == '%') {
		text[n - 1] = 0;
		tolerance_share = get_option("tolerance", text, 0, 1000) / 100;
	} else {
		tolerance = get_option("tolerance", text, 0, 1e15);
	}
}

static void set_names(char *text)
{
	char *comma = strchr(text, ',');

	if (!comma || comma == text || !comma[1])
		die("--names %s: not OLD,NEW", text);
	*comma = 0;
	side_name[OLD] = text;
	side_name[NEW] = comma + 1;
}

int main(int argc, char **argv)
{
	enum { TABLE = 256, SUMMARY, LIMIT, BENCHSTAT, TSV, SAMPLES, ENV, MERGE, METRIC,
	       TOLERANCE, THRESHOLD, ALPHA, AA_FILE, NAMES, DECIDED };
	static const struct option options[] = {
		{ "table", no_argument, NULL, TABLE },
		{ "summary", no_argument, NULL, SUMMARY },
		{ "limit", required_argument, NULL, LIMIT },
		{ "benchstat", no_argument, NULL, BENCHSTAT },
		{ "tsv", no_argument, NULL, TSV },
		{ "samples", no_argument, NULL, SAMPLES },
		{ "env", no_argument, NULL, ENV },
		{ "merge", no_argument, NULL, MERGE },
		{ "metric", required_argument, NULL, METRIC },
		{ "tolerance", required_argument, NULL, TOLERANCE },
		{ "threshold", required_argument, NULL, THRESHOLD },
		{ "alpha", required_argument, NULL, ALPHA },
		{ "aa", required_argument, NULL, AA_FILE },
		{ "names", required_argument, NULL, NAMES },
		{ "decided", no_argument, NULL, DECIDED },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *limit = NULL;
	bool decided = false, two_sided, two;
	int mode = 0, split = 1, c, i, n;
	enum status status;

	files = xcalloc(argc, sizeof(*files));
	wanted = xcalloc(argc, sizeof(*wanted));

	/* getopt_long() would hide where the separator was */
	while (split < argc && strcmp(argv[split], "--"))
		split++;

	while ((c = getopt_long(split, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case LIMIT:
			limit = optarg;
			__attribute__((fallthrough));
		case TABLE:
		case SUMMARY:
		case BENCHSTAT:
		case TSV:
		case SAMPLES:
		case ENV:
		case MERGE:
			if (mode && mode != c)
				die("choose one way of output");
			mode = c;
			break;
		case METRIC:
			wanted[nr_wanted++] = optarg;
			break;
		case TOLERANCE:
			set_tolerance(optarg);
			break;
		case THRESHOLD:
			threshold = get_option("threshold", optarg, 0.1,
					       1000) / 100;
			break;
		case ALPHA:
			alpha = get_option("alpha", optarg, 0.000001, 0.5);
			break;
		case AA_FILE:
			add_file(optarg, AA);
			break;
		case NAMES:
			set_names(optarg);
			break;
		case DECIDED:
			decided = true;
			break;
		case 'h':
			usage();
			return 0;
		default:
			die("see --help");
		}
	}

	n = split - optind;
	two_sided = !mode || mode == TABLE || mode == SUMMARY;
	two = split == argc && n == 2 && two_sided;
	for (i = optind; i < split; i++)
		add_file(argv[i], two && i > optind ? NEW : OLD);
	for (i = split + 1; i < argc; i++)
		add_file(argv[i], NEW);
	if (!side_files(OLD))
		die("no files to read; see --help");
	if (two_sided && !side_files(NEW))
		die("%zu file(s), and no -- between OLD and NEW; see --help",
		    side_files(OLD));
	if ((mode == LIMIT || mode == MERGE) && side_files(NEW))
		die("--%s is for the files of one side",
		    mode == LIMIT ? "limit" : "merge");
	if (side_files(AA) == 1)
		die("--aa needs another one to compare this file with");

	read_files();
	if ((mode == TABLE || mode == SUMMARY) &&
	    !strcmp(side_name[OLD], "old")) {
		side_name[OLD] = "stock";
		side_name[NEW] = "patched";
	}
	switch (mode) {
	case TABLE:
		status = print_figures();
		break;
	case SUMMARY:
		status = print_summary();
		break;
	case LIMIT:
		status = check_limit(limit);
		break;
	case BENCHSTAT:
		status = print_benchstat();
		break;
	case TSV:
	case SAMPLES:
		status = print_tsv(mode == SAMPLES);
		break;
	case ENV:
		status = print_env();
		break;
	case MERGE:
		status = print_merged();
		break;
	default:
		status = compare();
		if (status == UNDECIDED && !decided)
			status = SAME;
	}
	if (fflush(stdout) || ferror(stdout))
		die("cannot write the output: %m");
	return status;
}
