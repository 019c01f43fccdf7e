/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lock-free fault path of an area (mm/vvar_fault.c) against everything
 * that takes its PTEs away, for spin. One slot, one PTE in each of two VMAs; or,
 * with JOIN, two PTEs in one VMA: the time data's, where a time namespace has a
 * page of its own, and timens_slot's, where the namespace has the time data.
 *
 * Each step names the kernel function that it stands for. What happens under
 * a lock that all parties take is one step where that loses nothing; what the
 * fault path does without a lock is one step for each access to memory. What
 * mremap moves stays in its i_mmap, behind the VMA that it is moved from; a child
 * is in another one (shard), which a replace walks before or after its parent's.
 * Memory is sequentially consistent here: *.litmus are about its order.
 *
 * Scenario (-D):
 *	USERS=n		threads that touch VMA 0, the last may be a kthread
 *	TOUCHES=n	touches of each
 *	REPLACES=n	replaces, one after another
 *	FORK		a child gets VMA 1, populated or not, and touches it
 *	MREMAP		VMA 0 moves to VMA 1, in the same mm
 *	MUNMAP		VMA 0 is unmapped (the child's VMA 1 with FORK)
 *	MAP		VMA 1 is mapped into the same mm and populated
 *	JOIN=n		user 0 joins n time namespaces, one after another: the
 *			VMA's view changes, zap, and with
 *	POPULATE	(vvar.populate=1) populate
 *	KTHREAD		the last user is a kthread that has borrowed the mm
 *	STRAY		clearing a PTE may leave A/D bits (pte_none() is true)
 *	LOCKED		the fault publishes under the PTE lock (vvar.locked=1)
 *	REFCOUNT	the VMA's read lock is a reference, as since 6.16
 *	LIVENESS	with the claim that every touch ends (pan -a -f)
 *
 * Mutants (-D), each wrong in one way: M_*, see run.sh.
 */
#ifndef USERS
#define USERS		2
#endif
#ifndef TOUCHES
#define TOUCHES		2
#endif
#ifndef REPLACES
#define REPLACES	2
#endif
#ifndef JOIN
#define JOIN		0
#endif

#if defined(FORK) || defined(MAP)
#define THREADS		(USERS + 1)
#else
#define THREADS		USERS
#endif

/* Which mm has VMA v? A child is another mm, a moved VMA is in the same one */
#if defined(FORK)
#define MM(v)		(v)
#else
#define MM(v)		0
#endif

/* And which i_mmap is it in? */
#define IMAP(v)		MM(v)

/* The VMA and page table of PTE v: with JOIN, PTE 1 is timens_slot's */
#if JOIN
#define VMA(v)		0
#else
#define VMA(v)		(v)
#endif

/* A PTE: 0 or a page; a stray bit alone still is pte_none() */
#define STRAY_BIT	64
#define pte_none(p)	((p) == 0 || (p) == STRAY_BIT)
/* The pages: of the slot's k-th content, tombstone, of the k-th time namespace */
#define TOMBSTONE	16
#define NS_PAGE		32

byte slot = 1;			/* area->slots[]: a page, 1.. */
bool in_use = true;		/* area->in_use: may be mapped around */
byte ns = 0;			/* the VMA's view: its time_ns */

byte live = 1;			/* older pages of the slot were replaced */
byte live_ns = 0;		/* older namespaces were left */

byte pte[2];			/* in the page table of VMA(v) */
bool pmd[2];			/* the table is installed */
bool freed[2];			/* the table is free */
bool ptl[2];

bool linked[2];			/* in the maple tree of its mm */
bool detached[2];		/* vma->detached */
bool vma_w[2];			/* vm_lock_seq == mm_lock_seq */
bool vma_wait[2];		/* a writer waits: down_read_trylock() fails */
byte vma_r[2];			/* readers of vma->vm_lock */

bool mmap_w[2];			/* mmap_lock */
byte mmap_r[2];

bool in_imap[2];		/* in i_mmap of one of the area's files */
bool imap_w[2];			/* i_mmap_rwsem, which all take for write */

byte flushing[2];		/* mm->tlb_flush_pending */
byte tlb[THREADS];		/* one entry for each thread's CPU: page, */
bit tlb_pte[THREADS];		/* and the PTE that it is of */

bool rcu[THREADS];		/* in an RCU read-side section */
bool gp_waits[THREADS];		/* that the grace period must wait for */

byte nr_ended = 0;			/* threads that have ended */

/*
 * The properties; the number shows in spin's message (run.sh looks for it).
 * P1	no stale PTE once replace has returned
 * P2	no stale TLB entry either
 * P3	no access to a page table that was freed
 * P4	every touch ends: no lost publish that loops for ever
 * P5	a PTE that is present is never overwritten, a table is freed empty
 * P6	no page of a time namespace that was left, nor the view without one
 */
#define must(p, x)	assert((x) || p == 0)
#define must_show(p, v, page)					\
	must(p, (page) >= live);				\
	must(6, ((page) >= NS_PAGE -> (page) - NS_PAGE >= live_ns : \
		live_ns == 0 || (v == 1 && (page) != TOMBSTONE)))

inline lock(l)
{
	atomic { !l -> l = true }
}

/* ptep_get_and_clear(): an atomic exchange */
inline clear_pte(v)
{
	if
	:: pte[v] = 0
#ifdef STRAY
	:: pte[v] = STRAY_BIT
#endif
	fi
}

/* set_pte_at() of a copied PTE */
inline set_pte(v, p)
{
	must(3, !freed[v]);
	must(5, pte_none(pte[v]));
	must_show(1, v, p);
	pte[v] = p
}

/* flush_tlb_range() of a PTE, or flush_tlb_mm() if @all */
inline flush_tlb(v, all)
{
	d_step {
		i = 0;
		do
		:: i < THREADS ->
			if
			:: tlb[i] != 0 && (tlb_pte[i] == v ||
			   all && MM(tlb_pte[i]) == MM(v)) -> tlb[i] = 0
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

inline mmap_write_lock(m)
{
	atomic { !mmap_w[m] && mmap_r[m] == 0 -> mmap_w[m] = true }
}

inline mmap_read_lock(m)
{
	atomic { !mmap_w[m] -> mmap_r[m]++ }
}

/* vma_start_write(): wait for the readers, keep new ones out */
inline vma_start_write(v)
{
	vma_wait[v] = true;
	atomic { vma_r[v] == 0 -> vma_w[v] = true; vma_wait[v] = false }
}

inline imap_lock_write(v)
{
	atomic { !imap_w[IMAP(v)] -> imap_w[IMAP(v)] = true }
}

/* What vvar_publish_slots() finds for PTE v in the namespace @view */
inline read_word(v, view)
{
	if
	:: JOIN && v == 1 && view == 0 -> word = TOMBSTONE
	:: JOIN && v == 0 && view != 0 -> word = NS_PAGE + view
	:: else -> word = slot
	fi
}

/* vvar_publish() */
inline publish(v, view)
{
#ifndef M_WORD_BEFORE_RCU
	read_word(v, view);
#endif
	/* ptep_get_lockless() */
	atomic { must(3, !freed[VMA(v)]); old = pte[v] };
	if
#ifdef M_ONLY_IN_USE
	:: pte_none(old) && in_use ->
#else
	:: pte_none(old) ->
#endif
		/* arch_vvar_try_set_pte() */
		atomic {
			must(3, !freed[VMA(v)]);
			if
#if defined(M_PLAIN_STORE) || defined(LOCKED)
			:: true ->
#else
#ifdef M_COMPARE_ZERO
			:: pte[v] == 0 ->
#else
			:: pte[v] == old ->
#endif
#endif
				must(5, pte_none(pte[v]));
				must(1, word >= live);
				pte[v] = word
			:: else
			fi
		}
	:: else
	fi
}

/*
 * vvar_map_pages(): in RCU, with the VMA's read lock or mmap_lock. And
 * vvar_populate(), with mmap_lock held for write. @view is the namespace.
 */
inline map_pages(t, v, view)
{
#ifdef M_WORD_BEFORE_RCU
	word = slot;
#endif
	rcu[t] = true;
	/* pmd_install(): under the PMD lock */
	atomic {
		if
		:: !pmd[VMA(v)] -> must(3, !freed[VMA(v)]); pmd[VMA(v)] = true
		:: else
		fi
	}
#ifdef LOCKED
	lock(ptl[VMA(v)]);		/* vvar_publish_slow() */
#endif
#if JOIN
	/* Both are mapped around the other, timens_slot in a namespace */
	seen = view;
	publish(0, seen);
	if
	:: v == 1 || seen != 0 -> publish(1, seen)
	:: else
	fi;
	seen = 0;
#else
	publish(v, view);
#endif
#ifdef LOCKED
	ptl[VMA(v)] = false;
#endif
	atomic {
		word = 0;
		old = 0;
		rcu[t] = false;
		gp_waits[t] = false
	}
}

/*
 * A thread that touches PTE 0 or 1 until it has read TOUCHES times, or got a
 * SIGSEGV. User 0 joins its namespaces in between.
 */
proctype user(byte t; bool kthread)
{
	byte n = 0, word = 0, old = 0, i = 0;
	bit v = 0;
#if JOIN
	byte seen = 0;
#endif

#ifdef FORK
	v = (t == USERS)
#endif
again:
	do
	:: n == TOUCHES -> break
	:: n < TOUCHES ->
#if defined(MREMAP) || defined(MAP) || JOIN
		if
		:: v = 0
		:: v = 1
		fi;
#endif
touch:		/* The CPU: its TLB, or a page walk that fills it */
		if
		:: atomic { tlb[t] != 0 && tlb_pte[t] == v ->
			must_show(2, v, tlb[t]);
			n++
		   }
		:: atomic { (tlb[t] == 0 || tlb_pte[t] != v) &&
			pmd[VMA(v)] && !pte_none(pte[v]) ->
			must(3, !freed[VMA(v)]);
			must_show(1, v, pte[v]);
			tlb[t] = pte[v];
			tlb_pte[t] = v;
			n++
		   }
		:: atomic { (tlb[t] == 0 || tlb_pte[t] != v) &&
			(!pmd[VMA(v)] || pte_none(pte[v])) -> skip }
			goto fault
		fi;
#if JOIN
		if
		:: t == 0 && ns < JOIN -> goto join
		:: else
		fi
#endif
	od;
	goto out;

fault:		/* lock_vma_under_rcu() */
	if
	:: kthread || !linked[VMA(v)] -> goto slow
	:: !kthread && linked[VMA(v)] -> skip
	fi;
	/* vma_start_read() */
#ifdef REFCOUNT
	atomic {			/* vm_refcnt is 0 when detached */
		if
		:: detached[VMA(v)] -> goto fault
		:: !detached[VMA(v)] && (vma_w[VMA(v)] || vma_wait[VMA(v)]) ->
			goto slow
		:: else -> vma_r[VMA(v)]++
		fi
	}
#else
	if
	:: atomic { !vma_w[VMA(v)] && !vma_wait[VMA(v)] -> vma_r[VMA(v)]++ }
	:: atomic { vma_w[VMA(v)] || vma_wait[VMA(v)] -> goto slow }
	fi;
#ifndef M_NO_DETACHED_CHECK
	if
	:: detached[VMA(v)] -> vma_r[VMA(v)]--; goto fault
	:: else
	fi;
#endif
#endif
	map_pages(t, v, ns);
	vma_r[VMA(v)]--;
	goto touch;

slow:		/* lock_mm_and_find_vma() */
	mmap_read_lock(MM(v));
	if
	:: !linked[VMA(v)] ->
		mmap_r[MM(v)]--;
#if defined(MREMAP) || defined(MAP)
		n++;			/* at the other address, then */
		goto again
#else
		goto out
#endif
	:: else
	fi;
	map_pages(t, v, ns);
	mmap_r[MM(v)]--;
	goto touch;

#if JOIN
join:		/* setns(): single-threaded, but for a kthread */
	/* vvar_area_join_timens() */
#ifdef M_JOIN_READ_LOCK
	mmap_read_lock(0);
#else
	mmap_write_lock(0);
#endif
	if
	:: linked[0] ->			/* for_each_vma() */
		vma_start_write(0);
#ifndef M_ZAP_BEFORE_VIEW
		ns = ns + 1;		/* vma->vm_private_data */
#endif
#ifdef M_PUT_BEFORE_ZAP
		live_ns = ns;		/* vvar_view_put() frees the old page */
#endif
		flushing[0]++;		/* zap_vma_pages() */
		if
		:: pmd[0] ->
			lock(ptl[0]);
			clear_pte(0);
#ifndef M_JOIN_ONE_PTE
			clear_pte(1);
#endif
			ptl[0] = false
		:: else
		fi;
		flush_tlb(0, true);
		flushing[0]--;
#ifdef POPULATE
		map_pages(t, 0, ns);
#endif
#ifdef M_ZAP_BEFORE_VIEW
		ns = ns + 1;
#endif
		live_ns = ns;		/* vvar_view_put(), setns() returns */
		vma_w[0] = false	/* as mmap_lock is let go */
	:: else -> ns = ns + 1; live_ns = ns
	fi;
#ifdef M_JOIN_READ_LOCK
	mmap_r[0]--;
#else
	mmap_w[0] = false;
#endif
	goto again;
#endif

out:
	atomic { nr_ended++; tlb[t] = 0 }
}

/* vvar_shows() */
inline look(v)
{
	shows = false;
	if
	:: pmd[VMA(v)] ->
#ifndef M_LOOK_NO_LOCK
		lock(ptl[VMA(v)]);
#endif
		atomic {
			must(3, !freed[VMA(v)]);
			shows = (pte[v] == was);
#ifndef M_LOOK_NO_PENDING
			shows = shows || (pte_none(pte[v]) && flushing[MM(v)] > 0)
#endif
		}
#ifndef M_LOOK_NO_LOCK
		ptl[VMA(v)] = false
#endif
	:: else
	fi
}

/* What vvar_take_back() does for one PTE: zap_page_range_single() */
inline zap_vma(v)
{
	if
	:: in_imap[VMA(v)] -> look(v)
	:: else -> shows = false
	fi;
	if
	:: shows ->
		flushing[MM(v)]++;		/* tlb_gather_mmu() */
		cleared = false;
		if
		:: pmd[VMA(v)] ->
			lock(ptl[VMA(v)]);
			atomic {
				must(3, !freed[VMA(v)]);
				cleared = !pte_none(pte[v]);
				if
				:: cleared -> clear_pte(v)
				:: else
				fi
			}
			ptl[VMA(v)] = false
		:: else
		fi;
		/* tlb_finish_mmu(), mm_tlb_flush_nested() */
		if
#ifdef M_NO_NESTED_FLUSH
		:: cleared -> flush_tlb(v, false)
#else
		:: flushing[MM(v)] > 1 -> flush_tlb(v, true)
		:: flushing[MM(v)] <= 1 && cleared -> flush_tlb(v, false)
#endif
		:: else
		fi;
		flushing[MM(v)]--
	:: else
	fi
}

inline synchronize_rcu()
{
	d_step {
		i = 0;
		do
		:: i < THREADS -> gp_waits[i] = rcu[i]; i++
		:: else -> break
		od;
		i = 0
	}
	i = 0;
	do
	:: i < THREADS -> atomic { !gp_waits[i] -> i++ }
	:: i == THREADS -> break
	od;
	i = 0
}

/* vvar_take_back(), which gives up the lock between two VMAs; for timens_slot, too */
inline take_back(v)
{
	imap_lock_write(v);
	zap_vma(v);
	imap_w[IMAP(v)] = false
}

inline zap()
{
#if defined(FORK)
	if				/* whichever shard comes first */
	:: take_back(0); take_back(1)
	:: take_back(1); take_back(0)
	fi
#elif defined(M_WALK_ORDER)
	take_back(1);
	take_back(0)
#elif defined(M_REPLACE_ONE_PTE)
	take_back(0)
#else
	take_back(0);
	take_back(1)
#endif
}

/* Replace: vvar_area_set_slot(), vvar_area_clear_slot() */
proctype replacer()
{
	byte k = 0, i = 0, was = 0;
	bool cleared = false, shows = false;

	do
	:: k < REPLACES ->
		was = slot;
#ifdef M_ZAP_FIRST
		zap();
#endif
#ifdef M_GP_FIRST
		synchronize_rcu();
#endif
		atomic {
			slot = slot + 1;
			if
			:: in_use = true
			:: in_use = false	/* a tombstone */
			fi
		}
#if !defined(M_NO_GP) && !defined(M_GP_FIRST)
		synchronize_rcu();
#endif
#ifndef M_ZAP_FIRST
		zap();
#endif
		/* It returns: nobody has an older page, or gets it again */
		d_step {
			live = slot;
			must(1, freed[0] || pte_none(pte[0]) ||
			     pte[0] >= live);
			must(1, freed[VMA(1)] || pte_none(pte[1]) ||
			     pte[1] >= live);
			k++
		}
	:: k == REPLACES -> break
	od
}

/* __do_munmap(), from the write-locked mmap_lock on */
inline munmap(v)
{
#ifndef M_MUNMAP_NO_WAIT
	vma_start_write(v);		/* vms_gather_munmap_vmas() */
#else
	vma_w[v] = true;
#endif
	detached[v] = true;
	linked[v] = false;
	if
	:: true				/* vms->unlock: mmap_write_downgrade() */
		-> atomic {
			vma_w[0] = false;
			vma_w[1] = false;
			mmap_w[MM(v)] = false;
			mmap_r[MM(v)]++;
			down = true
		}
	:: true
	fi;
	flushing[MM(v)]++;
	if
	:: pmd[v] ->
		lock(ptl[v]);		/* unmap_vmas() */
		clear_pte(v);
#if JOIN
		clear_pte(1);
#endif
		ptl[v] = false;
#ifndef M_NO_PFNMAP_FLUSH
		flush_tlb(v, JOIN)	/* tlb_end_vma(): VM_PFNMAP */
#endif
	:: else
	fi;
	/* free_pgtables() */
#ifndef M_FREE_BEFORE_UNLINK
	imap_lock_write(v);
	in_imap[v] = false;
	imap_w[IMAP(v)] = false;
#endif
	if
	:: pmd[v] ->
		pmd[v] = false;
		flush_tlb(v, JOIN);	/* tlb_finish_mmu() */
		d_step {
			must(5, pte_none(pte[v]));
			pte[v] = 0;
#if JOIN
			must(5, pte_none(pte[1]));
			pte[1] = 0;
#endif
			freed[v] = true
		}
	:: else -> freed[v] = true	/* from now on a table is an error */
	fi;
#ifdef M_FREE_BEFORE_UNLINK
	imap_lock_write(v);
	in_imap[v] = false;
	imap_w[IMAP(v)] = false;
#endif
	flushing[MM(v)]--;
	if
	:: down -> mmap_r[MM(v)]--
	:: else -> atomic {
			vma_w[v] = false;
			mmap_w[MM(v)] = false
		}
	fi
}

#ifdef MUNMAP
proctype munmapper(bit v)
{
	bool down = false;
	byte i = 0;

	mmap_write_lock(MM(v));
	munmap(v)
}
#endif

#ifdef FORK
proctype forker()
{
	byte p = 0, word = 0, old = 0;

	mmap_write_lock(0);		/* dup_mmap() */
	if
	:: !linked[0] -> goto out
	:: else
	fi;
	vma_start_write(0);
	linked[1] = true;
#ifndef M_PUBLISH_BEFORE_LINK
	imap_lock_write(1);
	in_imap[1] = true;
	imap_w[IMAP(1)] = false;
#endif
#ifndef M_FORK_COPIES
	if				/* vvar_fork(): vvar.populate=1, or 0 */
	:: map_pages(USERS, 1, 0)
	:: true
	fi;
#else
	/* copy_pte_range() */
	if
	:: pmd[0] ->
		pmd[1] = true;
		lock(ptl[1]);
		lock(ptl[0]);
		p = pte[0];
		if
		:: !pte_none(p) -> atomic { set_pte(1, p) }
		:: else
		fi;
		p = 0;
		ptl[0] = false;
		ptl[1] = false
	:: else
	fi;
#endif
#ifdef M_PUBLISH_BEFORE_LINK
	imap_lock_write(1);
	in_imap[1] = true;
	imap_w[IMAP(1)] = false;
#endif
	vma_w[0] = false;
out:
	atomic {
		mmap_w[0] = false;
		run user(USERS, false)
#ifdef MUNMAP
		;
		run munmapper(1)
#endif
	}
}
#endif

#ifdef MREMAP
proctype mover()
{
	byte p = 0, i = 0;
	bool down = false;

	mmap_write_lock(0);		/* move_vma() */
	vma_start_write(0);
#ifndef M_MOVE_NO_VMA_LOCK
	vma_w[1] = true;		/* copy_vma(): vma_link() */
#endif
	linked[1] = true;
	imap_lock_write(1);
	in_imap[1] = true;
	imap_w[IMAP(1)] = false;
	/* move_ptes() */
	if
	:: pmd[0] ->
		atomic { pmd[1] = true };
		lock(ptl[0]);
		lock(ptl[1]);
		p = pte[0];
		if
		:: !pte_none(p) ->
			clear_pte(0);
#ifndef M_MOVE_NO_FLUSH
			atomic { set_pte(1, p) };
			flush_tlb(0, false)
#else
			atomic { set_pte(1, p) }
#endif
		:: else
		fi;
		p = 0;
		ptl[1] = false;
		ptl[0] = false
	:: else
	fi;
	munmap(0);
	vma_w[1] = false
}
#endif

#ifdef MAP
/* vvar_area_map(); VMA 1's page table may be there: a neighbour's */
proctype mapper()
{
	byte word = 0, old = 0;

	mmap_write_lock(0);
	vma_w[1] = true;		/* insert_vm_struct() */
#ifdef M_POPULATE_BEFORE_LINK
	map_pages(USERS, 1, 0);
#endif
	linked[1] = true;
	imap_lock_write(1);
	in_imap[1] = true;
	imap_w[IMAP(1)] = false;
#ifndef M_POPULATE_BEFORE_LINK
	map_pages(USERS, 1, 0);
#endif
	atomic { vma_w[1] = false; mmap_w[0] = false; nr_ended++ }
}
#endif

init {
	atomic {
		linked[0] = true;
		in_imap[0] = true;
		run user(0, false);
#if USERS > 1
#ifdef KTHREAD
		run user(1, true);
#else
		run user(1, false);
#endif
#endif
#if REPLACES
		run replacer();
#endif
#ifdef FORK
		run forker();
#elif defined(MUNMAP)
		run munmapper(0);
#endif
#ifdef MREMAP
		run mover();
#endif
#ifdef MAP
		run mapper();
#endif
	}
}

#ifdef LIVENESS
ltl touches_end { <> (nr_ended == THREADS) }	/* P4 */
#endif
