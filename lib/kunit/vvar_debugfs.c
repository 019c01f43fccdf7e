// SPDX-License-Identifier: GPL-2.0
/*
 * Test hooks in debugfs vvar/:
 *
 *   replace	write a number: so many times, the hvclock page's slot is
 *		replaced by one page, another and the tombstone, which is what
 *		it shows in the end. A page's last word is VVAR_LIVE, and
 *		VVAR_DEAD from when the slot should show it to nobody any more.
 *		Read: how often so far. Not for Hyper-V guests.
 *   slot	write "PFN TYPE": slot 0 of a test area shows that page with cache
 *		type WB, WC, UC-, UC, WT or WP, or fails. Read: what was asked
 *		and granted.
 *   map	write an address: the test area is mapped there.
 *   pte	write "PID ADDRESS", read its PTE in the page tables of that process
 *		(0: your own), and what tells encrypted from shared memory. All
 *		but the PID in hexadecimal. Touches nothing.
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/security.h>
#include <linux/uaccess.h>
#include <linux/vdso_datastore.h>
#include <linux/vvar_fault.h>

#include <asm/coco.h>
#include <asm/vdso/vsyscall.h>
#include <asm/vvar_fault.h>

static const char * const type_name[] = {
	[_PAGE_CACHE_MODE_WB] = "WB",
	[_PAGE_CACHE_MODE_WC] = "WC",
	[_PAGE_CACHE_MODE_UC_MINUS] = "UC-",
	[_PAGE_CACHE_MODE_UC] = "UC",
	[_PAGE_CACHE_MODE_WT] = "WT",
	[_PAGE_CACHE_MODE_WP] = "WP",
};

static struct vvar_area test_area = {
	.name = "[vvar_debug]",
	.vm_flags = VM_IO | VM_PFNMAP | VM_DONTDUMP,
	.nr_slots = 1,
	.time_slot = -1,
	.timens_slot = -1,
};

#define VVAR_LIVE	0x4556494cUL
#define VVAR_DEAD	0x44414544UL

static char slot_result[80] = "none\n";
static unsigned long replaced;
static DEFINE_MUTEX(debug_mutex);

static ssize_t slot_write(struct file *file, const char __user *ubuf,
			  size_t len, loff_t *pos)
{
	enum page_cache_mode got;
	char buf[64], name[8];
	unsigned long pfn;
	int want, ret;

	if (len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;
	buf[len] = 0;
	if (sscanf(buf, "%lx %7s", &pfn, name) != 2)
		return -EINVAL;
	want = match_string(type_name, ARRAY_SIZE(type_name), name);
	if (want < 0)
		return -EINVAL;

	guard(mutex)(&debug_mutex);
	ret = vvar_pat_set_slot(&test_area, 0, pfn, want, 0, &got);
	if (ret)
		vvar_pat_clear_slot(&test_area, 0);
	snprintf(slot_result, sizeof(slot_result), "%lx want %s got %s (%d)\n",
		 pfn, name, ret ? "-" : type_name[got], ret);
	return ret ?: len;
}

static ssize_t slot_read(struct file *file, char __user *ubuf, size_t len,
			 loff_t *pos)
{
	guard(mutex)(&debug_mutex);
	return simple_read_from_buffer(ubuf, len, pos, slot_result,
				       strlen(slot_result));
}

static const struct file_operations slot_fops = {
	.read = slot_read,
	.write = slot_write,
};

static int map_set(void *data, u64 addr)
{
	struct vm_area_struct *vma;

	if (!IS_ALIGNED(addr, PAGE_SIZE) || addr < mmap_min_addr ||
	    addr > TASK_SIZE - PAGE_SIZE)
		return -EINVAL;
	if (mmap_write_lock_killable(current->mm))
		return -EINTR;
	vma = vvar_area_map(current->mm, addr, &test_area);
	mmap_write_unlock(current->mm);
	return PTR_ERR_OR_ZERO(vma);
}
DEFINE_DEBUGFS_ATTRIBUTE(map_fops, NULL, map_set, "%llu\n");

static char lookup_result[80] = "none\n";

static ssize_t lookup_write(struct file *file, const char __user *ubuf,
			    size_t len, loff_t *pos)
{
	unsigned int level = PG_LEVEL_NONE;
	struct task_struct *task;
	struct mm_struct *mm;
	unsigned long addr;
	char buf[64];
	pte_t *pte;
	int pid;

	if (len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;
	buf[len] = 0;
	if (sscanf(buf, "%d %lx", &pid, &addr) != 2 || addr >= TASK_SIZE_MAX)
		return -EINVAL;
	task = pid ? find_get_task_by_vpid(pid) : get_task_struct(current);
	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	put_task_struct(task);
	if (!mm)
		return -ESRCH;

	guard(mutex)(&debug_mutex);
	mmap_read_lock(mm);
	pte = lookup_address_in_pgd(pgd_offset(mm, addr), addr, &level);
	snprintf(lookup_result, sizeof(lookup_result),
		 "%llx encrypted %llx shared %llx\n",
		 pte && level == PG_LEVEL_4K ? (u64)pte_val(ptep_get(pte)) : 0,
		 cc_mkenc(0), cc_mkdec(0));
	mmap_read_unlock(mm);
	mmput(mm);
	return len;
}

static ssize_t lookup_read(struct file *file, char __user *ubuf, size_t len,
			   loff_t *pos)
{
	guard(mutex)(&debug_mutex);
	return simple_read_from_buffer(ubuf, len, pos, lookup_result,
				       strlen(lookup_result));
}

static const struct file_operations lookup_fops = {
	.read = lookup_read,
	.write = lookup_write,
};

static int replace_get(void *data, u64 *val)
{
	*val = READ_ONCE(replaced);
	return 0;
}

/* But for the last word, a page is to a reader in the vDSO what the tombstone is */
static int replace_set(void *data, u64 times)
{
	static unsigned long *page[2];
	const unsigned int last = PAGE_SIZE / sizeof(long) - 1;
	unsigned int i, step;
	int ret = 0, err;

	guard(mutex)(&debug_mutex);
	for (i = 0; i < ARRAY_SIZE(page); i++) {
		if (!page[i])
			page[i] = (void *)get_zeroed_page(GFP_KERNEL);
		if (!page[i])
			return -ENOMEM;
	}
	for (step = 0; times && !signal_pending(current); times--) {
		if (step < ARRAY_SIZE(page)) {
			WRITE_ONCE(page[step][last], VVAR_LIVE);
			ret = vvar_pat_set_slot(&vvar_vclock_area,
						VDSO_PAGE_HVCLOCK_OFFSET,
						PHYS_PFN(__pa(page[step])),
						_PAGE_CACHE_MODE_WB, 0, NULL);
		} else {
			ret = vvar_pat_clear_slot(&vvar_vclock_area,
						  VDSO_PAGE_HVCLOCK_OFFSET);
		}
		if (ret)
			break;
		if (step)
			WRITE_ONCE(page[step - 1][last], VVAR_DEAD);
		WRITE_ONCE(replaced, replaced + 1);
		step = (step + 1) % (ARRAY_SIZE(page) + 1);
	}
	err = vvar_pat_clear_slot(&vvar_vclock_area, VDSO_PAGE_HVCLOCK_OFFSET);
	for (i = 0; !err && i < ARRAY_SIZE(page); i++)
		WRITE_ONCE(page[i][last], VVAR_DEAD);
	return ret ?: err;
}
DEFINE_DEBUGFS_ATTRIBUTE(replace_fops, replace_get, replace_set, "%llu\n");

static int __init vvar_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("vvar", NULL);
	int ret = vvar_area_register(&test_area);

	if (ret)
		return ret;
	debugfs_create_file("slot", 0600, dir, NULL, &slot_fops);
	debugfs_create_file("pte", 0600, dir, NULL, &lookup_fops);
	debugfs_create_file_unsafe("map", 0200, dir, NULL, &map_fops);
	debugfs_create_file_unsafe("replace", 0600, dir, NULL, &replace_fops);
	return 0;
}
late_initcall(vvar_debugfs_init);
