// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of vvar areas (mm/vvar_fault.c): shape and faults; and what these and
 * the other suites (vvar_*_test.c) are made with.
 *
 * The faults are real ones, in an address space of the test's own that the
 * KUnit thread borrows (kthread_use_mm()) and that goes with the thread.
 */
#include <kunit/resource.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/uaccess.h>
#ifdef CONFIG_VDSO_DATASTORE
#include <linux/vdso_datastore.h>
#include <vdso/datapage.h>
#endif

#include <asm/vvar_fault.h>

#include "vvar_test.h"

/* --- for all suites -------------------------------------------------------- */

/* The test's mm; a page next to TEST_ADDR keeps its page table in place */
void vvt_attach_mm(struct kunit *test)
{
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, TEST_ADDR - PAGE_SIZE, 2 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, TEST_ADDR - PAGE_SIZE);
}

pmd_t *vvt_get_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud))
		return NULL;
	pmd = pmd_offset(pud, addr);
	return pmd_none(*pmd) ? NULL : pmd;
}

pte_t vvt_get_pte(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *pmd = vvt_get_pmd(mm, addr);
	pte_t *ptep, pte = VVT_PTE_NONE;

	if (!pmd)
		return pte;
	ptep = pte_offset_map(pmd, addr);
	if (!ptep)
		return pte;
	pte = ptep_get(ptep);
	pte_unmap(ptep);
	return pte;
}

struct vm_area_struct *vvt_map_area(struct kunit *test,
				    struct vvar_area *area,
				    unsigned long addr)
{
	struct vm_area_struct *vma;

	mmap_write_lock(current->mm);
	vma = vvar_area_map(current->mm, addr, area);
	mmap_write_unlock(current->mm);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(vma), "%pe", vma);
	return vma;
}

/* On this CPU, or on another: QEMU goes to the next one at PAUSE */
void vvt_others_turn(void)
{
	schedule();
	cpu_relax();
}

/*
 * A read fault as user mode takes it, under the VMA's read lock if there is one.
 * Those who @race get their turn in the middle of it.
 */
vm_fault_t vvt_user_fault(unsigned long addr, bool race)
{
	unsigned int flags = FAULT_FLAG_USER;
	struct vm_area_struct *vma;
	vm_fault_t ret;

#ifdef CONFIG_PER_VMA_LOCK
	vma = lock_vma_under_rcu(current->mm, addr);
	flags |= FAULT_FLAG_VMA_LOCK;
#else
	vma = vma_lookup(current->mm, addr);
#endif
	if (!vma)
		return VM_FAULT_SIGSEGV;
	if (race)
		vvt_others_turn();
	ret = handle_mm_fault(vma, addr, flags, NULL);
	/* Unless it was let go on the way */
	if ((flags & FAULT_FLAG_VMA_LOCK) &&
	    !(ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))
		vma_end_read(vma);
	return ret;
}

vm_fault_t vvt_fault(struct kunit *test, unsigned long addr)
{
	vm_fault_t ret;

	/* A kthread never faults without mmap_lock, and is held to it */
	mmap_read_lock(current->mm);
	ret = vvt_user_fault(addr, false);
	mmap_read_unlock(current->mm);
	if (ret & VM_FAULT_SIGSEGV)
		KUNIT_FAIL_AND_ABORT(test, "no VMA at %lx", addr);
	return ret;
}

/* As setup, for a page that is not there yet */
void vvt_touch(struct kunit *test, unsigned long addr)
{
	KUNIT_ASSERT_EQ_MSG(test, (__force u32)vvt_fault(test, addr),
			    (__force u32)VM_FAULT_NOPAGE,
			    "at %lx, PTE %016llx", addr,
			    (u64)pte_val(vvt_get_pte(current->mm, addr)));
}

bool vvt_readable(unsigned long addr)
{
	char c;

	return !copy_from_user(&c, (char __user *)addr, sizeof(c));
}

void vvt_expect_readable(struct kunit *test, unsigned long addr, bool wanted)
{
	bool is = vvt_readable(addr);

	KUNIT_EXPECT_EQ_MSG(test, is, wanted, "at %lx, PTE %016llx", addr,
			    (u64)pte_val(vvt_get_pte(current->mm, addr)));
}

