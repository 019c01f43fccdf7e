// SPDX-License-Identifier: GPL-2.0
/*
 * A worker of io_uring's is the first to touch vvar, in a time namespace: it
 * reads what the process would, the namespace's page, and that is what the
 * process has mapped afterwards. Takes vvar.populate=0.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <sched.h>

#include "clocksource.h"
#include "ring.h"

/* <asm/vvar.h>: struct vdso_data, of which the second word is the clock mode */
#define CLOCK_MODE	(128 / sizeof(int) + 1)
#define MODE_TIMENS	INT_MAX

static struct result {
	long written;		/* or -1 and error */
	int error;
	bool was_mapped, is_mapped, same, own;
} *result;

/* In the namespace. Nothing here asks libc for the time */
static void child(unsigned long vvar)
{
	static char bytes[AREAS_PAGE];
	struct io_uring_params p = { 0 };
	int fd = syscall(SYS_io_uring_setup, 4, &p);
	int file = memfd_create("io_worker", 0);
	unsigned long long pte;

	result->was_mapped = areas_pte(0, vvar);
	result->written = fd < 0 || file < 0 ? -1 :
			  ring_one(fd, &p, IORING_OP_WRITE, IOSQE_ASYNC, file,
				   (void *)vvar, AREAS_PAGE);
	result->error = errno;
	pte = areas_pte(0, vvar);
	result->is_mapped = pte && pte != AREAS_NO_PTE;
	if (pread(file, bytes, sizeof(bytes), 0) != sizeof(bytes))
		_exit(1);
	/* It doesn't change, as the other's would */
	result->own = ((int *)bytes)[CLOCK_MODE] == MODE_TIMENS;
	result->same = !memcmp(bytes, (void *)vvar, sizeof(bytes));
	_exit(0);
}

int main(void)
{
	char populate[8] = "";
	struct areas as;
	int status;
	pid_t pid;

	ksft_print_header();
	if (!clocksource_line("/sys/module/vvar/parameters/populate", populate,
			      sizeof(populate)))
		ksft_exit_skip("no parameters of vvar: no kernel that this is for\n");
	if (populate[0] != 'N')
		ksft_exit_skip("vvar.populate=1: no page is left to be touched first\n");
	if (!areas_find(&as, 0) || strcmp(as.area[0].name, "[vvar]"))
		ksft_exit_skip("no [vvar] in /proc/self/maps\n");
	if (areas_pte(0, as.area[0].start) == AREAS_NO_PTE)
		ksft_exit_skip("no debugfs or no CONFIG_VVAR_DEBUGFS: no vvar/pte\n");
	if (unshare(CLONE_NEWTIME))
		ksft_exit_skip("no time namespace: %s\n", strerror(errno));
	if (!put_text("/proc/self/timens_offsets", "monotonic 1000 0\n"))
		ksft_exit_fail_msg("timens_offsets: %s\n", strerror(errno));
	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (result == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	ksft_set_plan(4);
	pid = fork();
	if (!pid)
		child(as.area[0].start);
	status = child_status(pid);
	if (status)
		ksft_exit_fail_msg("the process ended with status %#x\n", status);
	ksft_test_result(result->written == AREAS_PAGE,
			 "a worker has written the page: %s\n",
			 result->written < 0 ? strerror(result->error) : "all");
	ksft_test_result(!result->was_mapped && result->is_mapped,
			 "it was the first to touch it: mapped %d before, %d after\n",
			 result->was_mapped, result->is_mapped);
	ksft_test_result(result->own, "it read the namespace's page\n");
	ksft_test_result(result->same, "which the process sees, too\n");
	ksft_finished();
}
