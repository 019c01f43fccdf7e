// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of x86's [vvar], and who supplies them.
 */
#include <linux/clocksource.h>
#include <linux/init.h>
#include <linux/kstrtox.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vvar_fault.h>
#include <linux/workqueue.h>
#include <vdso/datapage.h>

#include <asm/hpet.h>
#include <asm/pvclock.h>
#include <asm/vdso.h>
#include <asm/vvar.h>
#include <asm/vvar_fault.h>
#include <clocksource/hyperv_timer.h>

unsigned int vclocks_used __read_mostly;

/* In the order of vdso-layout.lds.S, which is one for all three images */
enum {
	VVAR_TIME,
	VVAR_PVCLOCK,
	VVAR_HVCLOCK,
	VVAR_TIMENS,
#ifdef CONFIG_X86_VDSO_HPET
	VVAR_HPET,
#endif
	VVAR_NR
};

struct vvar_area vvar_area = {
	.name = "[vvar]",
	.nr_slots = VVAR_NR,
	.time_slot = VVAR_TIME,
	.timens_slot = VVAR_TIMENS,
};

#ifdef CONFIG_PARAVIRT_CLOCK
static unsigned long pvclock_pfn(void)
{
	struct pvclock_vsyscall_time_info *pvti = pvclock_get_pvti_cpu0_va();

	return pvti && vclock_was_used(VDSO_CLOCKMODE_PVCLOCK) ?
	       PHYS_PFN(__pa(pvti)) : 0;
}

/* As vvar always had it: hv_clock_boot is __bss_decrypted, too */
static unsigned int pvclock_flags(void)
{
	return VVAR_PAT_DECRYPTED;
}
#endif

#ifdef CONFIG_HYPERV_TIMER
static unsigned long hvclock_pfn(void)
{
	return vclock_was_used(VDSO_CLOCKMODE_HVCLOCK) ? hv_get_tsc_pfn() : 0;
}

/*
 * tsc_pg is __bss_decrypted, which __startup_64() honours where there is a C-bit
 * (SME, SEV): mapped encrypted, as vvar did before, it reads as ciphertext. With
 * TDX or vTOM the kernel itself keeps the page private.
 */
static unsigned int hvclock_flags(void)
{
	return sme_me_mask ? VVAR_PAT_DECRYPTED : 0;
}
#endif

#ifdef CONFIG_X86_VDSO_HPET
static bool vdso_hpet_wanted __ro_after_init;
static bool vdso_hpet_in_use;

static unsigned long hpet_pfn(void)
{
	return READ_ONCE(vdso_hpet_in_use) ? PHYS_PFN(hpet_address) : 0;
}
#endif

/*
 * Which page a slot shows now, if any. Pages of hypervisors stay once they have
 * been in use: readers that raced with a switch away re-read the sequence
 * count. Device registers go as soon as their clocksource does.
 */
static const struct vclock_page {
	unsigned int slot;
	unsigned long (*pfn)(void);	/* 0: none */
	enum page_cache_mode type;
	unsigned int (*flags)(void);	/* VVAR_PAT_*, NULL: none */
} vclock_pages[] = {
#ifdef CONFIG_PARAVIRT_CLOCK
	{ VVAR_PVCLOCK, pvclock_pfn, _PAGE_CACHE_MODE_WB, pvclock_flags },
#endif
#ifdef CONFIG_HYPERV_TIMER
	{ VVAR_HVCLOCK, hvclock_pfn, _PAGE_CACHE_MODE_WB, hvclock_flags },
#endif
#ifdef CONFIG_X86_VDSO_HPET
	/* hpet_set_mapping() has it UC-, by ioremap() */
	{ VVAR_HPET, hpet_pfn, _PAGE_CACHE_MODE_UC_MINUS },
#endif
};

/*
 * A replace sleeps; a clocksource's hooks run under stop_machine() with
 * interrupts off. Timekeeping has published the new mode by the time the work
 * runs, and readers that meet the tombstone until then fall back to the system
 * call.
 */
static void vvar_update_vclocks(struct work_struct *work)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vclock_pages); i++) {
		const struct vclock_page *page = &vclock_pages[i];
		unsigned long pfn = page->pfn();

		if (pfn)
			vvar_pat_set_slot(&vvar_area, page->slot, pfn,
					  page->type,
					  page->flags ? page->flags() : 0, NULL);
		else
			vvar_pat_clear_slot(&vvar_area, page->slot);
	}
}

