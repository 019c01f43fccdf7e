// SPDX-License-Identifier: GPL-2.0
/* The conformance test: a child's report, the areas of an image, pages of them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "conformance.h"

#define TEXT_MAX	0x100000UL

#ifdef __i386__
extern char int80[];
asm(".pushsection .text; int80: int $0x80; ret; .popsection");

/* libc's system calls go by the vDSO, which is taken to pieces here */
void leave_vdso(void)
{
	asm volatile("movl %0, %%gs:0x10" : : "r" (int80));
}

/* None but those of exec, which nobody has touched since */
static bool make_areas(struct areas *as, const struct image *image)
{
	return areas_find(as, 0);
}
#else
void leave_vdso(void)
{
}

static bool make_areas(struct areas *as, const struct image *image)
{
	return areas_renew(as, image->map);
}
#endif

/* What a child has to say, shared with it */
static struct report {
	size_t used;
	char text[TEXT_MAX];
} *report;

unsigned long lines;

bool start_report(void)
{
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return report != MAP_FAILED;
}

void say(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(report->text + report->used, TEXT_MAX - report->used,
		      fmt, ap);
	va_end(ap);
	if (n > 0 && report->used + n < TEXT_MAX)
		report->used += n;
}

/* Print the report, each line with @what before it but behind a mark */
void print_report(const char *image, const char *what)
{
	static const char * const marks[] = { "# ", "improvement: " };
	char *line, *rest = report->text;
	const char *mark;
	unsigned int i;

	report->text[report->used] = 0;
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		mark = "";
		for (i = 0; i < ARRAY_SIZE(marks); i++) {
			if (!strncmp(line, marks[i], strlen(marks[i]))) {
				mark = marks[i];
				line += strlen(mark);
			}
		}
		printf("%s%s %s: %s\n", mark, image, what, line);
		lines++;
	}
	report->used = 0;
}

void arm_child(void)
{
	/* Of virtual time: under -icount it leaps while the guest waits for a disk */
	alarm(600);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void say_death(int status)
{
	if (WIFSIGNALED(status))
		say("killed by %s\n", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		say("exit status %d\n", WEXITSTATUS(status));
}

struct areas as, layout;
bool native;

void renew(const struct image *image, bool touch)
{
	if (!make_areas(&as, image)) {
		say("no areas of the %s image: %s\n", image->name,
		    areas_outcome(-1));
		_exit(1);
	}
	native = image->native;
	if (touch)
		areas_touch(&as);
}

/*
 * Offset with nothing behind it, unless a vclock is in use. Where vclocks have an
 * area of their own, [vvar] has none.
 */
bool is_hole(const struct area *a, int page)
{
	return !a->text && (strcmp(a->name, "[vvar]") ||
			    (page && !areas_named(&as, "[vvar_vclock]")));
}

const char *mark_of(const struct area *a, int page)
{
	return is_hole(a, page) ? "improvement: " : "";
}

/* "[vvar]" for all of an area, "[vvar]+1" for a page of it */
const char *label(const struct area *a, int page)
{
	static char text[48];

	if (page < 0)
		snprintf(text, sizeof(text), "%s", a->name);
	else
		snprintf(text, sizeof(text), "%s+%d", a->name, page);
	return text;
}

void say_policies(void)
{
	FILE *maps = fopen("/proc/self/numa_maps", "r");
	unsigned long addr;
	char line[512];
	unsigned int i;

	if (!maps) {
		say(" numa_maps %s", areas_outcome(-1));
		return;
	}
	while (fgets(line, sizeof(line), maps)) {
		addr = strtoul(line, NULL, 16);
		line[strcspn(line, "\n")] = 0;
		for (i = 0; i < as.nr; i++) {
			if (addr == as.area[i].start)
				say(" %s%s;", as.area[i].name,
				    strchr(line, ' '));
		}
	}
	fclose(maps);
}

/* Whether others map the page too (bit 56) depends on fault-around */
void say_pagemap(unsigned long addr)
{
	uint64_t entry, pfn;

	if (!pagemap_entry(0, addr, &entry))
		_exit(1);
	entry &= ~(1ULL << 56);
	pfn = entry & ((1ULL << 55) - 1);
	if (!entry)
		say("nothing");
	else
		say("flags %#llx %s", (unsigned long long)(entry >> 55),
		    pfn ? "pfn" : "no pfn");
}

const char *access_outcome(unsigned long addr, bool store)
{
	int sig = areas_access(addr, store);

	return sig ? strsignal(sig) : "ok";
}

/* Whether there is @image, and the layout, for the loop over targets */
bool map_image(const struct image *image)
{
	pid_t pid = fork();
	struct areas *shared = (void *)report->text;

	if (!pid) {
		if (!make_areas(&as, image))
			_exit(1);
		memcpy(shared, &as, sizeof(as));
		_exit(0);
	}
	if (child_status(pid))
		return false;
	memcpy(&layout, shared, sizeof(layout));
	return true;
}
