// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of cache types (arch/x86/kernel/vvar_pat.c). */
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/string_choices.h>
#include <linux/vdso_datastore.h>

#include <asm/apicdef.h>
#include <asm/hpet.h>
#include <asm/memtype.h>
#include <asm/mtrr.h>
#include <asm/pvclock.h>
#include <asm/vvar_fault.h>
#include <clocksource/hyperv_timer.h>

#include "../../arch/x86/mm/pat/memtype.h"
#include "vvar_test_x86.h"

enum pat_kind { PAT_RAM, PAT_PVCLOCK, PAT_HPET, PAT_RESERVED };

struct pat_param {
	enum pat_kind kind;
	enum page_cache_mode want;
};

static const struct pat_param pat_params[] = {
	{ PAT_RAM, _PAGE_CACHE_MODE_WB },
	{ PAT_RAM, _PAGE_CACHE_MODE_WC },
	{ PAT_RAM, _PAGE_CACHE_MODE_UC_MINUS },
	{ PAT_RAM, _PAGE_CACHE_MODE_UC },
	{ PAT_RAM, _PAGE_CACHE_MODE_WT },
	{ PAT_RAM, _PAGE_CACHE_MODE_WP },
	{ PAT_PVCLOCK, _PAGE_CACHE_MODE_WB },
	{ PAT_PVCLOCK, _PAGE_CACHE_MODE_WC },
	{ PAT_PVCLOCK, _PAGE_CACHE_MODE_UC_MINUS },
	{ PAT_PVCLOCK, _PAGE_CACHE_MODE_UC },
	{ PAT_PVCLOCK, _PAGE_CACHE_MODE_WT },
	{ PAT_PVCLOCK, _PAGE_CACHE_MODE_WP },
	{ PAT_HPET, _PAGE_CACHE_MODE_WB },
	{ PAT_HPET, _PAGE_CACHE_MODE_WC },
	{ PAT_HPET, _PAGE_CACHE_MODE_UC_MINUS },
	{ PAT_HPET, _PAGE_CACHE_MODE_UC },
	{ PAT_HPET, _PAGE_CACHE_MODE_WT },
	{ PAT_HPET, _PAGE_CACHE_MODE_WP },
	{ PAT_RESERVED, _PAGE_CACHE_MODE_WB },
	{ PAT_RESERVED, _PAGE_CACHE_MODE_WC },
	{ PAT_RESERVED, _PAGE_CACHE_MODE_UC_MINUS },
	{ PAT_RESERVED, _PAGE_CACHE_MODE_UC },
	{ PAT_RESERVED, _PAGE_CACHE_MODE_WT },
	{ PAT_RESERVED, _PAGE_CACHE_MODE_WP },
};

static void pat_param_name(const struct pat_param *param, char *desc)
{
	static const char * const kind[] = {
		"RAM", "pvclock", "HPET", "reserved"
	};

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s as %s", kind[param->kind],
		 cattr_name(param->want));
}

KUNIT_ARRAY_PARAM(pat, pat_params, pat_param_name);

/* The memtype list, as debugfs shows it: how many, and a sum of what they are */
struct memtypes vvt_get_memtypes(void)
{
	struct memtypes list = { };
#if IS_ENABLED(CONFIG_X86_PAT) && IS_ENABLED(CONFIG_DEBUG_FS)
	struct memtype entry;

	/* 0: there is such an entry. Nobody else reserves now */
	while (!memtype_copy_nth_element(&entry, list.nr + 1)) {
		list.nr++;
		list.sum = list.sum * 31 + entry.start + entry.end + entry.type;
	}
#endif
	return list;
}

void vvt_expect_memtypes(struct kunit *test, struct memtypes before)
{
	struct memtypes now = vvt_get_memtypes();

	KUNIT_EXPECT_EQ_MSG(test, now.nr, before.nr, "memtype entries");
	KUNIT_EXPECT_EQ_MSG(test, now.sum, before.sum, "what is in them");
}

static void release_region_action(void *data)
{
	struct resource *res = data;

	release_mem_region(res->start, resource_size(res));
}

static void clear_slots_action(void *data)
{
	struct vvar_area *area = data;
	unsigned int i;

	for (i = 0; i < area->nr_slots; i++)
		vvar_pat_clear_slot(area, i);
}

/* Two slots, and whatever they hold is let go at the end */
struct test_area *vvt_make_pat_area(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, 0);

	vvt_add_action(test, clear_slots_action, &t->area);
	return t;
}