static DECLARE_WORK(vvar_vclock_work, vvar_update_vclocks);

/**
 * vclocks_set_used - a clocksource with this vclock comes into use
 * @which: its vdso_clock_mode
 *
 * Context: A clocksource's enable hook: under stop_machine(), interrupts off.
 */
void vclocks_set_used(unsigned int which)
{
	WRITE_ONCE(vclocks_used, READ_ONCE(vclocks_used) | (1 << which));
	/* The TSC has no page; before workqueues, vvar_setup() looks for itself */
	if (system_state >= SYSTEM_SCHEDULING && which != VDSO_CLOCKMODE_TSC)
		schedule_work(&vvar_vclock_work);
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
	if (!vdso_hpet_wanted)
		return VDSO_CLOCKMODE_NONE;
	if (!IS_ALIGNED(address, PAGE_SIZE)) {
		pr_warn("vvar: HPET at %#lx is not page-aligned, vdso_hpet=1 ignored\n",
			address);
		return VDSO_CLOCKMODE_NONE;
	}
	return VDSO_CLOCKMODE_HPET;
}

/* Like vclocks_set_used(), the hooks run under stop_machine() */
int vdso_hpet_enable(struct clocksource *cs)
{
	if (cs->vdso_clock_mode == VDSO_CLOCKMODE_HPET) {
		WRITE_ONCE(vdso_hpet_in_use, true);
		vclocks_set_used(VDSO_CLOCKMODE_HPET);
	}
	return 0;
}

void vdso_hpet_disable(struct clocksource *cs)
{
	if (cs->vdso_clock_mode == VDSO_CLOCKMODE_HPET) {
		WRITE_ONCE(vdso_hpet_in_use, false);
		schedule_work(&vvar_vclock_work);
	}
}
#endif /* CONFIG_X86_VDSO_HPET */

/* One for each image, and an end mark */
static struct vdso_image_text {
	const struct vdso_image *image;
	struct vdso_text text;
} vdso_texts[4] __ro_after_init;

/* The slot that an image finds at @offset from its text, where vvar ends */
static long __init vdso_slot(const struct vdso_image *image, long offset)
{
	return (offset - image->sym_vvar_start) >> PAGE_SHIFT;
}

/**
 * vdso_image_register - make an image ready for vdso_image_map()
 * @image: the image
 *
 * Return: 0, -ENOMEM, or -EINVAL for an image with another idea of [vvar].
 */
int __init vdso_image_register(const struct vdso_image *image)
{
	unsigned long i, nr = image->size >> PAGE_SHIFT;
	struct vdso_image_text *t = vdso_texts;
	struct page **pages;

	/* vdso-layout.lds.S and the slots above tell the same story */
	if (WARN_ON(vdso_slot(image, image->sym_vvar_page) != VVAR_TIME ||
		    vdso_slot(image, image->sym_pvclock_page) != VVAR_PVCLOCK ||
		    vdso_slot(image, image->sym_hvclock_page) != VVAR_HVCLOCK ||
		    vdso_slot(image, image->sym_timens_page) != VVAR_TIMENS ||
		    vdso_slot(image, 0) != VVAR_NR))
		return -EINVAL;

	pages = kcalloc(nr, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		pages[i] = virt_to_page(image->data + (i << PAGE_SHIFT));

	while (t->image)
		t++;
	t->text.name = "[vdso]";
	t->text.pages = pages;
	t->text.nr_pages = nr;
	t->text.mremap = vdso_mremap;
	t->image = image;
	return vdso_text_register(&t->text);
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
	const struct vdso_image_text *t;

	for (t = vdso_texts; t->image; t++) {
		if (t->image == image)
			return vdso_text_map(mm, addr, &t->text);
	}
	return ERR_PTR(-ENOMEM);
}

static int __init vvar_setup(void)
{
	int ret;

	BUILD_BUG_ON(VDSO_HPET_COUNTER != HPET_COUNTER);

	ret = vvar_area_register(&vvar_area);
	if (ret)
		return ret;

	vvar_area_set_slot(&vvar_area, VVAR_TIME,
			   PHYS_PFN(__pa_symbol(&__vvar_page)),
			   pgprot_encrypted(PAGE_READONLY));
	/* Those that came into use before the area was there */
	vvar_update_vclocks(NULL);
	return 0;
}
arch_initcall(vvar_setup);
