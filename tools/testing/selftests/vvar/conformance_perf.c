// SPDX-License-Identifier: GPL-2.0
/* The conformance test: perf's mmap records of an exec of this program, and of an image. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <linux/perf_event.h>

#include "conformance.h"

#define RING_PAGES	64

static void say_record(const struct perf_event_header *eh)
{
	const char *body = (const char *)(eh + 1), *name;
	unsigned int maj = 0, min = 0, prot = 0, flags = 0, build_id = 0;
	uint64_t len, pgoff, ino = 0;

	if (eh->type != PERF_RECORD_MMAP && eh->type != PERF_RECORD_MMAP2)
		return;
	/* u32 pid, tid; u64 addr, len, pgoff */
	len = *(const uint64_t *)(body + 16);
	pgoff = *(const uint64_t *)(body + 24);
	name = body + 32;
	if (eh->type == PERF_RECORD_MMAP2) {
		/* u32 maj, min; u64 ino, gen; u32 prot, flags, or a build ID */
		build_id = !!(eh->misc & PERF_RECORD_MISC_MMAP_BUILD_ID);
		if (!build_id) {
			maj = *(const uint32_t *)(body + 32);
			min = *(const uint32_t *)(body + 36);
			ino = *(const uint64_t *)(body + 40);
		}
		prot = *(const uint32_t *)(body + 56);
		flags = *(const uint32_t *)(body + 60);
		name = body + 64;
	}
	say("MMAP%s misc %#x %llu pages pgoff %llu prot %#x flags %#x build id %u %s",
	    eh->type == PERF_RECORD_MMAP ? "" : "2",
	    eh->misc & ~PERF_RECORD_MISC_CPUMODE_MASK,
	    (unsigned long long)len / AREAS_PAGE,
	    /* of anonymous memory: its address */
	    !strncmp(name, "//", 2) || !strcmp(name, "[stack]") ||
	    !strcmp(name, "[heap]") ? 0ULL : (unsigned long long)pgoff, prot,
	    flags, build_id, name);
	if (name[0] == '/')
		say("\n");
	else
		say(" %u:%u %llu\n", maj, min, (unsigned long long)ino);
}

static bool observe_kind(const struct image *image, bool mmap2, bool build_id,
			 bool exec)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.disabled = 1,
		.mmap = 1,
		.mmap_data = 1,
		.mmap2 = mmap2,
		.build_id = build_id,
		.enable_on_exec = exec,
	};
	size_t size = (1 + RING_PAGES) * AREAS_PAGE;
	struct perf_event_mmap_page *ring;
	char what[64], *data, go = 0;
	uint64_t at;
	bool good;
	int fd, status, gate[2];
	pid_t pid;

	snprintf(what, sizeof(what), "perf %s%s%s", exec ? "exec" : "prctl",
		 mmap2 ? " mmap2" : "", build_id ? " build_id" : "");
	if (pipe(gate))
		return false;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		arm_child();
		if (read(gate[0], &go, 1) != 1)
			_exit(1);
		if (exec) {
			execl("/proc/self/exe", "conformance", "--exit", NULL);
			_exit(1);
		}
		renew(image, false);
		for (fd = 0; fd < (int)as.nr; fd++)
			mprotect((void *)as.area[fd].start, as.area[fd].end -
				 as.area[fd].start, PROT_READ);
		_exit(0);
	}
	fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd < 0) {
		say("perf_event_open = %s\n", areas_outcome(fd));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		print_report(image->name, what);
		return false;
	}
	ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!exec)
		ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
	if (ring == MAP_FAILED || write(gate[1], &go, 1) != 1) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return false;
	}
	waitpid(pid, &status, 0);
	say_death(status);
	data = (char *)ring + AREAS_PAGE;
	for (at = 0; at < ring->data_head;) {
		/* The ring is larger than all records: none wraps */
		const struct perf_event_header *eh = (void *)(data + at);

		if (!eh->size || at + eh->size > RING_PAGES * AREAS_PAGE)
			break;
		say_record(eh);
		at += eh->size;
	}
	if (at != ring->data_head)
		say("records lost: at %llu of %llu\n", (unsigned long long)at,
		    (unsigned long long)ring->data_head);
	good = !status && at && at == ring->data_head;
	munmap(ring, size);
	close(fd);
	close(gate[0]);
	close(gate[1]);
	print_report(image->name, what);
	return good;
}

bool observe_perf(const struct image *image)
{
	bool good = true;
	unsigned int i;

	for (i = 0; i < 8; i++)
		good &= observe_kind(image, i & 1, i & 2, i & 4);
	return good;
}
