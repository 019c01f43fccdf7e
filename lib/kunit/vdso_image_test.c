// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of vDSO images as tools have them: what /sys/kernel/vdso shows, and
 * uprobes in it. x86.
 */
#include <kunit/test.h>

#include <linux/elf.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/uprobes.h>
#include <linux/vdso_datastore.h>
#include <linux/vvar_fault.h>

#include <asm/vdso.h>

/* Far from anything that mmap would choose, at the start of a page table */
#define TEST_ADDR	(64UL * PMD_SIZE)

/* The image of programs with pointers as long as the kernel's */
#ifdef CONFIG_X86_64
#define native_image	vdso64_image
#define native_name	"x86_64"
#else
#define native_image	vdso32_image
#define native_name	"i386"
#endif

static const struct {
	const char *name;
	const struct vdso_image *image;
} images[] = {
#ifdef CONFIG_X86_64
	{ "x86_64", &vdso64_image },
#endif
#ifdef CONFIG_X86_X32_ABI
	{ "x32", &vdsox32_image },
#endif
#if defined(CONFIG_X86_32) || defined(CONFIG_IA32_EMULATION)
	{ "i386", &vdso32_image },
#endif
};

static void unmount_action(void *mnt)
{
	kern_unmount(mnt);
}

static void path_put_action(void *path)
{
	path_put(path);
}

/* Whoever runs the tests may not have mounted it */
static struct path *lookup(struct kunit *test, const char *name)
{
	struct file_system_type *sysfs = get_fs_type("sysfs");
	struct path *path = kunit_kzalloc(test, sizeof(*path), GFP_KERNEL);
	struct vfsmount *mnt;
	char where[32];
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, sysfs);
	KUNIT_ASSERT_NOT_NULL(test, path);
	mnt = kern_mount(sysfs);
	put_filesystem(sysfs);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(mnt), "%pe", mnt);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unmount_action, mnt));
	snprintf(where, sizeof(where), "kernel/vdso/%s", name);
	ret = vfs_path_lookup(mnt->mnt_root, mnt, where, 0, path);
	KUNIT_ASSERT_EQ_MSG(test, ret, 0, "%s", where);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, path_put_action, path));
	return path;
}

static void fput_action(void *file)
{
	fput(file);
}

/* An anonymous page, that this thread has an address space */
static void attach_mm(struct kunit *test)
{
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, TEST_ADDR, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, TEST_ADDR);
}

static void vvar_image_is_shown(struct kunit *test)
{
	unsigned int i;

	attach_mm(test);
	for (i = 0; i < ARRAY_SIZE(images); i++) {
		const struct vdso_image *image = images[i].image;
		struct path *path = lookup(test, images[i].name);
		struct inode *inode = d_inode(path->dentry);
		char *buf = kunit_kzalloc(test, image->size, GFP_KERNEL);
		struct file *file;
		loff_t pos = 0;
		ssize_t n = 0;

		KUNIT_ASSERT_NOT_NULL(test, buf);
		KUNIT_EXPECT_EQ(test, inode->i_mode, S_IFREG | 0444);
		KUNIT_EXPECT_EQ(test, i_size_read(inode), image->size);
		file = dentry_open(path, O_RDONLY, current_cred());
		KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(file), "%pe", file);
		KUNIT_ASSERT_EQ(test, 0,
				kunit_add_action_or_reset(test, fput_action, file));
		while (pos < image->size) {
			n = kernel_read(file, buf + pos, image->size - pos, &pos);
			if (n <= 0)
				break;
		}
		KUNIT_EXPECT_GT(test, n, 0);
		KUNIT_EXPECT_MEMEQ(test, buf, image->data, image->size);
		KUNIT_EXPECT_EQ(test, kernel_read(file, buf, 1, &pos), 0);
		n = vm_mmap(file, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, 0);
		KUNIT_EXPECT_EQ(test, n, -ENODEV);
	}
}

#ifdef CONFIG_VDSO_UPROBES
static int probe_handler(struct uprobe_consumer *self, struct pt_regs *regs,
			 __u64 *data)
{
	return 0;
}

