// SPDX-License-Identifier: GPL-2.0
/*
 * The HPET as the vDSO's clock, which takes vdso_hpet=1 on the kernel's command
 * line: clock_gettime() makes no system call, agrees with it, does not run
 * back, and the registers leave every process when the clocksource changes. They
 * have a mapping of their own, [vvar_hpet], which moves no other. Without
 * vdso_hpet=1, clocksource hpet means system calls, there is no such mapping, and
 * no process ever has the registers.
 *
 * A switch has done it all when the write to current_clocksource returns.
 *
 *   hpet [SECONDS]	how long to compare vDSO and system call (default 5)
 *   hpet --wrap	until the counter's low 32 bits have wrapped, which by
 *			/dev/mem they are brought close to, where there is one
 *
 * Switches the clocksource: meant for a guest. Built for 64 bits, x32 and 32
 * bits.
 */
#define _GNU_SOURCE
#include "clocksource.h"

#define READERS		4
#define HPET_PERIOD	4	/* femtoseconds, high half of the first register */
#define HPET_CONFIG	0x10
#define HPET_COUNTER	0xf0
/* The frame's address in a PTE, which the registers are one of */
#define PTE_ADDRESS	0x000ffffffffff000ULL
/* How long before its wrap the counter is started */
#define WRAP_SECONDS	5
/* Of [vvar], as stock has it */
#define VVAR_PAGES	4

static struct areas as;
static unsigned long long registers;
static bool wanted;

/* --- vDSO against system call ------------------------------------------- */

static uint32_t hpet_read(unsigned long page, unsigned int reg)
{
	return *(volatile uint32_t *)(page + reg);
}

/*
 * By several processes at once: read_hpet() hands a value on to others that
 * wait for one. Without vdso_hpet=1 by one: a guest in which all CPUs do
 * nothing but read_hpet() can stall for minutes. @page: of the counter whose
 * wraps to count and return, or 0.
 */
static unsigned int test_agree(double seconds, unsigned long page)
{
	uint32_t was = page ? hpet_read(page, HPET_COUNTER) : 0, now;
	int64_t end = clock_syscall(CLOCK_MONOTONIC) + seconds * NSEC;
	struct bracket (*b)[NR_CLOCKS];
	unsigned int i, n, reader, readers = wanted ? READERS : 1, wraps = 0;
	pid_t pid[READERS];
	int status;

	b = mmap(NULL, READERS * sizeof(*b), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	for (reader = 1; reader < readers; reader++) {
		pid[reader] = fork();
		if (pid[reader] < 0)
			ksft_exit_fail_msg("fork: %s\n", strerror(errno));
		if (!pid[reader])
			break;
	}
	reader %= readers;

	do {
		for (n = 0; n < 100; n++) {
			for (i = 0; i < NR_CLOCKS; i++)
				bracket_read(&b[reader][i], clock_names[i].id);
		}
		if (page) {
			now = hpet_read(page, HPET_COUNTER);
			wraps += now < was;
			was = now;
		}
	} while (clock_syscall(CLOCK_MONOTONIC) < end);
	if (reader)
		_exit(0);

	for (reader = 1; reader < readers; reader++) {
		status = child_status(pid[reader]);
		if (status)
			ksft_exit_fail_msg("reader %u died: status %#x\n",
					   reader, status);
	}
	for (i = 0; i < NR_CLOCKS; i++) {
		struct bracket sum = b[0][i];

		for (reader = 1; reader < readers; reader++)
			bracket_add(&sum, &b[reader][i]);
		bracket_report(&sum, clock_names[i].name);
	}
	if (page)
		ksft_print_msg("the counter has wrapped %u time(s)\n", wraps);
	return wraps;
}

/*
 * Start the counter a little before its low half wraps. Not while it is the
 * clocksource.
 */
static void approach_wrap(void)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	volatile uint32_t *reg = MAP_FAILED;
	uint32_t config;

	if (fd >= 0)
		reg = mmap64(NULL, AREAS_PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, registers);
	if (reg == MAP_FAILED) {
		ksft_print_msg("cannot map the HPET by /dev/mem, so wait for the wrap: %s\n",
			       strerror(errno));
		return;
	}
	config = reg[HPET_CONFIG / 4];
	reg[HPET_CONFIG / 4] = config & ~1U;
	reg[HPET_COUNTER / 4] = -(uint32_t)(WRAP_SECONDS * 1e15 /
					    reg[HPET_PERIOD / 4]);
	reg[HPET_CONFIG / 4] = config;
	munmap((void *)reg, AREAS_PAGE);
	close(fd);
}

