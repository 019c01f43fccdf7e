// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of vvar areas (mm/vvar_fault.c) and of x86's [vvar].
 *
 * The faults are real ones, in an address space of the test's own that the
 * KUnit thread borrows (kthread_use_mm()) and that goes with the thread.
 */
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/clocksource.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/ioport.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mman.h>
#include <linux/nsproxy.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string_choices.h>
#include <linux/time_namespace.h>
#include <linux/uaccess.h>
#include <linux/uprobes.h>
#include <linux/vdso_datastore.h>
#include <linux/vvar_fault.h>
#include <vdso/datapage.h>

#include <asm/apicdef.h>
#include <asm/hpet.h>
#include <asm/memtype.h>
#include <asm/mtrr.h>
#include <asm/pvclock.h>
#include <asm/vdso.h>
#include <asm/vdso/vsyscall.h>
#include <asm/vvar_fault.h>
#include <clocksource/hyperv_timer.h>

#include "../../arch/x86/mm/pat/memtype.h"
#include "../../kernel/rcu/rcu.h"
#include "../../mm/vvar.h"

#ifndef CONFIG_HPET_TIMER
#define hpet_address	0UL
#endif

/* Far from anything that mmap would choose, at the start of a page table */
#define TEST_ADDR	(64UL * PMD_SIZE)

/* The image of programs with pointers as long as the kernel's */
#ifdef CONFIG_X86_64
#define native_image	vdso64_image
#else
#define native_image	vdso32_image
#endif

#define TIME_PFN	PHYS_PFN(__pa(vdso_k_time_data))
/* From the start of [vvar] to that of the vDSO: programs rely on it */
#define VVAR_SIZE	(__VDSO_PAGES * PAGE_SIZE)
#define TOMBSTONE_PFN	page_to_pfn(ZERO_PAGE(0))

/* A claim about a PTE, and the PTE in the message */
#define EXPECT_PTE(test, pte, claim)					\
	KUNIT_EXPECT_TRUE_MSG(test, claim, "PTE %016llx", (u64)pte_val(pte))

/*
 * Executable, where a mapping can be anything else: the CPU and the page tables
 * must have NX, and 6.12's vm_get_page_prot() loses it under PAE, for any mapping.
 */
static bool executable(pte_t pte)
{
	return (pgprot_val(vm_get_page_prot(VM_READ)) & _PAGE_NX) && pte_exec(pte);
}

/* The test's mm; a page next to TEST_ADDR keeps its page table in place */
static void attach_mm(struct kunit *test)
{
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, TEST_ADDR - PAGE_SIZE, 2 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, TEST_ADDR - PAGE_SIZE);
}

static pmd_t *get_pmd(struct mm_struct *mm, unsigned long addr)
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

static pte_t get_pte(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *pmd = get_pmd(mm, addr);
	pte_t *ptep, pte = __pte(0);

	if (!pmd)
		return pte;
	ptep = pte_offset_map(pmd, addr);
	if (!ptep)
		return pte;
	pte = ptep_get(ptep);
	pte_unmap(ptep);
	return pte;
}

static struct vm_area_struct *map_area(struct kunit *test,
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
static void others_turn(void)
{
	schedule();
	cpu_relax();
}

/*
 * A read fault as user mode takes it, under the VMA's read lock if there is one.
 * Those who @race get their turn in the middle of it.
 */
static vm_fault_t user_fault(unsigned long addr, bool race)
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
		others_turn();
	ret = handle_mm_fault(vma, addr, flags, NULL);
	/* Unless it was let go on the way */
	if ((flags & FAULT_FLAG_VMA_LOCK) &&
	    !(ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))
		vma_end_read(vma);
	return ret;
}

static vm_fault_t fault(struct kunit *test, unsigned long addr)
{
	vm_fault_t ret;

	/* A kthread never faults without mmap_lock, and is held to it */
	mmap_read_lock(current->mm);
	ret = user_fault(addr, false);
	mmap_read_unlock(current->mm);
	if (ret & VM_FAULT_SIGSEGV)
		KUNIT_FAIL_AND_ABORT(test, "no VMA at %lx", addr);
	return ret;
}

/* As setup, for a page that is not there yet */
static void touch(struct kunit *test, unsigned long addr)
{
	KUNIT_ASSERT_EQ_MSG(test, fault(test, addr), VM_FAULT_NOPAGE,
			    "at %lx, PTE %016llx", addr,
			    (u64)pte_val(get_pte(current->mm, addr)));
}

static bool readable(unsigned long addr)
{
	char c;

	return !get_user(c, (char __user *)addr);
}

static void expect_readable(struct kunit *test, unsigned long addr, bool wanted)
{
	bool is = readable(addr);

	KUNIT_EXPECT_EQ_MSG(test, is, wanted, "at %lx, PTE %016llx", addr,
			    (u64)pte_val(get_pte(current->mm, addr)));
}

/* System calls themselves, in the address space that this thread has borrowed */
#ifdef CONFIG_X86_64
#define user_call(name, a, b, c, d, e)					\
	__x64_sys_##name(&(struct pt_regs){				\
		.di = a, .si = b, .dx = c, .r10 = d, .r8 = e })
asmlinkage long __x64_sys_mremap(const struct pt_regs *regs);
asmlinkage long __x64_sys_mprotect(const struct pt_regs *regs);
asmlinkage long __x64_sys_madvise(const struct pt_regs *regs);
#else
#define user_call(name, a, b, c, d, e)					\
	__ia32_sys_##name(&(struct pt_regs){				\
		.bx = a, .cx = b, .dx = c, .si = d, .di = e })
asmlinkage long __ia32_sys_mremap(const struct pt_regs *regs);
asmlinkage long __ia32_sys_mprotect(const struct pt_regs *regs);
asmlinkage long __ia32_sys_madvise(const struct pt_regs *regs);
#endif

/* As [vvar] of 6.12 and [vvar_vclock] have it */
#define AREA_FLAGS	(VM_IO | VM_PFNMAP | VM_DONTDUMP)

struct test_area {
	struct vvar_area area;
	struct page *page[VVAR_MAX_SLOTS];
};

/* How many VMAs the i_mmaps of an area's files have */
static unsigned int count_linked(struct vvar_area *area)
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
static bool linked_becomes(struct vvar_area *area, unsigned int nr)
{
	int tries = 500;

	while (count_linked(area) != nr && --tries)
		msleep(20);
	return tries;
}

/*
 * No area is ever taken back, but those of tests are. The mm goes with the
 * thread, later: what is mapped is unmapped here.
 */
static void unregister_action(void *data)
{
	struct vvar_area *area = data;

	if (WARN_ON(!linked_becomes(area, 0)))
		return;
	vvar_files_free(area->files);
	area->files = NULL;
}

static void free_page_action(void *page)
{
	__free_page(page);
}

static void add_action(struct kunit *test, kunit_action_t *action, void *data)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, action, data), 0);
}

static int set_slot(struct test_area *t, unsigned int slot, unsigned int page)
{
	return vvar_area_set_slot(&t->area, slot, page_to_pfn(t->page[page]),
				  PAGE_READONLY);
}

/* An area with a page of its own in every slot of @in_use */
static struct test_area *make_area_timens(struct kunit *test,
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
		add_action(test, free_page_action, t->page[i]);
		if (in_use & BIT(i))
			KUNIT_ASSERT_EQ(test, set_slot(t, i, i), 0);
	}
	/* Last registered, first run: before the pages are freed */
	add_action(test, unregister_action, &t->area);
	attach_mm(test);
	return t;
}

static struct test_area *make_area(struct kunit *test, unsigned int nr_slots,
				   unsigned long in_use)
{
	return make_area_timens(test, nr_slots, in_use, -1);
}

/* Faults are to be seen, so nothing is published in front of them */
static int no_populate(struct kunit *test)
{
	test->priv = (void *)(long)vvar_populate_on;
	vvar_populate_on = false;
	return 0;
}

static void restore_populate(struct kunit *test)
{
	vvar_populate_on = test->priv;
}

/* --- areas ------------------------------------------------------------------ */

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
	struct test_area *t = make_area(test, 3, 0);

	KUNIT_EXPECT_EQ(test, set_slot(t, 3, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, -EINVAL, vvar_area_clear_slot(&t->area, 3));
}

static void vvar_area_set_slot_refuses_pfn_that_no_pte_holds(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, 0);
	unsigned long bad_pfn = PHYS_PFN(PHYSICAL_PAGE_MASK) + 1;

	if (!bad_pfn)
		kunit_skip(test, "PAE: a PTE holds every unsigned long");
	KUNIT_EXPECT_EQ(test, -EINVAL,
			vvar_area_set_slot(&t->area, 0, bad_pfn, PAGE_READONLY));
}

static void vvar_area_unused_slot_shows_tombstone(struct kunit *test)
{
	struct test_area *t = make_area(test, VVAR_MAX_SLOTS, 0);
	unsigned int i;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	for (i = 0; i < VVAR_MAX_SLOTS; i++) {
		unsigned long addr = TEST_ADDR + PAGE_SIZE * (i + 1);
		pte_t pte;

		expect_readable(test, addr, true);
		pte = get_pte(current->mm, addr);
		KUNIT_EXPECT_EQ_MSG(test, pte_pfn(pte), TOMBSTONE_PFN,
				    "slot %u: PTE %016llx", i, (u64)pte_val(pte));
	}
}

static void vvar_area_cleared_slot_shows_tombstone(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0) | BIT(1));
	pte_t pte;

	KUNIT_EXPECT_EQ(test, vvar_area_clear_slot(&t->area, 1), 0);
	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	expect_readable(test, TEST_ADDR + 2 * PAGE_SIZE, true);
	pte = get_pte(current->mm, TEST_ADDR + 2 * PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);
}

static struct kunit_case vvar_area_cases[] = {
	KUNIT_CASE(vvar_area_register_refuses_bad_shape),
	KUNIT_CASE(vvar_area_set_slot_refuses_out_of_range),
	KUNIT_CASE(vvar_area_set_slot_refuses_pfn_that_no_pte_holds),
	KUNIT_CASE(vvar_area_unused_slot_shows_tombstone),
	KUNIT_CASE(vvar_area_cleared_slot_shows_tombstone),
	{}
};

/* scripts/kunit-matrix looks whether it is the machine that was asked for */
static int tell_machine(struct kunit_suite *suite)
{
	pr_info("vvar_test: %d-level page tables, PAT %s, %u CPUs\n",
		CONFIG_PGTABLE_LEVELS - (CONFIG_PGTABLE_LEVELS == 5 &&
					 !pgtable_l5_enabled()),
		str_on_off(pat_enabled()), num_online_cpus());
	return 0;
}