/*
 * Physical address space where nothing is: some page between IO-APIC and local
 * APIC. It is mapped, but never read.
 */
unsigned long vvt_reserve_pfn(struct kunit *test)
{
	unsigned long start = IO_APIC_DEFAULT_PHYS_BASE + PAGE_SIZE;
	struct resource *res = NULL;

	for (; !res && start < APIC_DEFAULT_PHYS_BASE; start += PAGE_SIZE)
		res = request_mem_region(start, PAGE_SIZE, "vvar_test");
	KUNIT_ASSERT_NOT_NULL(test, res);
	vvt_add_action(test, release_region_action, res);
	return PHYS_PFN(res->start);
}

static unsigned long pat_pfn(struct kunit *test, struct test_area *t,
			     enum pat_kind kind)
{
	switch (kind) {
	case PAT_RAM:
	case PAT_PVCLOCK:
		return page_to_pfn(t->page[0]);
	case PAT_HPET:
		if (!hpet_address || !IS_ALIGNED(hpet_address, PAGE_SIZE))
			kunit_skip(test, "no page-aligned HPET");
		return PHYS_PFN(hpet_address);
	default:
		return vvt_reserve_pfn(test);
	}
}

static bool pat_is_ram(const struct pat_param *param)
{
	return param->kind == PAT_RAM || param->kind == PAT_PVCLOCK;
}

/* Slot 0; a hypervisor's page is RAM that it shares */
static int pat_set_slot(struct test_area *t, const struct pat_param *param,
			unsigned long pfn, unsigned int flags,
			enum page_cache_mode *got)
{
	if (param->kind == PAT_PVCLOCK)
		flags |= VVAR_PAT_DECRYPTED;
	return vvar_pat_set_slot(&t->area, 0, pfn, param->want, flags, got);
}

/* The type that the page has for whoever wants this one */
static enum page_cache_mode pat_held(const struct pat_param *param,
				     unsigned long pfn)
{
	u8 uniform;

	if (pat_is_ram(param))
		return _PAGE_CACHE_MODE_WB;
	/* Without PAT, nobody keeps a list */
	if (!pat_enabled())
		return param->want;
	if (param->kind == PAT_HPET)
		return _PAGE_CACHE_MODE_UC_MINUS;
	if (param->want == _PAGE_CACHE_MODE_WB &&
	    mtrr_type_lookup(PFN_PHYS(pfn), PFN_PHYS(pfn + 1), &uniform) !=
	    MTRR_TYPE_WRBACK)
		return _PAGE_CACHE_MODE_UC_MINUS;
	return param->want;
}

static bool pat_may_substitute(enum page_cache_mode want,
			       enum page_cache_mode held)
{
	switch (want) {
	case _PAGE_CACHE_MODE_UC:
	case _PAGE_CACHE_MODE_UC_MINUS:
	case _PAGE_CACHE_MODE_WC:
		return held != _PAGE_CACHE_MODE_WB;
	case _PAGE_CACHE_MODE_WT:
		return held != _PAGE_CACHE_MODE_WB &&
		       held != _PAGE_CACHE_MODE_WC;
	default:
		return true;
	}
}

static void vvar_pat_grants_the_type_or_refuses(struct kunit *test)
{
	const struct pat_param *param = test->param_value;
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long pfn = pat_pfn(test, t, param->kind);
	bool granted = pat_held(param, pfn) == param->want;
	u64 word = atomic64_read(&t->area.slots[0]);
	enum page_cache_mode got = -1;

	KUNIT_EXPECT_EQ(test, granted ? 0 : -EBUSY,
			pat_set_slot(t, param, pfn, 0, &got));
	if (granted)
		KUNIT_EXPECT_EQ(test, got, param->want);
	else
		KUNIT_EXPECT_EQ(test, word, atomic64_read(&t->area.slots[0]));
}

static void vvar_pat_tells_the_substitute(struct kunit *test)
{
	const struct pat_param *param = test->param_value;
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long pfn = pat_pfn(test, t, param->kind);
	enum page_cache_mode got = -1, held = pat_held(param, pfn);
	bool granted = pat_may_substitute(param->want, held);

	KUNIT_EXPECT_EQ(test, granted ? 0 : -EBUSY,
			pat_set_slot(t, param, pfn, VVAR_PAT_SUBSTITUTE, &got));
	if (granted)
		KUNIT_EXPECT_EQ(test, got, held);
}

