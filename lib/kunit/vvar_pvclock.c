// SPDX-License-Identifier: GPL-2.0
/*
 * A clocksource that keeps a pvclock page as a hypervisor would, so that the
 * vDSO has one to read under emulation. Low rating: somebody has to choose it,
 * by /sys/devices/system/clocksource/clocksource0/current_clocksource.
 */
#include <linux/clocksource.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/time64.h>

#include <asm/pvclock.h>
#include <asm/tsc.h>

static struct pvclock_vsyscall_time_info *page;

static u64 kunit_pvclock_read(struct clocksource *cs)
{
	return pvclock_clocksource_read_nowd(&page->pvti);
}

static int kunit_pvclock_enable(struct clocksource *cs)
{
	vclocks_set_used(VDSO_CLOCKMODE_PVCLOCK);
	return 0;
}

static struct clocksource kunit_pvclock = {
	.name = "kunit-pvclock",
	.rating = 20,
	.read = kunit_pvclock_read,
	.enable = kunit_pvclock_enable,
	.mask = CLOCKSOURCE_MASK(64),
	.flags = CLOCK_SOURCE_IS_CONTINUOUS,
	.vdso_clock_mode = VDSO_CLOCKMODE_PVCLOCK,
};

static int __init kunit_pvclock_init(void)
{
	struct pvclock_vcpu_time_info *pvti;
	u64 scaled;

	/* The hypervisor's own is better */
	if (pvclock_get_pvti_cpu0_va() || !boot_cpu_has(X86_FEATURE_TSC) ||
	    !tsc_khz)
		return 0;

	page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;

	/* ns = (tsc << shift) * mul >> 32, mul as large as fits */
	pvti = &page->pvti;
	scaled = div_u64((u64)NSEC_PER_MSEC << 32, tsc_khz);
	while (scaled >> 32) {
		scaled >>= 1;
		pvti->tsc_shift++;
	}
	pvti->tsc_to_system_mul = scaled;
	pvti->tsc_timestamp = rdtsc_ordered();
	pvti->system_time = ktime_get_ns();
	pvti->flags = PVCLOCK_TSC_STABLE_BIT;
	pvti->version = 2;

	pvclock_set_pvti_cpu0_va(page);
	return clocksource_register_hz(&kunit_pvclock, NSEC_PER_SEC);
}
late_initcall(kunit_pvclock_init);