static struct kunit_suite vvar_area_suite = {
	.name = "vvar_area",
	.suite_init = tell_machine,
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_area_cases,
};

/* --- faults ----------------------------------------------------------------- */

static void vvar_fault_first_touch_takes_no_retry(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, fault(test, TEST_ADDR + PAGE_SIZE),
			VM_FAULT_NOPAGE);
}

static void vvar_fault_pte_is_special_readonly_user_nx(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);

	EXPECT_PTE(test, pte, pte_present(pte));
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
	EXPECT_PTE(test, pte, pte_special(pte));
	EXPECT_PTE(test, pte, pte_young(pte));
	EXPECT_PTE(test, pte, !pte_write(pte));
	EXPECT_PTE(test, pte, !pte_dirty(pte));
	EXPECT_PTE(test, pte, pte_flags(pte) & _PAGE_USER);
	EXPECT_PTE(test, pte, !executable(pte));
	EXPECT_PTE(test, pte, (pte_flags(pte) & _PAGE_CACHE_MASK) ==
		   cachemode2protval(_PAGE_CACHE_MODE_WB));
}

/* Both variants (vvar.locked=) are held to this one, and so to each other */
static void vvar_fault_pte_is_what_vmf_insert_pfn_makes(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE, stock = addr + PMD_SIZE;
	struct vm_area_struct *vma;
	unsigned int i;

	map_area(test, &t->area, addr);
	vma = map_area(test, &t->area, stock);
	/* A page and a tombstone */
	for (i = 0; i < 2; i++, addr += PAGE_SIZE, stock += PAGE_SIZE) {
		pte_t pte;

		touch(test, addr);
		pte = get_pte(current->mm, addr);
		mmap_read_lock(current->mm);
		KUNIT_EXPECT_EQ(test, VM_FAULT_NOPAGE,
				vmf_insert_pfn_prot(vma, stock, pte_pfn(pte),
						    vma->vm_page_prot));
		mmap_read_unlock(current->mm);
		EXPECT_PTE(test, pte,
			   pte_same(pte, get_pte(current->mm, stock)));
	}
}

static void vvar_fault_leaves_page_references_alone(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));
	s64 rss;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	rss = percpu_counter_sum(&current->mm->rss_stat[MM_FILEPAGES]);
	touch(test, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, page_ref_count(t->page[0]), 1);
	KUNIT_EXPECT_FALSE(test, folio_mapped(page_folio(t->page[0])));
	KUNIT_EXPECT_EQ(test, rss,
			percpu_counter_sum(&current->mm->rss_stat[MM_FILEPAGES]));
}

static void vvar_fault_maps_slots_in_use_at_once(struct kunit *test)
{
	unsigned long in_use = BIT(0) | BIT(2) | BIT(5);
	struct test_area *t = make_area(test, 6, in_use);
	unsigned int i;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE * 3);
	for (i = 0; i < 6; i++) {
		pte_t pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * (i + 1));

		if (in_use & BIT(i))
			EXPECT_PTE(test, pte, pte_pfn(pte) ==
				   page_to_pfn(t->page[i]));
		else
			EXPECT_PTE(test, pte, pte_none(pte));
	}
}

static void vvar_fault_on_tombstone_maps_it_and_those_in_use(struct kunit *test)
{
	struct test_area *t = make_area(test, 3, BIT(0));
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, fault(test, TEST_ADDR + PAGE_SIZE * 3),
			VM_FAULT_NOPAGE);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 3);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_none(pte));
}

static void vvar_fault_leaves_present_pte_alone(struct kunit *test)
{
	struct test_area *t = make_area(test, 3, BIT(1));
	pte_t before, after;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE);
	before = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);

	/* In use now; whoever saw the tombstone keeps it until a replace */
	atomic64_set(&t->area.slots[0], arch_vvar_word(page_to_pfn(t->page[0]),
						       PAGE_READONLY));
	t->area.in_use |= BIT(0);
	/* A fault, as slot 2 is not there yet, and around it slot 0 */
	touch(test, TEST_ADDR + PAGE_SIZE * 3);
	after = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, after, pte_same(before, after));
}

static void vvar_fault_across_page_tables(struct kunit *test)
{
	struct test_area *t = make_area(test, 4, 0xf);
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE - 2 * PAGE_SIZE;
	unsigned int i;

	/* Neither page table is there yet */
	map_area(test, &t->area, addr);
	KUNIT_EXPECT_EQ(test, fault(test, addr + PAGE_SIZE), VM_FAULT_NOPAGE);
	for (i = 0; i < 4; i++) {
		pte_t pte = get_pte(current->mm, addr + i * PAGE_SIZE);

		EXPECT_PTE(test, pte, pte_none(pte) == (i >= 2));
	}
	KUNIT_EXPECT_EQ(test, fault(test, addr + 3 * PAGE_SIZE),
			VM_FAULT_NOPAGE);
	for (i = 0; i < 4; i++) {
		pte_t pte = get_pte(current->mm, addr + i * PAGE_SIZE);

		EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[i]));
	}
}

/* What ->fault does alone: fault_around_bytes=4096 never calls ->map_pages */
static void vvar_fault_alone_maps_one_slot(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, 0x3);
	struct vm_area_struct *vma;
	struct vm_fault vmf = { };
	pte_t pte;

	vma = map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	*(struct vm_area_struct **)&vmf.vma = vma;
	*(unsigned long *)&vmf.address = TEST_ADDR + PAGE_SIZE * 2;
	*(pgoff_t *)&vmf.pgoff = 1;
	KUNIT_ASSERT_TRUE(test, readable(TEST_ADDR));	/* the page table */
	vmf.pmd = get_pmd(current->mm, TEST_ADDR);
	KUNIT_ASSERT_NOT_NULL(test, vmf.pmd);

	mmap_read_lock(current->mm);
	KUNIT_EXPECT_EQ(test, vma->vm_ops->fault(&vmf), VM_FAULT_NOPAGE);
	mmap_read_unlock(current->mm);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_none(pte));
}

static void vvar_fault_write_is_refused(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	expect_readable(test, TEST_ADDR + PAGE_SIZE, true);
	KUNIT_EXPECT_EQ(test, put_user(1, (char __user *)TEST_ADDR + PAGE_SIZE),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, *(char *)page_address(t->page[0]), 0);
}

static void vvar_fault_split_is_refused(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vm_munmap(TEST_ADDR + PAGE_SIZE, PAGE_SIZE),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, vm_munmap(TEST_ADDR + PAGE_SIZE, 2 * PAGE_SIZE), 0);
	expect_readable(test, TEST_ADDR + PAGE_SIZE, false);
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
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_fault_cases,
};

/* --- replace, populate, files ------------------------------------------------ */

static void vvar_file_registering_twice_is_refused(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, 0);

	KUNIT_EXPECT_EQ(test, vvar_area_register(&t->area), -EEXIST);
}

static void vvar_file_slots_of_an_unregistered_area_are_refused(struct kunit *test)
{
	struct vvar_area area = {
		.name = "x", .vm_flags = AREA_FLAGS, .nr_slots = 1,
		.timens_slot = -1,
	};

	KUNIT_EXPECT_EQ(test, vvar_area_set_slot(&area, 0, TIME_PFN,
						 PAGE_READONLY), -EINVAL);
	KUNIT_EXPECT_EQ(test, vvar_area_clear_slot(&area, 0), -EINVAL);
}

static void vvar_file_is_behind_a_vma_without_one(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, 0);
	struct vm_area_struct *vma;

	vma = map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, vma->vm_file);
	KUNIT_EXPECT_TRUE(test, mapping_mapped(vma_mapping(vma)));
}

static void vvar_file_replace_takes_the_page_away(struct kunit *test)
{
	struct test_area *t = make_area(test, 3, 0x3);
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, set_slot(t, 1, 2), 0);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_none(pte));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));

	touch(test, TEST_ADDR + PAGE_SIZE * 2);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[2]));
}

static void vvar_file_replace_takes_a_stale_tombstone_away(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE * 2);
	KUNIT_EXPECT_EQ(test, set_slot(t, 1, 1), 0);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_none(pte));
}

/* Each CPU's shard: the test's mm is only in one of them */
static void vvar_file_replace_reaches_every_shard(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));
	int cpu, other = cpumask_last(cpu_online_mask);
	pte_t pte;

	for_each_online_cpu(cpu) {
		unsigned long addr = TEST_ADDR + PAGE_SIZE * (cpu + 1);

		set_cpus_allowed_ptr(current, cpumask_of(cpu));
		map_area(test, &t->area, addr);
		touch(test, addr);
		pte = get_pte(current->mm, addr);
		EXPECT_PTE(test, pte, pte_present(pte));
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	if (!other)
		kunit_info(test, "one CPU: one shard");

	KUNIT_EXPECT_EQ(test, 0, vvar_area_clear_slot(&t->area, 0));
	for_each_online_cpu(cpu) {
		pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * (cpu + 1));
		EXPECT_PTE(test, pte, pte_none(pte));
	}
}

/* A link or unlink that is missing leaves an i_mmap with a VMA that is freed */
static void vvar_file_links_follow_the_vmas(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE, to = TEST_ADDR + PMD_SIZE;

	KUNIT_EXPECT_EQ(test, count_linked(&t->area), 0);
	map_area(test, &t->area, addr);
	map_area(test, &t->area, addr + 4 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, count_linked(&t->area), 2);
	KUNIT_EXPECT_EQ(test, to,
			user_call(mremap, addr, 2 * PAGE_SIZE,
				  2 * PAGE_SIZE,
				  MREMAP_MAYMOVE | MREMAP_FIXED, to));
	KUNIT_EXPECT_EQ(test, count_linked(&t->area), 2);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(to, 2 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, count_linked(&t->area), 1);
}

#ifdef CONFIG_UPROBES
static int uprobe_handler(struct uprobe_consumer *self, struct pt_regs *regs,
			  __u64 *data)
{
	return 0;
}

static void expect_no_uprobe(struct kunit *test, unsigned long addr)
{
	struct uprobe_consumer consumer = { .handler = uprobe_handler };
	struct uprobe *uprobe;
	struct inode *inode;

	mmap_read_lock(current->mm);
	inode = vma_mapping(vma_lookup(current->mm, addr))->host;
	mmap_read_unlock(current->mm);
	uprobe = uprobe_register(inode, 0, 0, &consumer);
	KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(uprobe), -EIO, "at %lx", addr);
	if (IS_ERR(uprobe))
		return;
	uprobe_unregister_nosync(uprobe, &consumer);
	uprobe_unregister_sync();
}