static void vvar_pat_pte_has_the_type_granted(struct kunit *test)
{
	const struct pat_param *param = test->param_value;
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long pfn = pat_pfn(test, t, param->kind);
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	enum page_cache_mode got;
	bool granted;
	pte_t pte;

	granted = !pat_set_slot(t, param, pfn, VVAR_PAT_SUBSTITUTE, &got);
	if (!granted) {
		pfn = TOMBSTONE_PFN;
		got = _PAGE_CACHE_MODE_WB;
	}

	vvt_map_area(test, &t->area, addr);
	EXPECT_FAULT(test, vvt_fault(test, addr), VM_FAULT_NOPAGE);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == pfn);
	EXPECT_PTE(test, pte, (pte_flags(pte) & _PAGE_CACHE_MASK) ==
		   cachemode2protval(got));
	EXPECT_PTE(test, pte, pte_special(pte));
	EXPECT_PTE(test, pte, !pte_write(pte));
	EXPECT_PTE(test, pte, !vvt_executable(pte));
	EXPECT_PTE(test, pte, pte_val(pte) ==
		   (granted && param->kind != PAT_RAM ?
		    cc_mkdec(pte_val(pte)) : cc_mkenc(pte_val(pte))));
	if (granted && pat_enabled() && !pat_is_ram(param)) {
		struct memtype *entry = memtype_lookup(PFN_PHYS(pfn));

		KUNIT_ASSERT_NOT_NULL(test, entry);
		KUNIT_EXPECT_EQ(test, entry->type, got);
	}
}

static void vvar_pat_reserves_until_cleared(struct kunit *test)
{
	const struct pat_param *param = test->param_value;
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long pfn = pat_pfn(test, t, param->kind);
	struct memtypes before = vvt_get_memtypes();
	bool reserves = pat_enabled() && !pat_is_ram(param);

	if (pat_set_slot(t, param, pfn, VVAR_PAT_SUBSTITUTE, NULL)) {
		vvt_expect_memtypes(test, before);
		return;
	}
	KUNIT_EXPECT_EQ(test, vvt_get_memtypes().nr, before.nr + reserves);
	KUNIT_EXPECT_EQ(test, vvar_pat_clear_slot(&t->area, 0), 0);
	vvt_expect_memtypes(test, before);
}

static void vvar_pat_slot_changes_only_if_granted(struct kunit *test)
{
	const struct pat_param *param = test->param_value;
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long pfn = pat_pfn(test, t, param->kind);
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct memtypes before;
	pte_t pte;

	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, page_to_pfn(t->page[1]),
					  _PAGE_CACHE_MODE_WB, 0, NULL));
	vvt_map_area(test, &t->area, addr);
	vvt_touch(test, addr);
	before = vvt_get_memtypes();
	if (!pat_set_slot(t, param, pfn, 0, NULL)) {
		pte = vvt_get_pte(current->mm, addr);
		EXPECT_PTE(test, pte, pte_none(pte));
		return;
	}
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
	vvt_expect_memtypes(test, before);
}

/* An area with device memory as WC in slot 0 */
static struct test_area *make_held_area(struct kunit *test, unsigned long *pfn)
{
	struct test_area *t = vvt_make_pat_area(test);

	if (!pat_enabled())
		kunit_skip(test, "without PAT, nobody keeps a list");
	*pfn = vvt_reserve_pfn(test);
	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, *pfn,
					  _PAGE_CACHE_MODE_WC, 0, NULL));
	return t;
}

static void vvar_pat_conflicting_reservation_is_refused(struct kunit *test)
{
	unsigned long pfn;
	struct test_area *t = make_held_area(test, &pfn);

	KUNIT_EXPECT_EQ(test, -EBUSY,
			vvar_pat_set_slot(&t->area, 1, pfn,
					  _PAGE_CACHE_MODE_UC, 0, NULL));
}

static void vvar_pat_conflicting_reservation_is_shared(struct kunit *test)
{
	unsigned long pfn;
	struct test_area *t = make_held_area(test, &pfn);
	enum page_cache_mode got = -1;

	KUNIT_EXPECT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 1, pfn, _PAGE_CACHE_MODE_UC,
					  VVAR_PAT_SUBSTITUTE, &got));
	KUNIT_EXPECT_EQ(test, got, _PAGE_CACHE_MODE_WC);
}

