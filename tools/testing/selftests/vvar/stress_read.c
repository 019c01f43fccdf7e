// SPDX-License-Identifier: GPL-2.0
/* The stress test: jobs that only read. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>

#include "../kselftest.h"
#include "areas.h"
#include "stress.h"

void job_read(void)
{
	unsigned int i = 0;

	while (!stopping()) {
		read_clock(vd.base);
		/* The others need the CPU too */
		if (++i % 64 == 0)
			sleep_ms(5);
	}
}

/* Map vDSO and vvar afresh in one place, and touch: no access may fail */
void job_touch(void)
{
	static const struct {
		int code, count;
	} images[] = {
		{ AREAS_MAP_64, C_MAP64 },
		{ AREAS_MAP_32, C_MAP32 },
		{ AREAS_MAP_X32, C_MAPX32 },
	};
	unsigned long base = vd.base;
	bool missing[ARRAY_SIZE(images)] = { };
	unsigned int i, n = 0;
	long ret;

	munmap((void *)base, vd.len);
	/* Images differ in length: a hole that any of them fits into */
	base = (unsigned long)mmap(NULL, 2 * vd.len, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap((void *)base, 2 * vd.len);
	while (!stopping()) {
		i = n++ % 8;		/* mostly the 64-bit one */
		if (i >= ARRAY_SIZE(images) || missing[i])
			i = 0;
		ret = syscall(SYS_arch_prctl, images[i].code, base);
		if (ret < 0) {
			if (errno == ENOMEM)
				continue;
			snprintf(sh->skip[images[i].count],
				 sizeof(sh->skip[0]), "arch_prctl: %s",
				 strerror(errno));
			missing[i] = true;
			if (i)
				continue;
			skip(TOUCH, "no ARCH_MAP_VDSO_64");
			skip(KTOUCH, "no ARCH_MAP_VDSO_64");
			return;
		}
		add(images[i].count, 1);
		/* The images differ in length, not in what lies before */
		if (n & 1 && !touch_kernel(base))
			wrong("write(2) from vvar: %s", strerror(errno));
		touch_all(base);
		if (i == 0)
			read_clock(base);
		munmap((void *)base, vd.text + ret);
	}
}