/* Seconds until the counter has wrapped, and a little more */
static double until_wrap(unsigned long page)
{
	double tick = hpet_read(page, HPET_PERIOD) / 1e15;
	double left = (4294967296.0 - hpet_read(page, HPET_COUNTER)) * tick;

	ksft_print_msg("the counter runs at %.1f MHz and wraps in %.1f s\n",
		       1 / (1e6 * tick), left);
	return left + 2;
}

/* --- the registers in processes ----------------------------------------- */

/* Somebody else's registers don't count the time */
static void test_registers(unsigned long page)
{
	double tick = hpet_read(page, HPET_PERIOD) / 1e6;
	int64_t t0 = clock_syscall(CLOCK_MONOTONIC_RAW), t1;
	uint32_t c0 = hpet_read(page, HPET_COUNTER), c1;
	double ns;

	usleep(100000);
	c1 = hpet_read(page, HPET_COUNTER);
	t1 = clock_syscall(CLOCK_MONOTONIC_RAW);
	ns = (uint32_t)(c1 - c0) * tick;
	/* The system calls enclose the counter's reads */
	ksft_test_result(ns > (t1 - t0) * 0.5 && ns <= (t1 - t0) + 2 * tick,
			 "the page has a counter: %.0f ns of %lld ns, by its period of %.3f ns\n",
			 ns, (long long)(t1 - t0), tick);
}

/* How often the HPET's page is reserved; -1 for a kernel without the list */
static int reservations(void)
{
	FILE *f = fopen("/sys/kernel/debug/x86/pat_memtype_list", "r");
	unsigned long long start;
	char line[256];
	int n = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, "PAT: [mem %llx", &start) == 1 &&
		     start == registers;
	fclose(f);
	return n;
}

struct sleeper {
	pid_t pid;
	int hold;
};

/* A process that touches its areas and sleeps until sleeper_end() */
static bool sleeper_start(struct sleeper *s)
{
	int hold[2], ready[2];
	char c;

	if (pipe(hold) || pipe(ready))
		return false;
	s->pid = fork();
	if (!s->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(hold[1]);
		areas_touch(&as);
		close(ready[1]);
		if (read(hold[0], &c, 1))
			_exit(1);
		/* It can still tell the time, and has nothing to die of */
		areas_touch(&as);
		_exit(clock_vdso(CLOCK_MONOTONIC) < 0);
	}
	close(hold[0]);
	close(ready[1]);
	s->hold = hold[1];
	/* Its end of that is the last */
	return s->pid > 0 && !read(ready[0], &c, 1) && !close(ready[0]);
}

/* Where it has the registers mapped, looked up from outside */
static unsigned long sleeper_io_page(const struct sleeper *s)
{
	unsigned long addr, found = 0;
	unsigned long long pte;
	unsigned int i;

	for (i = 0; i < as.nr; i++) {
		for (addr = as.area[i].start; addr < as.area[i].end;
		     addr += AREAS_PAGE) {
			pte = areas_pte(s->pid, addr);
			if (pte == AREAS_NO_PTE)
				ksft_exit_fail_msg("no PTE of process %d: %s\n",
						   s->pid, strerror(errno));
			if ((pte & PTE_ADDRESS) == registers)
				found = addr;
		}
	}
	return found;
}