static void vvar_pat_held_page_keeps_its_type_until_cleared(struct kunit *test)
{
	unsigned long pfn;
	struct test_area *t = make_held_area(test, &pfn);

	KUNIT_EXPECT_EQ(test, -EBUSY,
			vvar_pat_set_slot(&t->area, 0, pfn,
					  _PAGE_CACHE_MODE_UC, 0, NULL));
	KUNIT_EXPECT_EQ(test, vvar_pat_clear_slot(&t->area, 0), 0);
	KUNIT_EXPECT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, pfn,
					  _PAGE_CACHE_MODE_UC, 0, NULL));
}

static void vvar_pat_released_page_takes_another_type(struct kunit *test)
{
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long pfn = vvt_reserve_pfn(test);
	enum page_cache_mode got = -1;

	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, pfn,
					  _PAGE_CACHE_MODE_WC, 0, NULL));
	KUNIT_ASSERT_EQ(test, vvar_pat_clear_slot(&t->area, 0), 0);
	KUNIT_EXPECT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 1, pfn, _PAGE_CACHE_MODE_UC,
					  0, &got));
	KUNIT_EXPECT_EQ(test, got, _PAGE_CACHE_MODE_UC);
}

static void vvar_pat_two_slots_hold_a_page_twice(struct kunit *test)
{
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long pfn = vvt_reserve_pfn(test);
	struct memtypes before = vvt_get_memtypes();

	if (!pat_enabled())
		kunit_skip(test, "without PAT, nobody keeps a list");
	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, pfn,
					  _PAGE_CACHE_MODE_WC, 0, NULL));
	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 1, pfn,
					  _PAGE_CACHE_MODE_WC, 0, NULL));
	KUNIT_EXPECT_EQ(test, vvar_pat_clear_slot(&t->area, 0), 0);
	KUNIT_EXPECT_NOT_NULL(test, memtype_lookup(PFN_PHYS(pfn)));
	KUNIT_EXPECT_EQ(test, vvar_pat_clear_slot(&t->area, 1), 0);
	vvt_expect_memtypes(test, before);
}

static void vvar_pat_replacing_a_page_releases_it(struct kunit *test)
{
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long pfn = vvt_reserve_pfn(test);
	struct memtypes before = vvt_get_memtypes();

	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, pfn,
					  _PAGE_CACHE_MODE_UC, 0, NULL));
	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, page_to_pfn(t->page[0]),
					  _PAGE_CACHE_MODE_WB, 0, NULL));
	vvt_expect_memtypes(test, before);
}

static void vvar_pat_slot_out_of_range_is_refused(struct kunit *test)
{
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long pfn = vvt_reserve_pfn(test);
	struct memtypes before = vvt_get_memtypes();

	KUNIT_EXPECT_EQ(test, -EINVAL,
			vvar_pat_set_slot(&t->area, 2, pfn,
					  _PAGE_CACHE_MODE_UC, 0, NULL));
	KUNIT_EXPECT_EQ(test, vvar_pat_clear_slot(&t->area, 2), -EINVAL);
	vvt_expect_memtypes(test, before);
}

static void vvar_pat_page_beyond_the_cpus_reach_is_refused(struct kunit *test)
{
	struct test_area *t = vvt_make_pat_area(test);
	unsigned int bits = boot_cpu_data.x86_phys_bits;
	struct memtypes before = vvt_get_memtypes();

	if (!IS_ENABLED(CONFIG_PHYS_ADDR_T_64BIT))
		bits = min(bits, 32);
	if (bits - PAGE_SHIFT >= BITS_PER_LONG)
		kunit_skip(test, "%u bits: the CPU reaches every page", bits);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			vvar_pat_set_slot(&t->area, 0,
					  1UL << (bits - PAGE_SHIFT),
					  _PAGE_CACHE_MODE_UC, 0, NULL));
	vvt_expect_memtypes(test, before);
}

static void vvar_pat_decrypted_page_says_so(struct kunit *test)
{
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	pte_t pte;

	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, page_to_pfn(t->page[0]),
					  _PAGE_CACHE_MODE_WB,
					  VVAR_PAT_DECRYPTED, NULL));
	vvt_map_area(test, &t->area, addr);
	vvt_touch(test, addr);
	pte = vvt_get_pte(current->mm, addr);
	/* SME sets a bit for "encrypted", TDX one for "shared", most neither */
	EXPECT_PTE(test, pte, pte_val(pte) == cc_mkdec(pte_val(pte)));
}