static void vvar_file_uprobes_are_refused(struct kunit *test)
{
	unsigned long addr;

	attach_mm(test);
	KUNIT_ASSERT_EQ(test, 0,
			map_vdso_once(&native_image, TEST_ADDR + PAGE_SIZE));
	addr = (unsigned long)current->mm->context.vdso;
	expect_no_uprobe(test, addr - VVAR_SIZE);
}
#endif

static struct kunit_case vvar_file_cases[] = {
	KUNIT_CASE(vvar_file_registering_twice_is_refused),
	KUNIT_CASE(vvar_file_slots_of_an_unregistered_area_are_refused),
	KUNIT_CASE(vvar_file_is_behind_a_vma_without_one),
	KUNIT_CASE(vvar_file_replace_takes_the_page_away),
	KUNIT_CASE(vvar_file_replace_takes_a_stale_tombstone_away),
	KUNIT_CASE(vvar_file_replace_reaches_every_shard),
	KUNIT_CASE(vvar_file_links_follow_the_vmas),
#ifdef CONFIG_UPROBES
	KUNIT_CASE(vvar_file_uprobes_are_refused),
#endif
	{}
};

static struct kunit_suite vvar_file_suite = {
	.name = "vvar_file",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_file_cases,
};

static int do_populate(struct kunit *test)
{
	test->priv = (void *)(long)vvar_populate_on;
	vvar_populate_on = true;
	return 0;
}

static void vvar_populate_publishes_slots_in_use(struct kunit *test)
{
	struct test_area *t = make_area(test, 4, BIT(0) | BIT(2));
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE - 2 * PAGE_SIZE;
	unsigned int i;

	/* Across two page tables, neither of which is there */
	map_area(test, &t->area, addr);
	for (i = 0; i < 4; i++) {
		pte_t pte = get_pte(current->mm, addr + i * PAGE_SIZE);
		bool in_use = i == 0 || i == 2;

		if (!in_use) {
			EXPECT_PTE(test, pte, pte_none(pte));
			continue;
		}
		EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[i]));
		EXPECT_PTE(test, pte, !pte_write(pte) && pte_special(pte));
	}
}

static void vvar_populate_makes_no_table_for_unused_slots(struct kunit *test)
{
	struct test_area *t = make_area(test, 4, BIT(0));
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE - 2 * PAGE_SIZE;

	map_area(test, &t->area, addr);
	KUNIT_EXPECT_NOT_NULL(test, get_pmd(current->mm, addr));
	KUNIT_EXPECT_NULL(test, get_pmd(current->mm, addr + 2 * PAGE_SIZE));
}

static void vvar_populate_publishes_text(struct kunit *test)
{
	unsigned long addr, i;

	attach_mm(test);
	KUNIT_ASSERT_EQ(test, 0, map_vdso_once(&native_image,
					       TEST_ADDR + PAGE_SIZE));
	addr = (unsigned long)current->mm->context.vdso;
	for (i = 0; i < native_image.size; i += PAGE_SIZE) {
		pte_t pte = get_pte(current->mm, addr + i);

		EXPECT_PTE(test, pte, pte_present(pte) && pte_exec(pte));
	}
}

static struct kunit_case vvar_populate_cases[] = {
	KUNIT_CASE(vvar_populate_publishes_slots_in_use),
	KUNIT_CASE(vvar_populate_makes_no_table_for_unused_slots),
	KUNIT_CASE(vvar_populate_publishes_text),
	{}
};

static struct kunit_suite vvar_populate_suite = {
	.name = "vvar_populate",
	.init = do_populate,
	.exit = restore_populate,
	.test_cases = vvar_populate_cases,
};

/* --- races ------------------------------------------------------------------ */

#define RACE_ROUNDS	200
#define RACE_FAULTERS	2

/* What goes on in the test's mm beside the test */
struct race {
	struct test_area *t;
	struct mm_struct *mm;
	unsigned long addr[4];		/* where slot 0 may be */
	unsigned long start;		/* jiffies */
	struct task_struct *replacer;
	unsigned int page;		/* of slot 0, the last that was set */
	bool stop;
	atomic_t faulters;
	struct completion gone;
	atomic_long_t begun, vma_locked, unreadable, replaces, stale;
};

/* A thread of the process whose mm it is: no kthread, as those take mmap_lock */
static int race_faulter_fn(void *data)
{
	struct race *r = data;
	unsigned int i;

	for (i = 0; !READ_ONCE(r->stop); i++) {
		unsigned long addr = r->addr[i % ARRAY_SIZE(r->addr)];

		if (!IS_ENABLED(CONFIG_PER_VMA_LOCK) ||
		    (user_fault(addr, true) & VM_FAULT_SIGSEGV)) {
			/* As the fault entry does then */
			mmap_read_lock(r->mm);
			user_fault(addr, true);
			mmap_read_unlock(r->mm);
		} else {
			atomic_long_inc(&r->vma_locked);
		}
		/* And from kernel mode, by an exception, under mmap_lock */
		if (!readable(addr))
			atomic_long_inc(&r->unreadable);
		if (!i)
			atomic_long_inc(&r->begun);
		cond_resched();
	}
	if (atomic_dec_and_test(&r->faulters))
		complete(&r->gone);
	do_exit(0);
}

/* Does this page show in the mm? Looks twice, as mremap() may move the PTE */
static bool race_shows(struct race *r, struct mm_struct *mm, unsigned int page)
{
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(r->addr); i++) {
		pte_t pte = get_pte(mm, r->addr[i % ARRAY_SIZE(r->addr)]);

		if (pte_present(pte) &&
		    pte_pfn(pte) == page_to_pfn(r->t->page[page]))
			return true;
	}
	return false;
}

/* None of this takes mmap_lock */
static void race_set_slot(struct race *r)
{
	r->page ^= 1;
	set_slot(r->t, 0, r->page);
	if (race_shows(r, r->mm, r->page ^ 1))
		atomic_long_inc(&r->stale);
	atomic_long_inc(&r->replaces);
}

static int race_replacer_fn(void *data)
{
	while (!kthread_should_stop()) {
		race_set_slot(data);
		cond_resched();
	}
	return 0;
}

static struct task_struct *race_replace(struct kunit *test, struct race *r,
					int (*fn)(void *))
{
	r->replacer = kthread_create(fn, r, "vvar_replacer");
	if (IS_ERR(r->replacer)) {
		r->replacer = NULL;
		KUNIT_FAIL_AND_ABORT(test, "no thread to replace");
	}
	return r->replacer;
}

static void race_replace_stop(struct race *r)
{
	if (r->replacer)
		kthread_stop(r->replacer);
	r->replacer = NULL;
}

/* At the end of the test, if it has not done so */
static void race_stop(void *data)
{
	struct race *r = data;

	WRITE_ONCE(r->stop, true);
	race_replace_stop(r);
	if (atomic_dec_and_test(&r->faulters))
		complete(&r->gone);
	wait_for_completion(&r->gone);
	mmput(r->mm);
}

/* The area in question, with the pages that slot 0 shows by turns, mapped once */
static struct race *race_prepare(struct kunit *test)
{
	struct race *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->t = make_area(test, 2, BIT(0) | BIT(1));
	for (i = 0; i < ARRAY_SIZE(r->addr); i++)
		r->addr[i] = TEST_ADDR + PAGE_SIZE;
	r->mm = current->mm;
	init_completion(&r->gone);
	atomic_set(&r->faulters, 1);
	map_area(test, &r->t->area, r->addr[0]);
	/* The test's thread may go first */
	mmget(r->mm);
	add_action(test, race_stop, r);
	return r;
}

static struct race *race_start(struct kunit *test)
{
	struct race *r = race_prepare(test);
	unsigned int i;

	for (i = 0; i < RACE_FAULTERS; i++) {
		atomic_inc(&r->faulters);
		if (user_mode_thread(race_faulter_fn, r,
				     CLONE_VM | CLONE_FILES | SIGCHLD) > 0)
			continue;
		atomic_dec(&r->faulters);
		KUNIT_FAIL_AND_ABORT(test, "no thread to fault");
	}
	r->start = jiffies;
	return r;
}

/* Have all of them begun, or failed to for too long? */
static bool racing(struct race *r)
{
	return (atomic_long_read(&r->begun) == RACE_FAULTERS &&
		atomic_long_read(&r->replaces)) ||
	       time_after(jiffies, r->start + 30 * HZ);
}

/* What holds after every race */
static void race_end(struct kunit *test, struct race *r)
{
	race_replace_stop(r);
	KUNIT_EXPECT_GT(test, atomic_long_read(&r->replaces), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r->stale), 0);
	KUNIT_EXPECT_FALSE(test, race_shows(r, r->mm, r->page ^ 1));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r->begun), RACE_FAULTERS);
	if (IS_ENABLED(CONFIG_PER_VMA_LOCK))
		KUNIT_EXPECT_GT(test, atomic_long_read(&r->vma_locked), 0);
	kunit_release_action(test, race_stop, r);
	expect_readable(test, r->addr[0], true);
}

static void vvar_race_replace_leaves_no_stale_pte(struct kunit *test)
{
	struct race *r = race_start(test);

	/* A single CPU has to get round to all of them */
	wake_up_process(race_replace(test, r, race_replacer_fn));
	while (atomic_long_read(&r->replaces) < RACE_ROUNDS || !racing(r))
		others_turn();
	race_end(test, r);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r->unreadable), 0);
}

static unsigned int count_ptes(struct mm_struct *mm, unsigned long addr)
{
	return !pte_none(get_pte(mm, addr)) +
	       !pte_none(get_pte(mm, addr + PAGE_SIZE));
}

static void vvar_race_munmap_leaves_no_pte(struct kunit *test)
{
	struct race *r = race_start(test);
	unsigned int i, left = 0;

	wake_up_process(race_replace(test, r, race_replacer_fn));
	for (i = 0; i < RACE_ROUNDS || !racing(r); i++) {
		vm_munmap(r->addr[0], 2 * PAGE_SIZE);
		left += count_ptes(r->mm, r->addr[0]);
		map_area(test, &r->t->area, r->addr[0]);
		others_turn();
	}
	KUNIT_EXPECT_EQ(test, left, 0);
	race_end(test, r);
}