/* How many VMAs the i_mmaps of an area's files have */
unsigned int vvt_count_linked(struct vvar_area *area)
{
	struct vvar_files *files = area->files;
	struct vm_area_struct *vma;
	unsigned int i, nr = 0;

	for (i = 0; i < files->nr; i++) {
		struct address_space *mapping = files->view[i].file->f_mapping;

		i_mmap_lock_read(mapping);
		mapping_rmap_tree_foreach(vma, mapping, 0, ULONG_MAX)
			nr++;
		i_mmap_unlock_read(mapping);
	}
	return nr;
}

/* Is it so many, now or within 10 s? Who has exited goes a little later */
bool vvt_linked_becomes(struct vvar_area *area, unsigned int nr)
{
	int tries = 500;

	while (vvt_count_linked(area) != nr && --tries)
		msleep(20);
	return tries;
}

/*
 * No area is ever taken back, but those of tests are. The mm goes with the
 * thread, later: what is mapped is unmapped here.
 */
void vvt_unregister_action(void *data)
{
	struct vvar_area *area = data;

	if (WARN_ON(!vvt_linked_becomes(area, 0)))
		return;
	vvar_files_free(area->files);
	area->files = NULL;
}

void vvt_free_page_action(void *page)
{
	__free_page(page);
}

void vvt_add_action(struct kunit *test, kunit_action_t *action, void *data)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, action, data), 0);
}

int vvt_set_slot(struct test_area *t, unsigned int slot, unsigned int page)
{
	return vvar_area_set_slot(&t->area, slot, page_to_pfn(t->page[page]),
				  vm_get_page_prot(VM_READ));
}

/* An area with a page of its own in every slot of @in_use */
struct test_area *vvt_make_area_timens(struct kunit *test,
				       unsigned int nr_slots,
				       unsigned long in_use,
				       int timens_slot)
{
	struct test_area *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->area.name = "[vvar_test]";
	t->area.vm_flags = AREA_FLAGS;
	t->area.nr_slots = nr_slots;
	t->area.timens_slot = timens_slot;
	KUNIT_ASSERT_EQ(test, vvar_area_register(&t->area), 0);

	for (i = 0; i < nr_slots; i++) {
		t->page[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL(test, t->page[i]);
		vvt_add_action(test, vvt_free_page_action, t->page[i]);
		if (in_use & BIT(i))
			KUNIT_ASSERT_EQ(test, vvt_set_slot(t, i, i), 0);
	}
	/* Last registered, first run: before the pages are freed */
	vvt_add_action(test, vvt_unregister_action, &t->area);
	vvt_attach_mm(test);
	return t;
}

struct test_area *vvt_make_area(struct kunit *test, unsigned int nr_slots,
				unsigned long in_use)
{
	return vvt_make_area_timens(test, nr_slots, in_use, -1);
}

/* Faults are to be seen, so nothing is published in front of them */
int vvt_no_populate(struct kunit *test)
{
	test->priv = (void *)(long)vvar_populate_on;
	vvar_populate_on = false;
	return 0;
}

void vvt_restore_populate(struct kunit *test)
{
	vvar_populate_on = test->priv;
}

/* --- areas ----------------------------------------------------------------- */

static void vvar_area_register_refuses_bad_shape(struct kunit *test)
{
	struct vvar_area area = {
		.name = "x", .vm_flags = AREA_FLAGS, .nr_slots = 1,
		.timens_slot = -1,
	};

	area.nr_slots = 0;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
	area.nr_slots = VVAR_MAX_SLOTS + 1;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
	area.nr_slots = 2;
	area.time_slot = 2;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
	area.time_slot = -1;
	area.timens_slot = 1;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
	area.timens_slot = -1;
	area.vm_flags = VM_DONTDUMP;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
	area.vm_flags = AREA_FLAGS;
	area.time_slot = 0;
	area.time_slot = 0;
	area.timens_slot = 2;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
	area.timens_slot = 1;
	area.name = NULL;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
}

static void vvar_area_set_slot_refuses_out_of_range(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 3, 0);

	KUNIT_EXPECT_EQ(test, vvt_set_slot(t, 3, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, -EINVAL, vvar_area_clear_slot(&t->area, 3));
}

static void vvar_area_set_slot_refuses_pfn_that_no_pte_holds(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, 0);
	pgprot_t prot = vm_get_page_prot(VM_READ);
	unsigned long pfn = 1;

	/* The lowest bit of those that get lost */
	while (pfn && pte_pfn(pfn_pte(pfn, prot)) == pfn)
		pfn <<= 1;
	if (!pfn)
		kunit_skip(test, "a PTE holds every unsigned long");
	KUNIT_EXPECT_EQ(test, -EINVAL,
			vvar_area_set_slot(&t->area, 0, pfn, prot));
	KUNIT_EXPECT_EQ(test, 0,
			vvar_area_set_slot(&t->area, 0, pfn - 1, prot));
	KUNIT_EXPECT_EQ(test, 0, vvar_area_clear_slot(&t->area, 0));
}

