// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86's own pages of clock data, and who supplies them.
 */
#include <linux/clocksource.h>
#include <linux/init.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vdso_datastore.h>
#include <linux/vvar_fault.h>

#include <asm/hpet.h>
#include <asm/pvclock.h>
#include <asm/vdso.h>
#include <asm/vdso/vsyscall.h>
#include <asm/vvar_fault.h>
#include <clocksource/hyperv_timer.h>

unsigned int vclocks_used __read_mostly;

#define VCLOCK_FLAGS	(VM_IO | VM_PFNMAP | VM_DONTDUMP | VM_SEALED_SYSMAP)

struct vvar_area vvar_vclock_area = {
	.name = "[vvar_vclock]",
	.vm_flags = VCLOCK_FLAGS,
	.nr_slots = VDSO_NR_VCLOCK_PAGES,
	.time_slot = -1,
	.timens_slot = -1,
};

#ifdef CONFIG_PARAVIRT_CLOCK
static unsigned long pvclock_pfn(void)
{
	struct pvclock_vsyscall_time_info *pvti = pvclock_get_pvti_cpu0_va();

	return pvti ? PHYS_PFN(__pa(pvti)) : 0;
}
#endif

#ifdef CONFIG_X86_VDSO_HPET
/*
 * A mapping of its own in front of [vvar]: the other pages stay where programs
 * find them, and device registers are only in the way where they were asked for.
 */
struct vvar_area vvar_hpet_area = {
	.name = "[vvar_hpet]",
	.vm_flags = VCLOCK_FLAGS,
	.nr_slots = 1,
	.time_slot = -1,
	.timens_slot = -1,
};

static bool vdso_hpet_wanted __ro_after_init;
static bool vdso_hpet_shown __ro_after_init;

static unsigned long hpet_pfn(void)
{
	return PHYS_PFN(hpet_address);
}
#endif

/*
 * The pages that a clocksource's readers need beside the time data. Those of
 * hypervisors stay once they have been in use: readers that raced with a switch
 * away re-read the sequence count. Device registers go with their clocksource.
 */
static const struct vclock_page {
	enum vdso_clock_mode mode;
	struct vvar_area *area;
	unsigned int slot;
	unsigned long (*pfn)(void);	/* 0: none */
	enum page_cache_mode type;
	unsigned int flags;		/* VVAR_PAT_* */
	bool io;
} vclock_pages[] = {
#ifdef CONFIG_PARAVIRT_CLOCK
	/* As vvar always had it: hv_clock_boot is __bss_decrypted, too */
	{ VDSO_CLOCKMODE_PVCLOCK, &vvar_vclock_area,
	  VDSO_PAGE_PVCLOCK_OFFSET, pvclock_pfn,
	  _PAGE_CACHE_MODE_WB, VVAR_PAT_DECRYPTED },
#endif
#ifdef CONFIG_HYPERV_TIMER
	/* The hypervisor's choice, and uncached if it is no RAM, or by an MTRR */
	{ VDSO_CLOCKMODE_HVCLOCK, &vvar_vclock_area,
	  VDSO_PAGE_HVCLOCK_OFFSET, hv_get_tsc_pfn,
	  _PAGE_CACHE_MODE_WB, VVAR_PAT_SUBSTITUTE },
#endif
#ifdef CONFIG_X86_VDSO_HPET
	/* hpet_set_mapping() has it UC-, by ioremap() */
	{ VDSO_CLOCKMODE_HPET, &vvar_hpet_area, 0, hpet_pfn,
	  _PAGE_CACHE_MODE_UC_MINUS, 0, true },
#endif
};

/**
 * arch_clocksource_switch - show the pages that readers of a clocksource need
 * @cs: what the switch is to, or has been to
 * @done: is it over?
 *
 * A page comes before its mode is published and goes after that, so that no reader
 * in the vDSO ever meets a tombstone, which would send it to the system call: a
 * seccomp filter may kill it there.
 *
 * Context: Process context, may sleep. clocksource_mutex held.
 */
void arch_clocksource_switch(struct clocksource *cs, bool done)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vclock_pages); i++) {
		const struct vclock_page *page = &vclock_pages[i];
		bool current_one = page->mode == cs->vdso_clock_mode;
		unsigned long pfn = current_one && !done ? page->pfn() : 0;

		if (pfn)
			vvar_pat_set_slot(page->area, page->slot, pfn,
					  page->type, page->flags, NULL);
		else if (!current_one && done && page->io)
			vvar_pat_clear_slot(page->area, page->slot);
	}
}

#ifdef CONFIG_X86_VDSO_HPET
static int __init vdso_hpet_setup(char *s)
{
	return !kstrtobool(s, &vdso_hpet_wanted);
}
__setup("vdso_hpet=", vdso_hpet_setup);