static int sleeper_end(struct sleeper *s)
{
	close(s->hold);
	return child_status(s->pid);
}

static void test_taken_back(const char *other, unsigned long page, int before)
{
	int status, held = reservations();
	struct sleeper s;
	unsigned long slept, mine;

	if (!sleeper_start(&s))
		ksft_exit_fail_msg("cannot make a process: %s\n",
				   strerror(errno));
	slept = sleeper_io_page(&s);
	areas_touch(&as);
	ksft_test_result(areas_io_page(&as) == page && slept == page,
			 "registers at %#lx here and, seen from outside, in a process that sleeps\n",
			 page);
	/* Out of everybody's sight while it does */
	if (!clocksource_switch(other))
		ksft_exit_fail_msg("cannot switch to clocksource %s\n", other);
	mine = areas_io_page(&as);
	slept = sleeper_io_page(&s);
	ksft_test_result(!mine, "clocksource %s: the registers have left this process\n",
			 other);
	ksft_test_result(!slept, "clocksource %s: the registers have left the sleeping process\n",
			 other);
	status = sleeper_end(&s);
	ksft_test_result(!status, "woken, it reads its areas and the time: status %#x\n",
			 status);
	areas_touch(&as);
	ksft_test_result(!areas_io_page(&as) && !areas_access(page, false) &&
			 !hpet_read(page, HPET_PERIOD) &&
			 !hpet_read(page, HPET_COUNTER),
			 "a touch where they were finds zeros\n");
	if (before < 0) {
		ksft_test_result_skip("memtype list: not there, no PAT\n");
		return;
	}
	status = reservations();
	ksft_test_result(held == before + 1 && status == before,
			 "memtype list has the registers %d times before, %d with clocksource hpet, %d after\n",
			 before, held, status);
}

static void test_without(void)
{
	struct sleeper s;
	unsigned long addr;

	clocks_report_calls("without vdso_hpet=1", CLOCK_CALLS, CLOCK_CALLS);
	if (!sleeper_start(&s))
		ksft_exit_fail_msg("cannot make a process: %s\n",
				   strerror(errno));
	areas_touch(&as);
	addr = sleeper_io_page(&s);
	ksft_test_result(!areas_io_page(&as) && !addr,
			 "without vdso_hpet=1: no process has registers\n");
	ksft_test_result(!sleeper_end(&s), "a sleeping process wakes\n");
}

/* The time data lies where it does without us, whatever else is mapped */
static void test_layout(void)
{
	const struct area *vvar = areas_named(&as, "[vvar]");
	const struct area *text = areas_named(&as, "[vdso]");
	const struct area *hpet = areas_named(&as, "[vvar_hpet]");
	/* Of 7.3: two pages that were among [vvar]'s */
	const struct area *vclock = areas_named(&as, "[vvar_vclock]");

	ksft_test_result(vvar && text && area_pages(vvar) == VVAR_PAGES &&
			 (vclock ? vvar->end == vclock->start &&
				   vclock->end == text->start :
				   vvar->end == text->start) &&
			 as.nr == 2 + !!vclock + wanted,
			 "[vvar] is %d pages in front of %s\n", VVAR_PAGES,
			 vclock ? "[vvar_vclock] and [vdso]" : "[vdso]");
	if (wanted)
		ksft_test_result(hpet && vvar && area_pages(hpet) == 1 &&
				 hpet->end == vvar->start,
				 "[vvar_hpet] is one page in front of [vvar]\n");
	else
		ksft_test_result(!hpet, "there is no [vvar_hpet]\n");
}

static unsigned long long find_registers(void)
{
	unsigned long long start = 0;
	char line[256];
	FILE *f = fopen("/proc/iomem", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, " : HPET "))
			sscanf(line, "%llx", &start);
	}
	if (f)
		fclose(f);
	return start;
}

