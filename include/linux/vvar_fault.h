/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_VVAR_FAULT_H
#define _LINUX_VVAR_FAULT_H

#include <linux/atomic.h>
#include <linux/mm_types.h>
#include <linux/sysfs.h>

/*
 * The fault path computes the whole range of an area inside one page table,
 * and relies on no VMA of an area spanning one: far below PTRS_PER_PTE.
 */
#define VVAR_MAX_SLOTS	16

struct file;
struct inode;
struct kernfs_node;
struct page;
struct time_namespace;
struct vvar_files;

/**
 * struct vvar_area - what one VMA of clock data shows: a row of slots
 * @name:	name in /proc/PID/maps
 * @vm_flags:	flags of its VMAs beside VM_READ and VM_MAYREAD: VM_PFNMAP or
 *		VM_MIXEDMAP, without which munmap could leave its TLB flush for
 *		later than the unlinking from i_mmap, and a replace return that
 *		saw neither (tlb_end_vma())
 * @nr_slots:	number of slots, one page each, 1..VVAR_MAX_SLOTS
 * @time_slot:	slot of the system-wide time data, or -1
 * @timens_slot: slot that changes places with @time_slot for a task in a time
 *		namespace, or -1
 * @in_use:	bit per slot: it shows a page and may be mapped by fault-around.
 *		A hint for the fault path; the slot's word decides.
 * @slots:	one word per slot: every PTE bit that the slot determines (pfn,
 *		cache type, encryption, special). The VMA's vm_page_prot
 *		supplies the rest.
 * @files:	the files behind the area's VMAs, through which a replace finds
 *		them
 *
 * The first five are set by the owner before vvar_area_register().
 */
struct vvar_area {
	const char *name;
	vm_flags_t vm_flags;
	unsigned int nr_slots;
	int time_slot;
	int timens_slot;
	/* mm/vvar_fault.c's own */
	unsigned long in_use;
	atomic64_t slots[VVAR_MAX_SLOTS];
	struct vvar_files *files;
};

/**
 * struct vdso_text - a vDSO image
 * @name:	name in /proc/PID/maps
 * @abi:	name in /sys/kernel/vdso
 * @vm_flags:	flags of its VMAs beside those that text has
 * @pages:	its pages, which stay for as long as the kernel runs
 * @nr_pages:	how many
 * @mremap:	called when current has moved the mapping to @vma
 * @file:	private: the file behind it
 * @attr:	private: what shows it to tools
 * @node:	private: the same in sysfs, by which uprobes know it
 * @next:	private: the next image that can be probed
 */
struct vdso_text {
	const char *name;
	const char *abi;
	vm_flags_t vm_flags;
	struct page **pages;
	unsigned long nr_pages;
	int (*mremap)(struct vm_area_struct *vma);
	struct file *file;
	struct bin_attribute attr;
	struct kernfs_node *node;
	struct vdso_text *next;
};

/* mm/vvar_fault.c */
int vvar_area_register(struct vvar_area *area);
int vvar_area_set_slot(struct vvar_area *area, unsigned int slot,
		       unsigned long pfn, pgprot_t prot);
int vvar_area_clear_slot(struct vvar_area *area, unsigned int slot);
struct vm_area_struct *vvar_area_map(struct mm_struct *mm, unsigned long addr,
				     struct vvar_area *area);
void vvar_area_join_timens(struct mm_struct *mm, struct vvar_area *area,
			   struct time_namespace *ns);
bool vma_is_vvar_area(const struct vm_area_struct *vma,
		      const struct vvar_area *area);

/* mm/vdso_text.c */
int vdso_text_register(struct vdso_text *text);
struct vm_area_struct *vdso_text_map(struct mm_struct *mm, unsigned long addr,
				     struct vdso_text *text);
bool vma_is_vdso_text(const struct vm_area_struct *vma);

/* mm/vdso_uprobes.c */
#ifdef CONFIG_VDSO_UPROBES
bool inode_is_vdso_text(const struct inode *inode);
struct inode *vdso_uprobe_inode(struct inode *inode, loff_t offset);
struct page *vdso_uprobe_page(const struct inode *inode, pgoff_t index);
#else
static inline bool inode_is_vdso_text(const struct inode *inode)
{
	return false;
}

static inline struct inode *vdso_uprobe_inode(struct inode *inode, loff_t offset)
{
	return inode;
}

static inline struct page *vdso_uprobe_page(const struct inode *inode, pgoff_t index)
{
	return NULL;
}
#endif

#endif /* _LINUX_VVAR_FAULT_H */