/* Can fail with SME alone: there PAGE_READONLY is not protection_map[]'s */
static void vvar_pat_ram_is_as_encrypted_as_all_ram(struct kunit *test)
{
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long addr = TEST_ADDR + PAGE_SIZE, real = addr + PMD_SIZE;
	unsigned int i;
	pte_t pte;

	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, page_to_pfn(t->page[0]),
					  _PAGE_CACHE_MODE_WB, 0, NULL));
	vvt_map_area(test, &t->area, addr);
	/* A page and a tombstone */
	for (i = 0; i < 2; i++) {
		vvt_touch(test, addr + i * PAGE_SIZE);
		pte = vvt_get_pte(current->mm, addr + i * PAGE_SIZE);
		EXPECT_PTE(test, pte, pte_val(pte) == cc_mkenc(pte_val(pte)));
	}
	vvt_map_area(test, &vdso_vvar_area, real);
	vvt_touch(test, real);
	pte = vvt_get_pte(current->mm, real);
	EXPECT_PTE(test, pte, pte_val(pte) == cc_mkenc(pte_val(pte)));
}

static void vvar_pat_reservation_without_memory_leaves_the_slot_alone(struct kunit *test)
{
	struct test_area *t = vvt_make_pat_area(test);
	unsigned long pfn = vvt_reserve_pfn(test);
	u64 word = atomic64_read(&t->area.slots[0]);
	struct memtypes before = vvt_get_memtypes();
	struct fail_call *f;
	unsigned int i;

	/* Ours, and the memtype code's behind it */
	for (i = 0; i < 1 + pat_enabled(); i++) {
		f = vvt_fail_nth(test, "__kmalloc_cache_noprof", i, 0);
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				vvar_pat_set_slot(&t->area, 0, pfn,
						  _PAGE_CACHE_MODE_UC, 0,
						  NULL));
		KUNIT_EXPECT_EQ(test, f->failed, 1);
		KUNIT_EXPECT_EQ(test, atomic64_read(&t->area.slots[0]), word);
		vvt_expect_memtypes(test, before);
		kunit_release_action(test, vvt_fail_end, f);
	}
	KUNIT_EXPECT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, pfn, _PAGE_CACHE_MODE_UC,
					  0, NULL));
}

static struct kunit_case vvar_pat_cases[] = {
	KUNIT_CASE(vvar_pat_reservation_without_memory_leaves_the_slot_alone),
	KUNIT_CASE_PARAM(vvar_pat_grants_the_type_or_refuses, pat_gen_params),
	KUNIT_CASE_PARAM(vvar_pat_tells_the_substitute, pat_gen_params),
	KUNIT_CASE_PARAM(vvar_pat_pte_has_the_type_granted, pat_gen_params),
	KUNIT_CASE_PARAM(vvar_pat_reserves_until_cleared, pat_gen_params),
	KUNIT_CASE_PARAM(vvar_pat_slot_changes_only_if_granted, pat_gen_params),
	KUNIT_CASE(vvar_pat_conflicting_reservation_is_refused),
	KUNIT_CASE(vvar_pat_conflicting_reservation_is_shared),
	KUNIT_CASE(vvar_pat_held_page_keeps_its_type_until_cleared),
	KUNIT_CASE(vvar_pat_released_page_takes_another_type),
	KUNIT_CASE(vvar_pat_two_slots_hold_a_page_twice),
	KUNIT_CASE(vvar_pat_replacing_a_page_releases_it),
	KUNIT_CASE(vvar_pat_slot_out_of_range_is_refused),
	KUNIT_CASE(vvar_pat_page_beyond_the_cpus_reach_is_refused),
	KUNIT_CASE(vvar_pat_decrypted_page_says_so),
	KUNIT_CASE(vvar_pat_ram_is_as_encrypted_as_all_ram),
	{}
};

/* scripts/check/kunit-matrix looks whether it is the machine that was asked for */
static int tell_machine(struct kunit_suite *suite)
{
	pr_info("vvar_test: %d-level page tables, PAT %s, %u CPUs\n",
		CONFIG_PGTABLE_LEVELS - (CONFIG_PGTABLE_LEVELS == 5 &&
					 !pgtable_l5_enabled()),
		str_on_off(pat_enabled()), num_online_cpus());
	return 0;
}

static struct kunit_suite vvar_pat_suite = {
	.name = "vvar_pat",
	.suite_init = tell_machine,
	.init = vvt_no_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_pat_cases,
};

kunit_test_suite(vvar_pat_suite);

MODULE_DESCRIPTION("KUnit tests of the cache types of vvar slots");
MODULE_LICENSE("GPL");