static void vvar_area_unused_slot_shows_tombstone(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, VVAR_MAX_SLOTS, 0);
	unsigned int i;

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	for (i = 0; i < VVAR_MAX_SLOTS; i++) {
		unsigned long addr = TEST_ADDR + PAGE_SIZE * (i + 1);
		pte_t pte;

		vvt_expect_readable(test, addr, true);
		pte = vvt_get_pte(current->mm, addr);
		KUNIT_EXPECT_EQ_MSG(test, pte_pfn(pte), TOMBSTONE_PFN,
				    "slot %u: PTE %016llx", i, (u64)pte_val(pte));
	}
}

static void vvar_area_cleared_slot_shows_tombstone(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0) | BIT(1));
	pte_t pte;

	KUNIT_EXPECT_EQ(test, vvar_area_clear_slot(&t->area, 1), 0);
	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	vvt_expect_readable(test, TEST_ADDR + 2 * PAGE_SIZE, true);
	pte = vvt_get_pte(current->mm, TEST_ADDR + 2 * PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);
}

#ifdef CONFIG_VDSO_DATASTORE
/* [vvar] itself, as exec maps it */
static void vvar_area_time_data_is_the_kernels_page(struct kunit *test)
{
	struct vm_area_struct *vma;
	unsigned long addr;
	pte_t pte;

	vvt_attach_mm(test);
	mmap_write_lock(current->mm);
	vma = vdso_install_vvar_mapping(current->mm, TEST_ADDR + PAGE_SIZE);
	mmap_write_unlock(current->mm);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(vma), "%pe", vma);
	for (addr = vma->vm_start; addr < vma->vm_end; addr += PAGE_SIZE) {
		vvt_expect_readable(test, addr, true);
		pte = vvt_get_pte(current->mm, addr);
		EXPECT_PTE(test, pte, vvt_special(pte));
		EXPECT_PTE(test, pte, !pte_write(pte));
		EXPECT_PTE(test, pte, !vvt_executable(pte));
		EXPECT_PTE(test, pte, arch_vvar_cache(pte) == VVAR_CACHE_WB);
	}
	if (!IS_ENABLED(CONFIG_GENERIC_GETTIMEOFDAY))
		return;
	pte = vvt_get_pte(current->mm,
			  vma->vm_start + PAGE_SIZE * VDSO_TIME_PAGE_OFFSET);
	EXPECT_PTE(test, pte, pte_pfn(pte) == PHYS_PFN(__pa(vdso_k_time_data)));
}
#endif

/* scripts/check/archs looks for it */
static int tell_variant(struct kunit_suite *suite)
{
	pr_info("vvar_area: %s, pages of %lu bytes\n",
		vvar_locked ? "locked" : "lock-free", PAGE_SIZE);
	return 0;
}

static struct kunit_case vvar_area_cases[] = {
#ifdef CONFIG_VDSO_DATASTORE
	KUNIT_CASE(vvar_area_time_data_is_the_kernels_page),
#endif
	KUNIT_CASE(vvar_area_register_refuses_bad_shape),
	KUNIT_CASE(vvar_area_set_slot_refuses_out_of_range),
	KUNIT_CASE(vvar_area_set_slot_refuses_pfn_that_no_pte_holds),
	KUNIT_CASE(vvar_area_unused_slot_shows_tombstone),
	KUNIT_CASE(vvar_area_cleared_slot_shows_tombstone),
	{}
};

static struct kunit_suite vvar_area_suite = {
	.name = "vvar_area",
	.suite_init = tell_variant,
	.init = vvt_no_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_area_cases,
};

/* --- faults ---------------------------------------------------------------- */

static void vvar_fault_first_touch_takes_no_retry(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, BIT(0));

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	EXPECT_FAULT(test, vvt_fault(test, TEST_ADDR + PAGE_SIZE), VM_FAULT_NOPAGE);
}