/* Each in one probe at a time */
static struct uprobe_consumer consumers[] = {
	{ .handler = probe_handler },
	{ .handler = probe_handler },
};

/* A copy that something else holds, such as a batch, would not be given back */
static void unprobe(struct uprobe *uprobe, unsigned int consumer)
{
	lru_add_drain_all();
	uprobe_unregister_nosync(uprobe, &consumers[consumer]);
	uprobe_unregister_sync();
}

/* A function of the native image, by name */
static unsigned long function(struct kunit *test, const char *wanted)
{
	void *data = native_image.data;
#ifdef CONFIG_X86_64
	struct elf64_hdr *ehdr = data;
	struct elf64_shdr *sh = data + ehdr->e_shoff;
	struct elf64_sym *sym;
#else
	struct elf32_hdr *ehdr = data;
	struct elf32_shdr *sh = data + ehdr->e_shoff;
	struct elf32_sym *sym;
#endif
	unsigned int i, j;

	for (i = 0; i < ehdr->e_shnum; i++) {
		char *names = data + sh[sh[i].sh_link].sh_offset;

		if (sh[i].sh_type != SHT_DYNSYM)
			continue;
		sym = data + sh[i].sh_offset;
		for (j = 0; j < sh[i].sh_size / sizeof(*sym); j++) {
			if (!strcmp(names + sym[j].st_name, wanted))
				return sym[j].st_value;
		}
	}
	KUNIT_FAIL_AND_ABORT(test, "no %s", wanted);
	return 0;
}

/* Functions that can be probed, and trampolines that cannot */
static void vvar_image_offsets(struct kunit *test)
{
	unsigned int i, taken;
	unsigned long offset;

	for (i = 0; i < ARRAY_SIZE(images); i++) {
		struct inode *inode = d_inode(lookup(test, images[i].name)->dentry);

		taken = 0;
		for (offset = 0; offset < images[i].image->size + 2; offset++) {
			struct uprobe *uprobe = uprobe_register(inode, offset, 0,
								&consumers[0]);

			if (!IS_ERR(uprobe)) {
				unprobe(uprobe, 0);
				taken++;
				continue;
			}
			KUNIT_EXPECT_EQ_MSG(test, PTR_ERR(uprobe), -EINVAL,
					    "%s at %lx", images[i].name, offset);
		}
		KUNIT_EXPECT_GE(test, taken, 5);
		KUNIT_EXPECT_LT(test, taken, 20);
		/* Of a signal frame; 0 in an image that has none */
		offset = images[i].image->sym___kernel_sigreturn;
		KUNIT_EXPECT_TRUE(test, IS_ERR(vdso_uprobe_inode(inode, offset)));
		offset = images[i].image->sym___kernel_rt_sigreturn;
		KUNIT_EXPECT_TRUE(test, IS_ERR(vdso_uprobe_inode(inode, offset)));
	}
}

/* What the process has at @offset of its vDSO */
static void expect_byte(struct kunit *test, unsigned long offset, u8 want)
{
	u8 byte = 0;

	KUNIT_EXPECT_EQ(test, 0, copy_from_user(&byte, current->mm->context.vdso + offset,
						1));
	KUNIT_EXPECT_EQ_MSG(test, byte, want, "at %lx", offset);
}

static u8 original(unsigned long offset)
{
	return ((u8 *)native_image.data)[offset];
}

static void map_vdso_here(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, map_vdso_once(&native_image, TEST_ADDR + 2 * PAGE_SIZE));
}

static struct page *text_page(unsigned long offset)
{
	return virt_to_page(native_image.data + offset);
}

/* Is the page that is mapped a copy? */
static bool is_copy(struct kunit *test, unsigned long offset)
{
	unsigned long addr = (unsigned long)current->mm->context.vdso + offset;
	struct page *page = NULL;
	bool copy;

	mmap_read_lock(current->mm);
	KUNIT_EXPECT_EQ(test, 1, get_user_pages(addr, 1, 0, &page));
	mmap_read_unlock(current->mm);
	if (!page)
		return false;
	copy = PageAnon(page) && page != text_page(offset);
	put_page(page);
	return copy;
}