static void vvar_race_mremap_leaves_no_pte_behind(struct kunit *test)
{
	unsigned long other = TEST_ADDR + PMD_SIZE + PAGE_SIZE;
	struct race *r = race_start(test);
	unsigned int i, left = 0, refused = 0;

	/* Keeps that page table in place, too */
	KUNIT_ASSERT_EQ(test, other - PAGE_SIZE,
			kunit_vm_mmap(test, NULL, other - PAGE_SIZE, PAGE_SIZE,
				      PROT_READ, MAP_ANONYMOUS | MAP_PRIVATE |
				      MAP_FIXED, 0));
	r->addr[1] = other;
	r->addr[3] = other;
	wake_up_process(race_replace(test, r, race_replacer_fn));
	for (i = 0; i < RACE_ROUNDS || (i & 1) || !racing(r); i++) {
		unsigned long from = r->addr[i & 1], to = r->addr[~i & 1];

		refused += user_call(mremap, from, 2 * PAGE_SIZE,
				     2 * PAGE_SIZE,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to) != to;
		left += count_ptes(r->mm, from);
		others_turn();
	}
	KUNIT_EXPECT_EQ(test, refused, 0);
	KUNIT_EXPECT_EQ(test, left, 0);
	race_end(test, r);
}

/* MADV_DONTNEED is refused; this is what it would do */
static void vvar_race_zap_leaves_no_stale_pte(struct kunit *test)
{
	struct race *r = race_start(test);
	struct vm_area_struct *vma;
	unsigned int i, refused = 0;

	wake_up_process(race_replace(test, r, race_replacer_fn));
	for (i = 0; i < RACE_ROUNDS || !racing(r); i++) {
		mmap_read_lock(r->mm);
		vma = vma_lookup(r->mm, r->addr[0]);
		zap_vma(vma);
		mmap_read_unlock(r->mm);
		/* The VMA write-locked, other flags */
		refused += user_call(madvise, r->addr[0], 2 * PAGE_SIZE,
				     i & 1 ? MADV_NORMAL : MADV_RANDOM, 0, 0) != 0;
		others_turn();
	}
	KUNIT_EXPECT_EQ(test, refused, 0);
	race_end(test, r);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r->unreadable), 0);
}

/* A fault that is late: it has read a slot and not yet published it */
struct late_reader {
	struct completion in;
	bool left;
};

static int late_reader_fn(void *data)
{
	struct late_reader *r = data;

	rcu_read_lock();
	complete(&r->in);
	mdelay(200);
	WRITE_ONCE(r->left, true);
	rcu_read_unlock();
	return 0;
}

static void vvar_race_replace_waits_for_readers(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	struct task_struct *task;
	struct late_reader r = { };

	init_completion(&r.in);
	task = kthread_create(late_reader_fn, &r, "vvar_late");
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(task), "%pe", task);
	/* It ends by itself */
	get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&r.in);

	KUNIT_EXPECT_EQ(test, set_slot(t, 0, 1), 0);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(r.left));
	kthread_stop_put(task);
}

/* A process with a copy of the mm that this thread has borrowed */
static void fork_mm(struct kunit *test, int (*fn)(void *), void *arg)
{
	/* No CLONE_VM: dup_mm() */
	struct kernel_clone_args args = {
		.flags = CLONE_FS | CLONE_FILES | CLONE_UNTRACED,
		.exit_signal = SIGCHLD,
		.fn = fn,
		.fn_arg = arg,
	};

	KUNIT_ASSERT_GT(test, kernel_clone(&args), 0);
}

/* One that touches the area till told to go */
struct fork_child {
	struct mm_struct *mm;
	struct completion ready, go, gone;
	bool stop;
};

static int fork_child_fn(void *data)
{
	struct fork_child *c = data;
	unsigned long addr = TEST_ADDR + PAGE_SIZE;

	c->mm = current->mm;
	complete(&c->ready);
	while (!READ_ONCE(c->stop)) {
		readable(addr);
		cond_resched();
	}
	wait_for_completion(&c->go);
	complete(&c->gone);
	do_exit(0);
}

static void fork_start(struct kunit *test, struct fork_child *c)
{
	*c = (struct fork_child){ };
	init_completion(&c->ready);
	init_completion(&c->go);
	init_completion(&c->gone);
	fork_mm(test, fork_child_fn, c);
}

static void fork_stop(struct fork_child *c)
{
	WRITE_ONCE(c->stop, true);
	complete(&c->go);
	wait_for_completion(&c->gone);
}

/* One replace, some grace periods later: the fork has got farther each time */
static int race_replace_once_fn(void *data)
{
	struct race *r = data;
	unsigned int i;

	for (i = atomic_long_read(&r->replaces) / 2 % 8; i; i--)
		synchronize_rcu();
	race_set_slot(r);
	/* It is stopped, not gone */
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int fork_pre(struct kprobe *kp, struct pt_regs *regs)
{
	cpu_relax();
	return 0;
}

/* Where an emulated CPU lets another one go on, once for each VMA */
static struct kprobe fork_probe = {
	.symbol_name = "copy_page_range",
	.pre_handler = fork_pre,
};

static void fork_probe_action(void *unused)
{
	unregister_kprobe(&fork_probe);
	/* Or it can't be registered again */
	fork_probe.addr = NULL;
	fork_probe.flags = 0;
}

static void unexpedite_action(void *unused)
{
	rcu_unexpedite_gp();
}

/*
 * One replace for each fork, as another would mend what the first one left in
 * the child. Every other time on the CPU that forks: there it goes on in the
 * middle of dup_mm(), wherever that can be preempted.
 */
static void vvar_race_fork_leaves_no_stale_pte(struct kunit *test)
{
	struct race *r = race_prepare(test);
	unsigned int i, stale = 0, copied = 0, during = 0;
	int cpu = raw_smp_processor_id();

	/* In the child, in the middle of the fork */
	vvar_populate_on = true;
	for (i = 1; i < ARRAY_SIZE(r->addr); i++) {
		r->addr[i] = r->addr[0] + i * 2 * PAGE_SIZE;
		map_area(test, &r->t->area, r->addr[i]);
	}
	if (IS_ENABLED(CONFIG_KPROBES)) {
		KUNIT_ASSERT_EQ(test, register_kprobe(&fork_probe), 0);
		add_action(test, fork_probe_action, NULL);
	}
	set_cpus_allowed_ptr(current, cpumask_of(cpu));
	/* Shorter than a fork */
	rcu_expedite_gp();
	add_action(test, unexpedite_action, NULL);
	r->start = jiffies;
	for (i = 0; i < RACE_ROUNDS ||
	     (!during && time_before(jiffies, r->start + 30 * HZ)); i++) {
		struct task_struct *replacer;
		struct fork_child c;
		unsigned int j;

		replacer = race_replace(test, r, race_replace_once_fn);
		if (i & 1) {
			set_cpus_allowed_ptr(replacer, cpumask_of(cpu));
			sched_set_fifo(replacer);
		}
		for (j = 0; j < ARRAY_SIZE(r->addr); j++)
			readable(r->addr[j]);
		wake_up_process(replacer);
		fork_start(test, &c);
		during += atomic_long_read(&r->replaces) == i + 1;
		while (atomic_long_read(&r->replaces) == i)
			others_turn();
		race_replace_stop(r);
		wait_for_completion(&c.ready);
		copied += c.mm != r->mm;
		stale += race_shows(r, c.mm, r->page ^ 1) ||
			 race_shows(r, r->mm, r->page ^ 1);
		fork_stop(&c);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_EQ(test, copied, i);
	KUNIT_EXPECT_EQ(test, stale, 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r->stale), 0);
	KUNIT_EXPECT_GT_MSG(test, during, 0,
			    "no replace ended before the fork that it raced");
	kunit_info(test, "%u forks, %u replaces during one", i, during);
}

static struct kunit_case vvar_race_cases[] = {
	KUNIT_CASE_SLOW(vvar_race_replace_waits_for_readers),
	KUNIT_CASE_SLOW(vvar_race_fork_leaves_no_stale_pte),
	KUNIT_CASE_SLOW(vvar_race_replace_leaves_no_stale_pte),
	KUNIT_CASE_SLOW(vvar_race_munmap_leaves_no_pte),
	KUNIT_CASE_SLOW(vvar_race_mremap_leaves_no_pte_behind),
	KUNIT_CASE_SLOW(vvar_race_zap_leaves_no_stale_pte),
	{}
};

static struct kunit_suite vvar_race_suite = {
	.name = "vvar_race",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_race_cases,
};

/* --- the vDSO --------------------------------------------------------------- */

struct image_param {
	const char *name;
	const struct vdso_image *image;
};

static const struct image_param images[] = {
#ifdef CONFIG_X86_64
	{ "64", &vdso64_image },
#endif
#ifdef CONFIG_X86_X32_ABI
	{ "x32", &vdsox32_image },
#endif
#ifdef CONFIG_COMPAT_32
	{ "32", &vdso32_image },
#endif
};

static void image_name(const struct image_param *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(image, images, image_name);

/* Maps the image of the parameter; returns where its [vvar] is */
static unsigned long map_vdso(struct kunit *test, const struct vdso_image **image)
{
	const struct image_param *param = test->param_value;

	*image = param->image;
	attach_mm(test);
	KUNIT_ASSERT_EQ(test, 0, map_vdso_once(*image, TEST_ADDR + PAGE_SIZE));
	return (unsigned long)current->mm->context.vdso - VVAR_SIZE;
}

/* As ptrace and /proc/PID/mem do; returns the number of bytes written */
static int force_write(unsigned long addr, char byte)
{
	return access_remote_vm(current->mm, addr, &byte, 1,
				FOLL_WRITE | FOLL_FORCE);
}

static void vvar_vdso_time_data_is_the_kernels_page(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image);
	pte_t pte;

	KUNIT_EXPECT_EQ(test, fault(test, addr), VM_FAULT_NOPAGE);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TIME_PFN);
	EXPECT_PTE(test, pte, pte_special(pte));
	EXPECT_PTE(test, pte, !pte_write(pte));
	EXPECT_PTE(test, pte, !executable(pte));
}

static void vvar_vdso_every_offset_is_readable(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image);
	unsigned long end = addr + VVAR_SIZE + image->size;

	for (; addr < end; addr += PAGE_SIZE)
		expect_readable(test, addr, true);
}

static void vvar_vdso_text_takes_one_fault(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image) + VVAR_SIZE;
	unsigned long i;

	KUNIT_EXPECT_EQ(test, fault(test, addr), VM_FAULT_NOPAGE);
	for (i = 0; i < image->size; i += PAGE_SIZE) {
		struct page *page = virt_to_page(image->data + i);
		pte_t pte = get_pte(current->mm, addr + i);

		EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(page));
		EXPECT_PTE(test, pte, !pte_special(pte));
		EXPECT_PTE(test, pte, !pte_write(pte));
		EXPECT_PTE(test, pte, pte_exec(pte));
	}
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&current->mm->rss_stat[MM_FILEPAGES]),
			image->size >> PAGE_SHIFT);
}

