/* SPDX-License-Identifier: MIT */
/*
 * What of a vmcs12 decides how an entry and an exit of its L2 can be quick, worked out once by
 * an entry that took the long way, and used until the vmcs12 changes. Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/nested/reflect.h"
#include "vmx/nested/sync.h"

/* Where the value with which L2 is entered comes from, for IA32_EFER and IA32_PAT. */
enum quick_source {
	QUICK_FROM_L2,		/* as its exit left it: vmcs12 loads what its exits save */
	QUICK_FROM_VMCS12,	/* vmcs12 loads it, but its exits do not save it */
	QUICK_FROM_L1		/* vmcs12 does not load it */
};

struct quick_plan {
	bool ready;		/* nothing that the plan rests on has changed since it was made */
	bool entered;		/* L2 was last entered by it */
	u8 efer, pat;		/* enum quick_source */
	bool keeps_efer, keeps_pat;	/* exits do not load L1's: it keeps L2's */
	bool keeps_nmi_blocking;	/* L1 inherits L2's: no virtual NMIs */
	bool reloads_timer;	/* exits do not save the preemption timer's value: each entry loads vmcs12's anew */
	bool flushes_vpid0;	/* exits drop what was cached for L1: no VPIDs */
	bool keeps;		/* any of the others above is not the ordinary case */
	/* As long as L2's EFER and PAT are `l2_efer` and `l2_pat`, all there is to do about it is to put the timer back after an exit. */
	bool steady;
	bool soft;		/* no VMCS shadowing in the processor: slot->soft is the shadow VMCS */
	bool apart;		/* `keeps` or `soft` */
	bool none_is_null;	/* of L1's SS, DS and ES */
	union {
		u32 special;	/* any of the next ones: the entry has more to do */
		struct {
			bool shares_vpid;	/* another VPID of L1's has the same tag */
			bool shadows;		/* L1 uses VMCS shadowing for L2 */
			bool unused;		/* no entry has gone by the plan yet */
		};
	};
	u64 eptp12, eptp02;	/* as vmcs02 has them */
	u64 l1_efer;		/* with which L1 enters */
	u64 l1_pat;		/* the same, where `pat` says so */
	u64 l2_efer, l2_pat;	/* as the last exit found them, where `keeps` */
	u32 enters, leaves, pushes;	/* not yet in the counters */
	u16 leave_reads, leave_writes, enter_reads;	/* VMCS accesses that there are in any case */
	u16 save_count, pull_count, watch_count;
	/* Of the fields that the shadow VMCS has: what each exit brings there; what of L1's writes vmcs02 gets as it is; the rest. */
	vmcs_field save[VMCS_FIELD_COUNT], pull[VMCS_FIELD_COUNT], watch[VMCS_FIELD_COUNT];
	/* enum reflect_owner: whose exits of a reason are (reflect_standing). Unless `entered`, OWNER_L0 but for EPT violations. */
	u8 owners[EXIT_REASON_COUNT];
	u8 standing[EXIT_REASON_COUNT];	/* the same as worked out last, for these pin-based and processor-based controls */
	u32 standing_for[3];
	const u64 *msr_bitmap12, *io_bitmaps12[2];	/* L1's, where L0 sees them; none that decides is NULL */
	u64 host_class;		/* the same for plans with the same `host01` in quick_watched[] */
	struct vmcs_image host01;	/* guest rows: L1's state after an exit, but for what L1 keeps of L2's */
};

/* Of L1's state what L1 changes only with L0's help, or while it is watched (vmx/nested/watch.h). */
#define QUICK_WATCHED 16
extern const vmcs_field quick_watched[QUICK_WATCHED];
bool quick_plan_has_same_watched(const struct quick_plan *plan, const struct quick_plan *other);

/* Has this vmcs12 nothing that only the long way does? */
bool quick_plan_is_possible(const struct vmcs12 *vmcs12);

/* Of the three values, the one that this enum quick_source names. */
static inline u64 quick_value(u8 source, u64 l2, u64 vmcs12, u64 l1)
{
	return source == QUICK_FROM_L1 ? l1 : source == QUICK_FROM_VMCS12 ? vmcs12 : l2;
}

/* IA32_EFER with which L1 goes on after an exit of L2 that left `l2_efer`. */
u64 quick_plan_efer01(const struct quick_plan *plan);

/* May the plan be `steady`? */
bool quick_plan_is_steady(const struct quick_plan *plan, const struct vmcs12 *vmcs12);

/* Makes the plan, but for the lists. `l2` is of no account: what depends on it is done at each exit. */
void quick_plan_make(struct quick_plan *plan, const struct vmcs12 *vmcs12);

/* From now on exits go by the plan: `owners`, for the question's vmcs12. */
void quick_plan_begin(struct quick_plan *plan, const struct reflect_question *question, const struct l1_memory *memory);
/* Neither entries nor exits do any more. */
void quick_plan_end(struct quick_plan *plan);

/* Fields of vmcs01 that each exit loads, and one more for each of base and limit of SS, DS and ES that are not null. */
#define QUICK_LOADS 22

/* The lists, from the fields that L1 may read and write without an exit. */
void quick_plan_lists(struct quick_plan *plan, const struct vmcs12 *vmcs12, const vmcs_field *reads, u16 read_count,
		      const vmcs_field *writes, u16 write_count);