/**
 * vdso_hpet_mode - how the vDSO reads the HPET
 * @address: physical address of its block of registers
 *
 * Return: VDSO_CLOCKMODE_HPET, or VDSO_CLOCKMODE_NONE if vdso_hpet=1 was not
 * given, or if the page would show more than one block of registers.
 */
enum vdso_clock_mode vdso_hpet_mode(unsigned long address)
{
	BUILD_BUG_ON(VDSO_HPET_COUNTER != HPET_COUNTER);

	if (!vdso_hpet_wanted)
		return VDSO_CLOCKMODE_NONE;
	if (!IS_ALIGNED(address, PAGE_SIZE)) {
		pr_warn("vvar: HPET at %#lx is not page-aligned, vdso_hpet=1 ignored\n",
			address);
		return VDSO_CLOCKMODE_NONE;
	}
	vdso_hpet_shown = true;
	return VDSO_CLOCKMODE_HPET;
}

/**
 * vvar_hpet_size - bytes of what is mapped in front of [vvar]
 *
 * Return: a page, or 0 without vdso_hpet=1.
 */
unsigned long vvar_hpet_size(void)
{
	return vdso_hpet_shown ? PAGE_SIZE : 0;
}
#else
unsigned long vvar_hpet_size(void)
{
	return 0;
}
#endif /* CONFIG_X86_VDSO_HPET */

/**
 * vvar_map - map all clock data: [vvar], and what is beside it
 * @mm: the address space
 * @addr: where [vvar] goes, with room for vvar_hpet_size() in front
 *
 * Context: Process context, may sleep. mmap_lock held for write.
 * Return: 0 or -ENOMEM.
 */
int vvar_map(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = vdso_install_vvar_mapping(mm, addr);

	if (!IS_ERR(vma))
		vma = vvar_area_map(mm, VDSO_VCLOCK_PAGES_START(addr),
				    &vvar_vclock_area);
#ifdef CONFIG_X86_VDSO_HPET
	if (!IS_ERR(vma) && vdso_hpet_shown)
		vma = vvar_area_map(mm, addr - PAGE_SIZE, &vvar_hpet_area);
#endif
	if (IS_ERR(vma))
		do_munmap(mm, addr, __VDSO_PAGES * PAGE_SIZE, NULL);
	return PTR_ERR_OR_ZERO(vma);
}

/* One for each image, and an end mark */
static struct vdso_image_text {
	const struct vdso_image *image;
	struct vdso_text text;
} vdso_texts[4] __ro_after_init;

/* What uname and user space call it */
static const char * __init vdso_abi(const struct vdso_image *image)
{
#ifdef CONFIG_X86_64
	if (image == &vdso64_image)
		return "x86_64";
#endif
#ifdef CONFIG_X86_X32_ABI
	if (image == &vdsox32_image)
		return "x32";
#endif
	return "i386";
}

/**
 * vdso_image_register - make an image ready for vdso_image_map()
 * @image: the image
 *
 * Without memory for it, at boot, there is nothing to go on with.
 */
void __init vdso_image_register(const struct vdso_image *image)
{
	unsigned long i, nr = image->size >> PAGE_SHIFT;
	struct vdso_image_text *t = vdso_texts;
	struct page **pages;

	pages = kcalloc(nr, sizeof(*pages), GFP_KERNEL);
	for (i = 0; pages && i < nr; i++)
		pages[i] = virt_to_page(image->data + (i << PAGE_SHIFT));

	while (t->image)
		t++;
	t->text.name = "[vdso]";
	t->text.abi = vdso_abi(image);
	t->text.vm_flags = VM_SEALED_SYSMAP;
	t->text.pages = pages;
	t->text.nr_pages = nr;
	t->text.mremap = vdso_mremap;
	if (!pages || vdso_text_register(&t->text))
		panic("vvar: no memory for a vDSO of %lu pages\n", nr);
	t->image = image;
}

/**
 * vdso_image_map - map the text of an image
 * @mm: the address space
 * @addr: where
 * @image: the image
 *
 * Context: Process context, may sleep. mmap_lock held for write.
 * Return: the VMA, or ERR_PTR(-ENOMEM).
 */
struct vm_area_struct *vdso_image_map(struct mm_struct *mm, unsigned long addr,
				      const struct vdso_image *image)
{
	struct vdso_image_text *t;

	for (t = vdso_texts; t->image; t++) {
		if (t->image == image)
			return vdso_text_map(mm, addr, &t->text);
	}
	return ERR_PTR(-ENOMEM);
}

static void __init vvar_register(struct vvar_area *area)
{
	int ret = vvar_area_register(area);

	if (ret)
		panic("vvar: %s: %pe\n", area->name, ERR_PTR(ret));
}

static int __init vvar_setup(void)
{
	vvar_register(&vvar_vclock_area);
#ifdef CONFIG_X86_VDSO_HPET
	vvar_register(&vvar_hpet_area);
#endif
	return 0;
}

/* Before a clocksource is chosen (clocksource_done_booting()) */
arch_initcall(vvar_setup);