static void vvar_vdso_text_breakpoint_is_private(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image) + VVAR_SIZE;
	char insn = 0xcc, old = *(char *)image->data, got = 0;

	KUNIT_ASSERT_NE(test, old, insn);
	KUNIT_EXPECT_EQ(test, force_write(addr, insn), 1);
	KUNIT_EXPECT_EQ(test, 0, get_user(got, (char __user *)addr));
	KUNIT_EXPECT_EQ(test, got, insn);
	KUNIT_EXPECT_EQ(test, *(char *)image->data, old);
}

static void vvar_vdso_text_fault_leaves_breakpoint_alone(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image) + VVAR_SIZE;
	pte_t before, after;

	if (image->size < 2 * PAGE_SIZE)
		kunit_skip(test, "an image of one page");
	KUNIT_ASSERT_EQ(test, force_write(addr + PAGE_SIZE, 0xcc), 1);
	before = get_pte(current->mm, addr + PAGE_SIZE);
	KUNIT_ASSERT_TRUE(test, pte_none(get_pte(current->mm, addr)));

	KUNIT_EXPECT_EQ(test, fault(test, addr), VM_FAULT_NOPAGE);
	after = get_pte(current->mm, addr + PAGE_SIZE);
	EXPECT_PTE(test, after, pte_pfn(after) == pte_pfn(before));
	after = get_pte(current->mm, addr);
	EXPECT_PTE(test, after, pte_present(after));
}

static void vvar_vdso_data_is_not_written_by_force(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image);

	for (; addr < (unsigned long)current->mm->context.vdso; addr += PAGE_SIZE)
		KUNIT_EXPECT_EQ_MSG(test, force_write(addr, 1), 0,
				    "at %lx", addr);
}

static void vvar_vdso_second_mapping_is_refused(struct kunit *test)
{
	const struct vdso_image *image;

	map_vdso(test, &image);
	KUNIT_EXPECT_EQ(test, -EEXIST,
			map_vdso_once(image, TEST_ADDR + 64 * PAGE_SIZE));
}

static struct kunit_case vvar_vdso_cases[] = {
	KUNIT_CASE_PARAM(vvar_vdso_time_data_is_the_kernels_page, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_every_offset_is_readable, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_text_takes_one_fault, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_text_breakpoint_is_private, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_text_fault_leaves_breakpoint_alone, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_data_is_not_written_by_force, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_second_mapping_is_refused, image_gen_params),
	{}
};

static struct kunit_suite vvar_vdso_suite = {
	.name = "vvar_vdso",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_vdso_cases,
};

/* --- mm system calls --------------------------------------------------------- */

static void vvar_mm_moved_area_takes_its_ptes_along(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, 0x3);
	unsigned long from = TEST_ADDR + PAGE_SIZE, to = TEST_ADDR + PMD_SIZE;
	pte_t pte;

	map_area(test, &t->area, from);
	touch(test, from);
	KUNIT_ASSERT_EQ(test, to,
			user_call(mremap, from, 2 * PAGE_SIZE,
				  2 * PAGE_SIZE,
				  MREMAP_MAYMOVE | MREMAP_FIXED, to));
	pte = get_pte(current->mm, to + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
	pte = get_pte(current->mm, from + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_none(pte));
	expect_readable(test, from, false);
}

static void vvar_mm_moved_area_is_replaced_too(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	unsigned long from = TEST_ADDR + PAGE_SIZE, to = TEST_ADDR + PMD_SIZE;
	pte_t pte;

	map_area(test, &t->area, from);
	touch(test, from);
	KUNIT_ASSERT_EQ(test, to,
			user_call(mremap, from, 2 * PAGE_SIZE,
				  2 * PAGE_SIZE,
				  MREMAP_MAYMOVE | MREMAP_FIXED, to));
	KUNIT_EXPECT_EQ(test, set_slot(t, 0, 1), 0);
	pte = get_pte(current->mm, to);
	EXPECT_PTE(test, pte, pte_none(pte));
	touch(test, to);
	pte = get_pte(current->mm, to);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
}

/* Two trees would let a replace walk past what is moved between them */
static void vvar_mm_moved_area_stays_in_the_i_mmap(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	unsigned long from = TEST_ADDR + PAGE_SIZE, to = TEST_ADDR + PMD_SIZE;
	struct address_space *mapping;
	int cpu;

	mapping = vma_mapping(map_area(test, &t->area, from));
	for_each_online_cpu(cpu) {
		struct vm_area_struct *vma;

		set_cpus_allowed_ptr(current, cpumask_of(cpu));
		KUNIT_ASSERT_EQ(test, to,
				user_call(mremap, from, 2 * PAGE_SIZE,
					  2 * PAGE_SIZE,
					  MREMAP_MAYMOVE | MREMAP_FIXED, to));
		mmap_read_lock(current->mm);
		vma = vma_lookup(current->mm, to);
		KUNIT_EXPECT_PTR_EQ(test, vma_mapping(vma), mapping);
		mmap_read_unlock(current->mm);
		swap(from, to);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_EQ(test, count_linked(&t->area), 1);
}

static void vvar_mm_resizing_is_refused(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE;

	map_area(test, &t->area, addr);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			user_call(mremap, addr, 2 * PAGE_SIZE,
				  3 * PAGE_SIZE, MREMAP_MAYMOVE, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			user_call(mremap, addr, 2 * PAGE_SIZE, PAGE_SIZE,
				  0, 0));
	expect_readable(test, addr + PAGE_SIZE, true);
}

static void vvar_mm_becoming_writable_is_refused(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct vm_area_struct *vma;
	pte_t pte;

	vma = map_area(test, &t->area, addr);
	touch(test, addr);
	KUNIT_EXPECT_EQ_MSG(test, vma->vm_flags & (VM_WRITE | VM_MAYWRITE), 0,
			    "vm_flags %lx", vma->vm_flags);
	KUNIT_EXPECT_EQ(test, -EACCES,
			user_call(mprotect, addr, PAGE_SIZE,
				  PROT_READ | PROT_WRITE, 0, 0));
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, !pte_write(pte));
}

static void vvar_mm_dontneed_is_refused(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	pte_t pte;

	map_area(test, &t->area, addr);
	touch(test, addr);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			user_call(madvise, addr, PAGE_SIZE, MADV_DONTNEED,
				  0, 0));
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
}

static void vvar_mm_forked_child_is_replaced_too(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct fork_child c;
	pte_t pte;

	map_area(test, &t->area, addr);
	touch(test, addr);
	vvar_populate_on = true;
	fork_start(test, &c);
	wait_for_completion(&c.ready);
	KUNIT_EXPECT_PTR_NE(test, c.mm, current->mm);
	KUNIT_EXPECT_EQ(test, count_linked(&t->area), 2);
	/* It does not touch the page any more, but has it */
	WRITE_ONCE(c.stop, true);
	pte = get_pte(c.mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));

	KUNIT_EXPECT_EQ(test, set_slot(t, 0, 1), 0);
	pte = get_pte(c.mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte) ||
		   pte_pfn(pte) == page_to_pfn(t->page[1]));
	fork_stop(&c);
	KUNIT_EXPECT_TRUE(test, linked_becomes(&t->area, 1));
}

/* What is copied could be what a replace has taken out of the child before */
static void vvar_mm_fork_copies_no_pte(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct fork_child c;
	pte_t pte;

	map_area(test, &t->area, addr);
	/* A tombstone, which nobody publishes unasked */
	touch(test, addr + PAGE_SIZE);
	fork_start(test, &c);
	wait_for_completion(&c.ready);
	pte = get_pte(c.mm, addr + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_none(pte));
	fork_stop(&c);
}

static struct kunit_case vvar_mm_cases[] = {
	KUNIT_CASE(vvar_mm_moved_area_takes_its_ptes_along),
	KUNIT_CASE(vvar_mm_moved_area_is_replaced_too),
	KUNIT_CASE(vvar_mm_moved_area_stays_in_the_i_mmap),
	KUNIT_CASE(vvar_mm_resizing_is_refused),
	KUNIT_CASE(vvar_mm_becoming_writable_is_refused),
	KUNIT_CASE(vvar_mm_dontneed_is_refused),
	KUNIT_CASE(vvar_mm_forked_child_is_replaced_too),
	KUNIT_CASE(vvar_mm_fork_copies_no_pte),
	{}
};

static struct kunit_suite vvar_mm_suite = {
	.name = "vvar_mm",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_mm_cases,
};

/* --- cache types ------------------------------------------------------------- */

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
struct memtypes {
	unsigned int nr;
	u64 sum;
};

static struct memtypes get_memtypes(void)
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

static void expect_memtypes(struct kunit *test, struct memtypes before)
{
	struct memtypes now = get_memtypes();

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
static struct test_area *make_pat_area(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, 0);

	add_action(test, clear_slots_action, &t->area);
	return t;
}

/*
 * Physical address space where nothing is: some page between IO-APIC and local
 * APIC. It is mapped, but never read.
 */
static unsigned long reserve_pfn(struct kunit *test)
{
	unsigned long start = IO_APIC_DEFAULT_PHYS_BASE + PAGE_SIZE;
	struct resource *res = NULL;

	for (; !res && start < APIC_DEFAULT_PHYS_BASE; start += PAGE_SIZE)
		res = request_mem_region(start, PAGE_SIZE, "vvar_test");
	KUNIT_ASSERT_NOT_NULL(test, res);
	add_action(test, release_region_action, res);
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
		return reserve_pfn(test);
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
	struct test_area *t = make_pat_area(test);
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
	struct test_area *t = make_pat_area(test);
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
	struct test_area *t = make_pat_area(test);
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

	map_area(test, &t->area, addr);
	KUNIT_EXPECT_EQ(test, fault(test, addr), VM_FAULT_NOPAGE);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == pfn);
	EXPECT_PTE(test, pte, (pte_flags(pte) & _PAGE_CACHE_MASK) ==
		   cachemode2protval(got));
	EXPECT_PTE(test, pte, pte_special(pte));
	EXPECT_PTE(test, pte, !pte_write(pte));
	EXPECT_PTE(test, pte, !executable(pte));
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
	struct test_area *t = make_pat_area(test);
	unsigned long pfn = pat_pfn(test, t, param->kind);
	struct memtypes before = get_memtypes();
	bool reserves = pat_enabled() && !pat_is_ram(param);

	if (pat_set_slot(t, param, pfn, VVAR_PAT_SUBSTITUTE, NULL)) {
		expect_memtypes(test, before);
		return;
	}
	KUNIT_EXPECT_EQ(test, get_memtypes().nr, before.nr + reserves);
	KUNIT_EXPECT_EQ(test, vvar_pat_clear_slot(&t->area, 0), 0);
	expect_memtypes(test, before);
}