static void vvar_image_probe_comes_and_goes(struct kunit *test)
{
	struct inode *inode = d_inode(lookup(test, native_name)->dentry);
	unsigned long at = function(test, "__vdso_clock_gettime");
	unsigned long other = function(test, "__vdso_getcpu");
	struct uprobe *uprobe, *second;

	attach_mm(test);
	map_vdso_here(test);
	expect_byte(test, at, original(at));
	KUNIT_EXPECT_FALSE(test, is_copy(test, at));

	uprobe = uprobe_register(inode, at, 0, &consumers[0]);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(uprobe), "%pe", uprobe);
	expect_byte(test, at, 0xcc);
	expect_byte(test, other, original(other));
	KUNIT_EXPECT_TRUE(test, is_copy(test, at));
	KUNIT_EXPECT_NE(test, original(at), 0xcc);

	/* Another one, mostly in the same page */
	second = uprobe_register(inode, other, 0, &consumers[1]);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(second), "%pe", second);
	expect_byte(test, other, 0xcc);
	unprobe(uprobe, 0);
	expect_byte(test, at, original(at));
	expect_byte(test, other, 0xcc);
	unprobe(second, 1);
	expect_byte(test, other, original(other));
	KUNIT_EXPECT_FALSE(test, is_copy(test, at));
}

/* What other processes hold changes by few, meanwhile */
static void vvar_image_probes_leave_no_reference(struct kunit *test)
{
	struct inode *inode = d_inode(lookup(test, native_name)->dentry);
	unsigned long at = function(test, "__vdso_clock_gettime");
	struct folio *folio = page_folio(text_page(at));
	int refs, maps, i;

	attach_mm(test);
	map_vdso_here(test);
	refs = folio_ref_count(folio);
	maps = folio_mapcount(folio);
	for (i = 0; i < 100; i++) {
		struct uprobe *uprobe = uprobe_register(inode, at, 0,
							&consumers[0]);

		KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(uprobe), "%pe", uprobe);
		unprobe(uprobe, 0);
		expect_byte(test, at, original(at));
	}
	KUNIT_EXPECT_LT(test, abs(folio_ref_count(folio) - refs), 50);
	KUNIT_EXPECT_LT(test, abs(folio_mapcount(folio) - maps), 50);
}

static void vvar_image_mapped_later(struct kunit *test)
{
	struct inode *inode = d_inode(lookup(test, native_name)->dentry);
	unsigned long at = function(test, "__vdso_clock_gettime");
	struct uprobe *uprobe;
	unsigned long end;
	unsigned int i;

	attach_mm(test);
	uprobe = uprobe_register(inode, at, 0, &consumers[0]);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(uprobe), "%pe", uprobe);
	for (i = 0; i < 3; i++) {
		map_vdso_here(test);
		expect_byte(test, at, 0xcc);
		/* Gone with its mapping; the probe stays */
		end = (unsigned long)current->mm->context.vdso + native_image.size;
		KUNIT_EXPECT_EQ(test, 0, vm_munmap(TEST_ADDR + PAGE_SIZE,
						   end - TEST_ADDR - PAGE_SIZE));
	}
	unprobe(uprobe, 0);
	map_vdso_here(test);
	expect_byte(test, at, original(at));
	KUNIT_EXPECT_FALSE(test, is_copy(test, at));
}
#endif /* CONFIG_VDSO_UPROBES */

static struct kunit_case vvar_image_cases[] = {
	KUNIT_CASE(vvar_image_is_shown),
#ifdef CONFIG_VDSO_UPROBES
	KUNIT_CASE_SLOW(vvar_image_offsets),
	KUNIT_CASE(vvar_image_probe_comes_and_goes),
	KUNIT_CASE_SLOW(vvar_image_probes_leave_no_reference),
	KUNIT_CASE(vvar_image_mapped_later),
#endif
	{}
};

static struct kunit_suite vvar_image_suite = {
	.name = "vvar_image",
	.test_cases = vvar_image_cases,
};

kunit_test_suites(&vvar_image_suite);

MODULE_DESCRIPTION("KUnit tests of vDSO images");
MODULE_LICENSE("GPL");