int main(int argc, char **argv)
{
	const char *other = NULL, *others[] = { "tsc", "kunit-pvclock",
						"kvm-clock", "acpi_pm" };
	const struct area *hpet;
	unsigned long page = 0;
	double seconds = 5;
	bool wrap = false, booted;
	unsigned int i;
	int before;
	char *end;

	if (argc == 2 && !strcmp(argv[1], "--wrap")) {
		wrap = true;
	} else if (argc == 2) {
		seconds = strtod(argv[1], &end);
		if (end == argv[1] || *end || !(seconds > 0 && seconds < 1e6)) {
			fprintf(stderr, "hpet: '%s': not a number of seconds\n",
				argv[1]);
			return 2;
		}
	} else if (argc > 2) {
		fprintf(stderr, "usage: hpet [SECONDS|--wrap]\n");
		return 2;
	}

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("not root: clocksources and pagemap are root's\n");
	if (!areas_find(&as, 0))
		ksft_exit_skip("no [vvar] and [vdso] in /proc/self/maps\n");
	if (access("/sys/module/vvar/parameters/populate", R_OK))
		ksft_exit_skip("no parameters of vvar: no kernel that this is for\n");
	if (!clocksource_available("hpet"))
		ksft_exit_skip("no clocksource hpet\n");
	registers = find_registers();
	if (!registers)
		ksft_exit_skip("no HPET in /proc/iomem\n");
	if (areas_io_page(&as) == AREAS_UNKNOWN)
		ksft_exit_skip("no debugfs or no CONFIG_PTDUMP_DEBUGFS: no page_tables\n");
	if (areas_pte(0, as.area[0].start) == AREAS_NO_PTE)
		ksft_exit_skip("no debugfs or no CONFIG_VVAR_DEBUGFS: no vvar/pte\n");
	clocksource_settle();
	for (i = 0; i < ARRAY_SIZE(others) && !other; i++) {
		if (clocksource_available(others[i]))
			other = others[i];
	}
	if (!other)
		ksft_exit_skip("no clocksource but hpet\n");
	if (!clocksource_keep())
		ksft_exit_fail_msg("cannot write " CLOCKSOURCE "current_clocksource: %s\n",
				   strerror(errno));
	wanted = cmdline_wants_hpet();
	if (wrap && !wanted)
		ksft_exit_skip("--wrap without vdso_hpet=1 on the kernel's command line\n");

	ksft_print_msg("HPET at %#llx, vdso_hpet=%d, other clocksource %s\n",
		       registers, wanted, other);
	booted = wanted && clocksource_is("hpet");
	ksft_set_plan(NR_CLOCKS * (2 + booted) + (wanted ? 10 + wrap : 4));
	test_layout();
	if (booted)
		clocks_report_calls("clocksource hpet since boot", 0, 0);
	/* Not already in use, for what is reserved without it */
	if (!clocksource_switch(other))
		ksft_exit_fail_msg("cannot switch to clocksource %s\n", other);
	if (wrap)
		approach_wrap();
	before = reservations();
	if (!clocksource_switch("hpet"))
		ksft_exit_fail_msg("cannot switch to clocksource hpet\n");

	if (wanted) {
		areas_touch(&as);
		page = areas_io_page(&as);
		hpet = areas_named(&as, "[vvar_hpet]");
		ksft_test_result(page && hpet && page == hpet->start,
				 "clocksource hpet: its registers are in [vvar_hpet]\n");
		if (!page)
			ksft_exit_fail_msg("nothing more to see without them\n");
		test_registers(page);
		clocks_report_calls("clocksource hpet", 0, 0);
	}
	if (wrap)
		ksft_test_result(test_agree(until_wrap(page), page),
				 "the counter's low half has wrapped\n");
	else
		test_agree(seconds, page);
	if (wanted)
		test_taken_back(other, page, before);
	else
		test_without();
	ksft_finished();
}