static void vvar_pat_slot_changes_only_if_granted(struct kunit *test)
{
	const struct pat_param *param = test->param_value;
	struct test_area *t = make_pat_area(test);
	unsigned long pfn = pat_pfn(test, t, param->kind);
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct memtypes before;
	pte_t pte;

	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, page_to_pfn(t->page[1]),
					  _PAGE_CACHE_MODE_WB, 0, NULL));
	map_area(test, &t->area, addr);
	touch(test, addr);
	before = get_memtypes();
	if (!pat_set_slot(t, param, pfn, 0, NULL)) {
		pte = get_pte(current->mm, addr);
		EXPECT_PTE(test, pte, pte_none(pte));
		return;
	}
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
	expect_memtypes(test, before);
}

/* An area with device memory as WC in slot 0 */
static struct test_area *make_held_area(struct kunit *test, unsigned long *pfn)
{
	struct test_area *t = make_pat_area(test);

	if (!pat_enabled())
		kunit_skip(test, "without PAT, nobody keeps a list");
	*pfn = reserve_pfn(test);
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
	struct test_area *t = make_pat_area(test);
	unsigned long pfn = reserve_pfn(test);
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
	struct test_area *t = make_pat_area(test);
	unsigned long pfn = reserve_pfn(test);
	struct memtypes before = get_memtypes();

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
	expect_memtypes(test, before);
}

static void vvar_pat_replacing_a_page_releases_it(struct kunit *test)
{
	struct test_area *t = make_pat_area(test);
	unsigned long pfn = reserve_pfn(test);
	struct memtypes before = get_memtypes();

	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, pfn,
					  _PAGE_CACHE_MODE_UC, 0, NULL));
	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, page_to_pfn(t->page[0]),
					  _PAGE_CACHE_MODE_WB, 0, NULL));
	expect_memtypes(test, before);
}

static void vvar_pat_slot_out_of_range_is_refused(struct kunit *test)
{
	struct test_area *t = make_pat_area(test);
	unsigned long pfn = reserve_pfn(test);
	struct memtypes before = get_memtypes();

	KUNIT_EXPECT_EQ(test, -EINVAL,
			vvar_pat_set_slot(&t->area, 2, pfn,
					  _PAGE_CACHE_MODE_UC, 0, NULL));
	KUNIT_EXPECT_EQ(test, vvar_pat_clear_slot(&t->area, 2), -EINVAL);
	expect_memtypes(test, before);
}

static void vvar_pat_page_beyond_the_cpus_reach_is_refused(struct kunit *test)
{
	struct test_area *t = make_pat_area(test);
	unsigned int bits = boot_cpu_data.x86_phys_bits;
	struct memtypes before = get_memtypes();

	if (!IS_ENABLED(CONFIG_PHYS_ADDR_T_64BIT))
		bits = min(bits, 32);
	if (bits - PAGE_SHIFT >= BITS_PER_LONG)
		kunit_skip(test, "%u bits: the CPU reaches every page", bits);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			vvar_pat_set_slot(&t->area, 0,
					  1UL << (bits - PAGE_SHIFT),
					  _PAGE_CACHE_MODE_UC, 0, NULL));
	expect_memtypes(test, before);
}

static void vvar_pat_decrypted_page_says_so(struct kunit *test)
{
	struct test_area *t = make_pat_area(test);
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	pte_t pte;

	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, page_to_pfn(t->page[0]),
					  _PAGE_CACHE_MODE_WB,
					  VVAR_PAT_DECRYPTED, NULL));
	map_area(test, &t->area, addr);
	touch(test, addr);
	pte = get_pte(current->mm, addr);
	/* SME sets a bit for "encrypted", TDX one for "shared", most neither */
	EXPECT_PTE(test, pte, pte_val(pte) == cc_mkdec(pte_val(pte)));
}

/* Can fail with SME alone: there PAGE_READONLY is not protection_map[]'s */
static void vvar_pat_ram_is_as_encrypted_as_all_ram(struct kunit *test)
{
	struct test_area *t = make_pat_area(test);
	unsigned long addr = TEST_ADDR + PAGE_SIZE, real = addr + PMD_SIZE;
	unsigned int i;
	pte_t pte;

	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, page_to_pfn(t->page[0]),
					  _PAGE_CACHE_MODE_WB, 0, NULL));
	map_area(test, &t->area, addr);
	/* A page and a tombstone */
	for (i = 0; i < 2; i++) {
		touch(test, addr + i * PAGE_SIZE);
		pte = get_pte(current->mm, addr + i * PAGE_SIZE);
		EXPECT_PTE(test, pte, pte_val(pte) == cc_mkenc(pte_val(pte)));
	}
	map_area(test, &vdso_vvar_area, real);
	touch(test, real);
	pte = get_pte(current->mm, real);
	EXPECT_PTE(test, pte, pte_val(pte) == cc_mkenc(pte_val(pte)));
}

static struct kunit_case vvar_pat_cases[] = {
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

static struct kunit_suite vvar_pat_suite = {
	.name = "vvar_pat",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_pat_cases,
};

/* --- the pages of vclocks ---------------------------------------------------- */

/* Maps the 64-bit image; returns the address of a slot of the vclocks' area */
static unsigned long __maybe_unused map_vclock(struct kunit *test, unsigned int slot)
{
	attach_mm(test);
	KUNIT_ASSERT_EQ(test, 0,
			map_vdso_once(&native_image, TEST_ADDR + PAGE_SIZE));
	return VDSO_VCLOCK_PAGES_START((unsigned long)current->mm->context.vdso -
				       VVAR_SIZE) + (slot << PAGE_SHIFT);
}

/* What timekeeping_notify() does around a switch to a clocksource of this mode */
static void __maybe_unused switch_clock(enum vdso_clock_mode mode, bool done)
{
	struct clocksource cs = { .vdso_clock_mode = mode };

	arch_clocksource_switch(&cs, done);
}

static void __maybe_unused expect_type(struct kunit *test, pte_t pte,
				       enum page_cache_mode type)
{
	EXPECT_PTE(test, pte, (pte_flags(pte) & _PAGE_CACHE_MASK) ==
		   cachemode2protval(type));
}

#ifdef CONFIG_HYPERV_TIMER
static void clear_hvclock_action(void *unused)
{
	vvar_pat_clear_slot(&vvar_vclock_area, VDSO_PAGE_HVCLOCK_OFFSET);
}

/* A copy, as the page is to the vDSO */
static struct ms_hyperv_tsc_page *read_hvclock(struct kunit *test,
					       unsigned long addr)
{
	void *copy = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	KUNIT_ASSERT_EQ(test, 0,
			copy_from_user(copy, (void __user *)addr, PAGE_SIZE));
	return copy;
}

static void vvar_vclock_hvclock_tombstone_is_no_clock(struct kunit *test)
{
	unsigned long addr;
	u64 tsc, now;

	if (hv_get_tsc_pfn())
		kunit_skip(test, "a Hyper-V guest: the slot is in use");
	addr = map_vclock(test, VDSO_PAGE_HVCLOCK_OFFSET);
	/* Sequence 0, which sends readers to the system call */
	KUNIT_EXPECT_FALSE(test, hv_read_tsc_page_tsc(read_hvclock(test, addr),
						      &tsc, &now));
}

static void vvar_vclock_hvclock_page_is_read_through_vvar(struct kunit *test)
{
	unsigned int slot = VDSO_PAGE_HVCLOCK_OFFSET;
	struct ms_hyperv_tsc_page *page;
	unsigned long addr;
	u64 tsc, now;
	pte_t pte;

	if (hv_get_tsc_pfn())
		kunit_skip(test, "a Hyper-V guest: the slot is in use");
	BUILD_BUG_ON(sizeof(*page) > PAGE_SIZE);
	page = (void *)get_zeroed_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	add_action(test, free_page_action, virt_to_page(page));
	page->tsc_sequence = 1;
	page->tsc_scale = 1ULL << 63;
	page->tsc_offset = 12345;

	addr = map_vclock(test, slot);
	add_action(test, clear_hvclock_action, NULL);
	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&vvar_vclock_area, slot,
					  PHYS_PFN(__pa(page)),
					  _PAGE_CACHE_MODE_WB,
					  VVAR_PAT_DECRYPTED, NULL));
	KUNIT_EXPECT_TRUE(test, hv_read_tsc_page_tsc(read_hvclock(test, addr),
						     &tsc, &now));
	KUNIT_EXPECT_EQ(test, now, (tsc >> 1) + 12345);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == PHYS_PFN(__pa(page)));
	EXPECT_PTE(test, pte, !pte_write(pte));
}
#endif

#ifdef CONFIG_VVAR_KUNIT_PVCLOCK
static void vvar_vclock_pvclock_page_comes_into_use(struct kunit *test)
{
	unsigned int slot = VDSO_PAGE_PVCLOCK_OFFSET;
	void *pvti = pvclock_get_pvti_cpu0_va();
	unsigned long addr;
	pte_t pte;

	if (!pvti)
		kunit_skip(test, "no TSC to make a pvclock page from");
	addr = map_vclock(test, slot);
	/* Before the mode is published, and for good */
	switch_clock(VDSO_CLOCKMODE_PVCLOCK, false);
	touch(test, addr);
	switch_clock(VDSO_CLOCKMODE_TSC, true);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == PHYS_PFN(__pa(pvti)));
	EXPECT_PTE(test, pte, pte_val(pte) == cc_mkdec(pte_val(pte)));
	expect_type(test, pte, _PAGE_CACHE_MODE_WB);
}
#endif

#ifdef CONFIG_X86_VDSO_HPET
static void hpet_away_action(void *unused)
{
	switch_clock(VDSO_CLOCKMODE_TSC, true);
}

static void vvar_vclock_hpet_page_comes_and_goes(struct kunit *test)
{
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct memtypes before;
	pte_t pte;

	if (!hpet_address || !IS_ALIGNED(hpet_address, PAGE_SIZE))
		kunit_skip(test, "no page-aligned HPET");
	if (READ_ONCE(vvar_hpet_area.in_use))
		kunit_skip(test, "hpet is the clocksource");
	before = get_memtypes();
	attach_mm(test);
	map_area(test, &vvar_hpet_area, addr);
	touch(test, addr);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);

	add_action(test, hpet_away_action, NULL);
	switch_clock(VDSO_CLOCKMODE_HPET, false);
	touch(test, addr);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == PHYS_PFN(hpet_address));
	expect_type(test, pte, _PAGE_CACHE_MODE_UC_MINUS);

	/* The page stays till the mode is another one */
	switch_clock(VDSO_CLOCKMODE_HPET, true);
	switch_clock(VDSO_CLOCKMODE_TSC, false);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_present(pte));
	switch_clock(VDSO_CLOCKMODE_TSC, true);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte));
	expect_memtypes(test, before);
}