static void vvar_fault_pte_is_special_readonly_user_nx(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, BIT(0));
	pte_t pte;

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	vvt_touch(test, TEST_ADDR + PAGE_SIZE);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE);

	EXPECT_PTE(test, pte, pte_present(pte));
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
	EXPECT_PTE(test, pte, vvt_special(pte));
	EXPECT_PTE(test, pte, pte_young(pte));
	EXPECT_PTE(test, pte, !pte_write(pte));
	EXPECT_PTE(test, pte, !pte_dirty(pte));
	EXPECT_PTE(test, pte, vvt_pte_readable(pte));
	EXPECT_PTE(test, pte, !pte_access_permitted(pte, true));
	EXPECT_PTE(test, pte, !vvt_executable(pte));
	EXPECT_PTE(test, pte, arch_vvar_cache(pte) == VVAR_CACHE_WB);
}

/* Both variants (vvar.locked=) are held to this one, and so to each other */
static void vvar_fault_pte_is_what_vmf_insert_pfn_makes(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE, stock = addr + PMD_SIZE;
	struct vm_area_struct *vma;
	unsigned int i;

	vvt_map_area(test, &t->area, addr);
	vma = vvt_map_area(test, &t->area, stock);
	/* A page and a tombstone */
	for (i = 0; i < 2; i++, addr += PAGE_SIZE, stock += PAGE_SIZE) {
		pte_t pte, made;

		vvt_touch(test, addr);
		pte = vvt_get_pte(current->mm, addr);
		mmap_read_lock(current->mm);
		EXPECT_FAULT(test,
			     vmf_insert_pfn_prot(vma, stock, pte_pfn(pte),
						 vma->vm_page_prot),
			     VM_FAULT_NOPAGE);
		mmap_read_unlock(current->mm);
		/* But for the access flag, which some leave to the next fault */
		made = pte_mkyoung(vvt_get_pte(current->mm, stock));
		EXPECT_PTE(test, pte, pte_same(pte, made));
	}
}

static void vvar_fault_leaves_page_references_alone(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, BIT(0));
	s64 rss;

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	rss = percpu_counter_sum(&current->mm->rss_stat[MM_FILEPAGES]);
	vvt_touch(test, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, page_ref_count(t->page[0]), 1);
	KUNIT_EXPECT_FALSE(test, folio_mapped(page_folio(t->page[0])));
	KUNIT_EXPECT_EQ(test, rss,
			percpu_counter_sum(&current->mm->rss_stat[MM_FILEPAGES]));
}

static void vvar_fault_maps_slots_in_use_at_once(struct kunit *test)
{
	unsigned long in_use = BIT(0) | BIT(2) | BIT(5);
	struct test_area *t = vvt_make_area(test, 6, in_use);
	unsigned long touched = TEST_ADDR + PAGE_SIZE * 3;
	unsigned int i;

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	vvt_touch(test, touched);
	for (i = 0; i < 6; i++) {
		unsigned long addr = TEST_ADDR + PAGE_SIZE * (i + 1);
		pte_t pte = vvt_get_pte(current->mm, addr);

		if ((in_use & BIT(i)) && vvt_around(touched, addr))
			EXPECT_PTE(test, pte, pte_pfn(pte) ==
				   page_to_pfn(t->page[i]));
		else
			EXPECT_PTE(test, pte, pte_none(pte));
	}
}

static void vvar_fault_on_tombstone_maps_it_and_those_in_use(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 3, BIT(0));
	pte_t pte;

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	EXPECT_FAULT(test, vvt_fault(test, TEST_ADDR + PAGE_SIZE * 3), VM_FAULT_NOPAGE);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 3);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	if (vvt_around(TEST_ADDR + PAGE_SIZE * 3, TEST_ADDR + PAGE_SIZE))
		EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_none(pte));
}

static void vvar_fault_leaves_present_pte_alone(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 3, BIT(1));
	pte_t before, after;

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	vvt_touch(test, TEST_ADDR + PAGE_SIZE);
	before = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE);

	/* In use now; whoever saw the tombstone keeps it until a replace */
	atomic64_set(&t->area.slots[0], arch_vvar_word(page_to_pfn(t->page[0]),
						       vm_get_page_prot(VM_READ)));
	t->area.in_use |= BIT(0);
	/* A fault, as slot 2 is not there yet, and around it slot 0 */
	vvt_touch(test, TEST_ADDR + PAGE_SIZE * 3);
	after = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, after, pte_same(before, after));
}