static void vvar_vclock_hpet_needs_a_page_of_its_own(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vdso_hpet_mode(0xfed00400),
			VDSO_CLOCKMODE_NONE);
}

static void vvar_vclock_hpet_of_another_mode_is_left_alone(struct kunit *test)
{
	unsigned long in_use = READ_ONCE(vvar_hpet_area.in_use);

	if (in_use)
		kunit_skip(test, "hpet is the clocksource");
	switch_clock(VDSO_CLOCKMODE_NONE, false);
	switch_clock(VDSO_CLOCKMODE_NONE, true);
	KUNIT_EXPECT_EQ(test, READ_ONCE(vvar_hpet_area.in_use), 0);
}

/* Programs find the time data by its distance from the vDSO, or first in [vvar] */
static void vvar_vclock_hpet_page_moves_no_other(struct kunit *test)
{
	unsigned long addr, vdso;
	struct vm_area_struct *vma;
	pte_t pte;

	attach_mm(test);
	KUNIT_ASSERT_EQ(test, 0,
			map_vdso_once(&native_image, TEST_ADDR + PAGE_SIZE));
	vdso = (unsigned long)current->mm->context.vdso;
	addr = vdso - VVAR_SIZE;
	expect_readable(test, addr, true);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TIME_PFN);
	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	KUNIT_EXPECT_EQ(test, vma->vm_start, addr);
	vma = vma_lookup(current->mm, addr - PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vma && vma_is_vvar_area(vma, &vvar_hpet_area),
			vvar_hpet_size() != 0);
	mmap_read_unlock(current->mm);
}
#endif

static void vvar_vclock_image_unknown_is_refused(struct kunit *test)
{
	struct vdso_image image = native_image;
	struct vm_area_struct *vma;

	attach_mm(test);
	mmap_write_lock(current->mm);
	vma = vdso_image_map(current->mm, TEST_ADDR + PAGE_SIZE, &image);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vma), -ENOMEM);
}

static struct kunit_case vvar_vclock_cases[] = {
#ifdef CONFIG_HYPERV_TIMER
	KUNIT_CASE(vvar_vclock_hvclock_tombstone_is_no_clock),
	KUNIT_CASE(vvar_vclock_hvclock_page_is_read_through_vvar),
#endif
#ifdef CONFIG_VVAR_KUNIT_PVCLOCK
	KUNIT_CASE(vvar_vclock_pvclock_page_comes_into_use),
#endif
#ifdef CONFIG_X86_VDSO_HPET
	KUNIT_CASE(vvar_vclock_hpet_page_comes_and_goes),
	KUNIT_CASE(vvar_vclock_hpet_needs_a_page_of_its_own),
	KUNIT_CASE(vvar_vclock_hpet_of_another_mode_is_left_alone),
	KUNIT_CASE(vvar_vclock_hpet_page_moves_no_other),
#endif
	KUNIT_CASE(vvar_vclock_image_unknown_is_refused),
	{}
};

static struct kunit_suite vvar_vclock_suite = {
	.name = "vvar_vclock",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_vclock_cases,
};

/* --- out of memory ------------------------------------------------------------ */

/* The call of a function by the test that returns @value without being made */
struct fail_call {
	struct kprobe kp;
	struct task_struct *task;
	unsigned int skip, failed;
	unsigned long value;
	bool registered;
};

#ifdef CONFIG_KPROBES
static int fail_pre(struct kprobe *kp, struct pt_regs *regs)
{
	struct fail_call *f = container_of(kp, struct fail_call, kp);

	if (current != f->task || f->failed || f->skip-- > 0)
		return 0;
	f->failed++;
	/* Back to the caller, whose address is what the stack ends with */
	regs_set_return_value(regs, f->value);
	regs->ip = *(unsigned long *)regs->sp;
	regs->sp += sizeof(long);
	return 1;
}

/* With a post-handler the probe is not turned into a jump, which keeps ip */
static void fail_post(struct kprobe *kp, struct pt_regs *regs,
		      unsigned long flags)
{
}
#endif

static void fail_end(void *data)
{
	struct fail_call *f = data;

	if (f->registered)
		unregister_kprobe(&f->kp);
	f->registered = false;
}

static struct fail_call *fail_nth(struct kunit *test, const char *function,
				  unsigned int skip, long value)
{
	struct fail_call *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
#ifdef CONFIG_KPROBES
	f->kp.symbol_name = function;
	f->kp.pre_handler = fail_pre;
	f->kp.post_handler = fail_post;
	f->skip = skip;
	f->value = value;
	KUNIT_ASSERT_EQ_MSG(test, register_kprobe(&f->kp), 0, "%s", function);
	f->registered = true;
	add_action(test, fail_end, f);
	/* From here on: what is above allocates, too */
	f->task = current;
#else
	kunit_skip(test, "fails %s by a kprobe: needs CONFIG_KPROBES", function);
#endif
	return f;
}

static void vvar_oom_fault_says_so_and_a_retry_succeeds(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, 0x3);
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE;
	struct fail_call *f;
	pte_t pte;

	map_area(test, &t->area, addr);
	f = fail_nth(test, "pte_alloc_one", 0, 0);
	KUNIT_EXPECT_EQ(test, fault(test, addr), VM_FAULT_OOM);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte));

	KUNIT_EXPECT_EQ(test, fault(test, addr), VM_FAULT_NOPAGE);
	pte = get_pte(current->mm, addr + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
}

static void vvar_oom_populate_leaves_it_to_the_fault(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, 0x3);
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE;
	struct fail_call *f;
	pte_t pte;

	f = fail_nth(test, "pte_alloc_one", 0, 0);
	vvar_populate_on = true;
	map_area(test, &t->area, addr);
	vvar_populate_on = false;
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte));
	KUNIT_EXPECT_EQ(test, fault(test, addr), VM_FAULT_NOPAGE);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
}

static void vvar_oom_text_is_left_to_the_fault(struct kunit *test)
{
	struct fail_call *f;
	unsigned long addr;
	pte_t pte;

	attach_mm(test);
	/* The text comes first, in a page table of its own: [vvar] ends at it */
	f = fail_nth(test, "pte_alloc_one", 0, 0);
	vvar_populate_on = true;
	KUNIT_EXPECT_EQ(test, 0,
			map_vdso_once(&native_image, TEST_ADDR + 2 * PMD_SIZE -
				      VVAR_SIZE - vvar_hpet_size()));
	vvar_populate_on = false;
	addr = (unsigned long)current->mm->context.vdso;
	KUNIT_EXPECT_EQ(test, addr, TEST_ADDR + 2 * PMD_SIZE);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte));
	expect_readable(test, addr, true);
}

/* The area is none while @function returns @error, and one afterwards */
static void expect_unregistered(struct kunit *test, const char *function,
				int error)
{
	struct vvar_area area = {
		.name = "x", .vm_flags = AREA_FLAGS, .nr_slots = 1,
		.timens_slot = -1,
	};
	struct fail_call *f = fail_nth(test, function, 0, error);

	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), error ?: -ENOMEM);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	KUNIT_EXPECT_EQ(test, vvar_area_clear_slot(&area, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), 0);
	unregister_action(&area);
}

static void vvar_oom_area_without_memory_is_not_registered(struct kunit *test)
{
	expect_unregistered(test, "__kmalloc_noprof", 0);
}

static void vvar_oom_area_without_inode_is_not_registered(struct kunit *test)
{
	expect_unregistered(test, "alloc_anon_inode", -ENOMEM);
}

static void vvar_oom_area_without_file_is_not_registered(struct kunit *test)
{
	expect_unregistered(test, "alloc_file_pseudo", -ENFILE);
}

static void vvar_oom_text_without_file_is_not_registered(struct kunit *test)
{
	struct vdso_text text = { .name = "x" };
	struct fail_call *f = fail_nth(test, "alloc_file_pseudo", 0, -ENFILE);

	KUNIT_EXPECT_EQ(test, vdso_text_register(&text), -ENFILE);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	KUNIT_EXPECT_NULL(test, text.file);
	KUNIT_ASSERT_EQ(test, vdso_text_register(&text), 0);
	fput(text.file);
}

static void vvar_oom_map_leaves_no_link(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, 0);
	struct vm_area_struct *vma;
	struct fail_call *f;

	f = fail_nth(test, "vm_area_alloc", 0, 0);
	mmap_write_lock(current->mm);
	vma = vvar_area_map(current->mm, TEST_ADDR + 2 * PAGE_SIZE, &t->area);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vma), -ENOMEM);
	KUNIT_EXPECT_EQ(test, count_linked(&t->area), 0);
}

static void vvar_oom_reservation_leaves_the_slot_alone(struct kunit *test)
{
	struct test_area *t = make_pat_area(test);
	unsigned long pfn = reserve_pfn(test);
	u64 word = atomic64_read(&t->area.slots[0]);
	struct memtypes before = get_memtypes();
	struct fail_call *f;
	unsigned int i;

	/* Ours, and the memtype code's behind it */
	for (i = 0; i < 1 + pat_enabled(); i++) {
		f = fail_nth(test, "__kmalloc_cache_noprof", i, 0);
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				vvar_pat_set_slot(&t->area, 0, pfn,
						  _PAGE_CACHE_MODE_UC, 0,
						  NULL));
		KUNIT_EXPECT_EQ(test, f->failed, 1);
		KUNIT_EXPECT_EQ(test, atomic64_read(&t->area.slots[0]), word);
		expect_memtypes(test, before);
		kunit_release_action(test, fail_end, f);
	}
	KUNIT_EXPECT_EQ(test, 0,
			vvar_pat_set_slot(&t->area, 0, pfn, _PAGE_CACHE_MODE_UC,
					  0, NULL));
}

#ifdef CONFIG_HYPERV_TIMER
/* No System RAM, and not write-back by the MTRRs: uncached, as it always was */
static void vvar_oom_hvclock_page_that_is_no_ram_is_uncached(struct kunit *test)
{
	unsigned int slot = VDSO_PAGE_HVCLOCK_OFFSET;
	unsigned long addr, pfn = PHYS_PFN(hpet_address);
	struct fail_call *f;
	pte_t pte;

	if (!hpet_address || hv_get_tsc_pfn())
		kunit_skip(test, "no HPET, or a Hyper-V guest");
	addr = map_vclock(test, slot);
	add_action(test, clear_hvclock_action, NULL);
	f = fail_nth(test, "hv_get_tsc_pfn", 0, pfn);
	switch_clock(VDSO_CLOCKMODE_HVCLOCK, false);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	touch(test, addr);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == pfn);
	if (pat_enabled())
		expect_type(test, pte, _PAGE_CACHE_MODE_UC_MINUS);
}
#endif

static struct kunit_case vvar_oom_cases[] = {
#ifdef CONFIG_HYPERV_TIMER
	KUNIT_CASE(vvar_oom_hvclock_page_that_is_no_ram_is_uncached),
#endif
	KUNIT_CASE(vvar_oom_fault_says_so_and_a_retry_succeeds),
	KUNIT_CASE(vvar_oom_populate_leaves_it_to_the_fault),
	KUNIT_CASE(vvar_oom_text_is_left_to_the_fault),
	KUNIT_CASE(vvar_oom_area_without_memory_is_not_registered),
	KUNIT_CASE(vvar_oom_area_without_inode_is_not_registered),
	KUNIT_CASE(vvar_oom_area_without_file_is_not_registered),
	KUNIT_CASE(vvar_oom_text_without_file_is_not_registered),
	KUNIT_CASE(vvar_oom_map_leaves_no_link),
	KUNIT_CASE(vvar_oom_reservation_leaves_the_slot_alone),
	{}
};

static struct kunit_suite vvar_oom_suite = {
	.name = "vvar_oom",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_oom_cases,
};

/* --- time namespaces -------------------------------------------------------- */

#ifdef CONFIG_TIME_NS
static void put_ns_action(void *ns)
{
	put_time_ns(ns);
}

static struct time_namespace *make_ns(struct kunit *test)
{
	struct time_namespace *ns;

	ns = copy_time_ns(CLONE_NEWTIME, &init_user_ns, &init_time_ns);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(ns), "%pe", ns);
	add_action(test, put_ns_action, ns);
	return ns;
}

/* Four slots, the first two in use, mapped by a task that is in @ns */
static struct test_area *map_in_ns(struct kunit *test, struct time_namespace *ns)
{
	struct test_area *t = make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	struct nsproxy *nsproxy = current->nsproxy, copy = *nsproxy;

	copy.time_ns = ns;
	task_lock(current);
	current->nsproxy = &copy;
	task_unlock(current);
	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	task_lock(current);
	current->nsproxy = nsproxy;
	task_unlock(current);
	return t;
}

static void expect_timens_view(struct kunit *test, struct mm_struct *mm,
			       struct test_area *t, struct time_namespace *ns)
{
	pte_t pte = get_pte(mm, TEST_ADDR + PAGE_SIZE);

	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(ns->vvar_page));
	pte = get_pte(mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
	pte = get_pte(mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
}

/* The KUnit thread, which faults here, is in the initial namespace */
static void vvar_timens_kthread_sees_namespace_of_the_mm(struct kunit *test)
{
	struct time_namespace *ns = make_ns(test);
	struct test_area *t = map_in_ns(test, ns);

	expect_readable(test, TEST_ADDR + PAGE_SIZE, true);
	expect_timens_view(test, current->mm, t, ns);
}

/* A process of the initial namespace that faults in the test's mm */
struct remote_fault {
	struct mm_struct *mm;
	struct completion done;
	int ret;
};

static int remote_fault_fn(void *data)
{
	struct remote_fault *remote = data;

	mmap_read_lock(remote->mm);
	remote->ret = fixup_user_fault(remote->mm, TEST_ADDR + PAGE_SIZE,
				       FAULT_FLAG_REMOTE, NULL);
	mmap_read_unlock(remote->mm);
	complete(&remote->done);
	do_exit(0);
}

static void vvar_timens_remote_fault_sees_namespace_of_the_mm(struct kunit *test)
{
	struct time_namespace *ns = make_ns(test);
	struct test_area *t = map_in_ns(test, ns);
	struct remote_fault remote = { .mm = current->mm };

	init_completion(&remote.done);
	fork_mm(test, remote_fault_fn, &remote);
	wait_for_completion(&remote.done);
	KUNIT_EXPECT_EQ(test, remote.ret, 0);
	expect_timens_view(test, current->mm, t, ns);
}

static void vvar_timens_join_takes_the_old_view_away(struct kunit *test)
{
	struct test_area *t = map_in_ns(test, make_ns(test));
	pte_t pte;

	expect_readable(test, TEST_ADDR + PAGE_SIZE, true);
	vvar_area_join_timens(current->mm, &t->area, &init_time_ns);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_none(pte));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_none(pte));

	expect_readable(test, TEST_ADDR + PAGE_SIZE, true);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
}

static void vvar_timens_join_publishes_the_new_view(struct kunit *test)
{
	struct test_area *t = make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	struct time_namespace *ns = make_ns(test);

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE);
	vvar_populate_on = true;
	vvar_area_join_timens(current->mm, &t->area, ns);
	expect_timens_view(test, current->mm, t, ns);
}

/* Where the VMA is linked does not change, whichever CPU joins */
static void vvar_timens_join_stays_in_the_i_mmap(struct kunit *test)
{
	struct test_area *t = make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	struct vm_area_struct *vma = map_area(test, &t->area,
					      TEST_ADDR + PAGE_SIZE);
	struct address_space *mapping = vma_mapping(vma);
	struct time_namespace *ns = make_ns(test);
	int cpu;

	for_each_online_cpu(cpu) {
		set_cpus_allowed_ptr(current, cpumask_of(cpu));
		vvar_area_join_timens(current->mm, &t->area, ns);
		KUNIT_EXPECT_PTR_EQ(test, vma_mapping(vma), mapping);
		vvar_area_join_timens(current->mm, &t->area, &init_time_ns);
		KUNIT_EXPECT_PTR_EQ(test, vma_mapping(vma), mapping);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_EQ(test, count_linked(&t->area), 1);
}

static void vvar_timens_replace_of_time_data_reaches_namespaces(struct kunit *test)
{
	struct time_namespace *ns = make_ns(test);
	struct test_area *t = map_in_ns(test, ns);
	pte_t pte;

	expect_readable(test, TEST_ADDR + PAGE_SIZE, true);
	expect_timens_view(test, current->mm, t, ns);
	KUNIT_EXPECT_EQ(test, set_slot(t, 0, 2), 0);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_none(pte));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(ns->vvar_page));
}

/*
 * A process exits, and its namespace with it, but somebody has borrowed its mm
 * and reads on. The namespace has one reference on its page, the test another.
 */
static void vvar_timens_page_stays_with_the_mapping(struct kunit *test)
{
	struct time_namespace *ns = make_ns(test);
	struct test_area *t = map_in_ns(test, ns);
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct page *page = ns->vvar_page;
	struct fork_child c;

	get_page(page);
	fork_start(test, &c);
	wait_for_completion(&c.ready);
	kunit_release_action(test, put_ns_action, ns);
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	expect_readable(test, addr, true);
	expect_timens_view(test, current->mm, t, ns);

	/* The child's is the last */
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, 4 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	fork_stop(&c);
	KUNIT_EXPECT_TRUE(test, linked_becomes(&t->area, 0));
	/* Unlinked a little before it is closed */
	msleep(100);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	put_page(page);
}

static void vvar_timens_failing_map_lets_go_of_the_namespace(struct kunit *test)
{
	struct test_area *t = make_area_timens(test, 4, BIT(0), 3);
	struct nsproxy *nsproxy = current->nsproxy, copy = *nsproxy;
	struct time_namespace *ns = make_ns(test);
	struct page *page = ns->vvar_page;
	struct vm_area_struct *vma;
	struct fail_call *f;

	get_page(page);
	copy.time_ns = ns;
	f = fail_nth(test, "vm_area_alloc", 0, 0);
	task_lock(current);
	current->nsproxy = &copy;
	task_unlock(current);
	mmap_write_lock(current->mm);
	vma = vvar_area_map(current->mm, TEST_ADDR + PAGE_SIZE, &t->area);
	mmap_write_unlock(current->mm);
	task_lock(current);
	current->nsproxy = nsproxy;
	task_unlock(current);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vma), -ENOMEM);
	kunit_release_action(test, put_ns_action, ns);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	put_page(page);
}

static void vvar_timens_unreadable_area_is_not_populated(struct kunit *test)
{
	struct test_area *t = make_area_timens(test, 2, BIT(0), 1);
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	pte_t pte;

	map_area(test, &t->area, addr);
	KUNIT_ASSERT_EQ(test, 0,
			user_call(mprotect, addr, 2 * PAGE_SIZE,
				  PROT_NONE, 0, 0));
	vvar_populate_on = true;
	vvar_area_join_timens(current->mm, &t->area, make_ns(test));
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte));
	expect_readable(test, addr, false);
}

static void vvar_timens_initial_view_has_tombstone(struct kunit *test)
{
	struct test_area *t = make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	expect_readable(test, TEST_ADDR + PAGE_SIZE * 4, true);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);
}

static struct kunit_case vvar_timens_cases[] = {
	KUNIT_CASE(vvar_timens_initial_view_has_tombstone),
	KUNIT_CASE(vvar_timens_kthread_sees_namespace_of_the_mm),
	KUNIT_CASE(vvar_timens_remote_fault_sees_namespace_of_the_mm),
	KUNIT_CASE(vvar_timens_join_takes_the_old_view_away),
	KUNIT_CASE(vvar_timens_join_publishes_the_new_view),
	KUNIT_CASE(vvar_timens_join_stays_in_the_i_mmap),
	KUNIT_CASE(vvar_timens_replace_of_time_data_reaches_namespaces),
	KUNIT_CASE(vvar_timens_page_stays_with_the_mapping),
	KUNIT_CASE(vvar_timens_failing_map_lets_go_of_the_namespace),
	KUNIT_CASE(vvar_timens_unreadable_area_is_not_populated),
	{}
};

static struct kunit_suite vvar_timens_suite = {
	.name = "vvar_timens",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_timens_cases,
};

kunit_test_suite(vvar_timens_suite);
#endif /* CONFIG_TIME_NS */

kunit_test_suites(&vvar_area_suite, &vvar_fault_suite, &vvar_file_suite,
		  &vvar_populate_suite, &vvar_race_suite, &vvar_vdso_suite,
		  &vvar_mm_suite, &vvar_pat_suite, &vvar_vclock_suite,
		  &vvar_oom_suite);

MODULE_DESCRIPTION("KUnit tests of vvar areas");
MODULE_LICENSE("GPL");