static void vvar_fault_across_page_tables(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 4, 0xf);
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE - 2 * PAGE_SIZE;
	unsigned long last = addr + PAGE_SIZE, next = last + PAGE_SIZE;
	unsigned int i;

	/* Neither page table is there yet */
	vvt_map_area(test, &t->area, addr);
	EXPECT_FAULT(test, vvt_fault(test, last), VM_FAULT_NOPAGE);
	for (i = 0; i < 4; i++) {
		pte_t pte = vvt_get_pte(current->mm, addr + i * PAGE_SIZE);
		bool here = vvt_around(last, addr + i * PAGE_SIZE);

		EXPECT_PTE(test, pte, pte_none(pte) == !here);
	}
	EXPECT_FAULT(test, vvt_fault(test, next + PAGE_SIZE), VM_FAULT_NOPAGE);
	for (i = 0; i < 4; i++) {
		pte_t pte = vvt_get_pte(current->mm, addr + i * PAGE_SIZE);

		if (vvt_around(i < 2 ? last : next + PAGE_SIZE, addr + i * PAGE_SIZE))
			EXPECT_PTE(test, pte,
				   pte_pfn(pte) == page_to_pfn(t->page[i]));
	}
}

/* What ->fault does alone: fault_around_bytes=4096 never calls ->map_pages */
static void vvar_fault_alone_maps_one_slot(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, 0x3);
	struct vm_area_struct *vma;
	struct vm_fault vmf = { };
	pte_t pte;

	vma = vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	*(struct vm_area_struct **)&vmf.vma = vma;
	*(unsigned long *)&vmf.address = TEST_ADDR + PAGE_SIZE * 2;
	*(pgoff_t *)&vmf.pgoff = 1;
	KUNIT_ASSERT_TRUE(test, vvt_readable(TEST_ADDR));	/* the page table */
	vmf.pmd = vvt_get_pmd(current->mm, TEST_ADDR);
	KUNIT_ASSERT_NOT_NULL(test, vmf.pmd);

	mmap_read_lock(current->mm);
	EXPECT_FAULT(test, vma->vm_ops->fault(&vmf), VM_FAULT_NOPAGE);
	mmap_read_unlock(current->mm);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_none(pte));
}

static void vvar_fault_write_is_refused(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, BIT(0));

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	vvt_expect_readable(test, TEST_ADDR + PAGE_SIZE, true);
	KUNIT_EXPECT_EQ(test, put_user(1, (char __user *)TEST_ADDR + PAGE_SIZE),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, *(char *)page_address(t->page[0]), 0);
}

static void vvar_fault_split_is_refused(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0));

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vm_munmap(TEST_ADDR + PAGE_SIZE, PAGE_SIZE),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, vm_munmap(TEST_ADDR + PAGE_SIZE, 2 * PAGE_SIZE), 0);
	vvt_expect_readable(test, TEST_ADDR + PAGE_SIZE, false);
}

/* As under PAE: half of one that is stored meanwhile looks like a swap entry */
static void vvar_fault_pte_read_in_halves_is_stored_locked(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, vvar_locked || sizeof(pte_t) <= sizeof(long));
}

static struct kunit_case vvar_fault_cases[] = {
	KUNIT_CASE(vvar_fault_pte_read_in_halves_is_stored_locked),
	KUNIT_CASE(vvar_fault_first_touch_takes_no_retry),
	KUNIT_CASE(vvar_fault_pte_is_special_readonly_user_nx),
	KUNIT_CASE(vvar_fault_pte_is_what_vmf_insert_pfn_makes),
	KUNIT_CASE(vvar_fault_leaves_page_references_alone),
	KUNIT_CASE(vvar_fault_maps_slots_in_use_at_once),
	KUNIT_CASE(vvar_fault_on_tombstone_maps_it_and_those_in_use),
	KUNIT_CASE(vvar_fault_leaves_present_pte_alone),
	KUNIT_CASE(vvar_fault_across_page_tables),
	KUNIT_CASE(vvar_fault_alone_maps_one_slot),
	KUNIT_CASE(vvar_fault_write_is_refused),
	KUNIT_CASE(vvar_fault_split_is_refused),
	{}
};

static struct kunit_suite vvar_fault_suite = {
	.name = "vvar_fault",
	.init = vvt_no_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_fault_cases,
};

kunit_test_suites(&vvar_area_suite, &vvar_fault_suite);

MODULE_DESCRIPTION("KUnit tests of vvar areas");
MODULE_LICENSE("GPL");
