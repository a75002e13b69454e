/* SPDX-License-Identifier: MIT */
/*
 * All nested state of a vCPU, and the functions that change it. Where L1 stands
 * is an enum, changed in switch_*.c and slots.c only. The words: vmcs12 is L1's
 * VMCS for L2, vmcs02 the one that runs on hardware in its place.
 */
#pragma once

#include "mm/guest_walk.h"
#include "vmx/exit.h"
#include "vmx/msr_bitmap.h"
#include "vmx/nested/bitmap02.h"
#include "vmx/nested/check.h"
#include "vmx/nested/ept02.h"
#include "vmx/nested/field_set.h"
#include "vmx/nested/insn.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/msr_lists.h"
#include "vmx/nested/quick_plan.h"
#include "vmx/nested/reflect.h"
#include "vmx/nested/refusal.h"
#include "vmx/nested/shadow12.h"
#include "vmx/vcpu.h"

/* SDM "VMX Operation", as L1 sees it. */
enum nested_state {
	NESTED_OUTSIDE,		/* before VMXON */
	NESTED_ROOT,		/* VMX root operation, no current VMCS */
	NESTED_ROOT_CURRENT,	/* with one */
	NESTED_IN_L2		/* VMX non-root operation: vmcs02 runs */
};

/* Active vmcs12s that a CPU keeps at a time; one more evicts the least recently used to L1's memory. */
#define NESTED_SLOTS 8

/* A power of two. */
#define NESTED_OPERANDS 16

#define NO_ADDRESS UINT64_C(0xffffffffffffffff)

/* Fields of a vmcs12 that L1 reaches in the slot's shadow VMCS without an exit: shadow_learn.c. */
struct shadow_set {
	vmcs_field reads[VMCS_FIELD_COUNT], writes[VMCS_FIELD_COUNT];	/* the second are among the first */
	u16 read_count, write_count;
	u8 open[VMCS_FIELD_COUNT];	/* enum vmcs_shadow */
	u64 asked[VMCS_FIELD_COUNT];	/* when L1 exited for it: nested.clock */
	u8 *vmread_bitmap, *vmwrite_bitmap;
	hpa_t vmread_at, vmwrite_at;	/* the same */
	struct row_set written;		/* the same as `writes` */
};

#define WHEREABOUTS_DEFERRED UINT32_C(0x000101)		/* rare_in_02, deferred */
#define WHEREABOUTS_OVERRIDDEN UINT32_C(0x010101)	/* and overridden */

/* By a slot's whereabouts: when a field of its vmcs12 is out of reach for quick VMREADs or VMWRITEs (nested.kept_back). */
#define KEPT_IF_RARE 0x0001	/* rare_in_02 */
#define KEPT_IF_DEFERRED 0x0100
#define KEPT_ALWAYS 0x0002
#define KEPT_SOFT 0x0004			/* it may be in `soft` */

/* One vmcs12 between VMPTRLD and VMCLEAR, and what runs on its behalf. */
struct nested_slot {
	u64 address;			/* l1_gpa of L1's region, or NO_ADDRESS */
	u64 last_used;
	u32 *region;			/* its first word, the revision, where L0 sees it */
	struct vmcs12 *vmcs12;
	struct vmcs vmcs02, shadow;
	struct vmcs_image image02;	/* the last merge */
	struct vmcs_image written02;	/* what vmcs02 holds, row by row, as L0 last wrote or read it */
	bool written_valid;
	bool dirty;			/* L1 changed a field that merge_again does not look at */
	struct check_memo memo;		/* that controls and host state passed */
	struct bitmap02 msr02, io02;	/* what vmcs02 has in place of L1's bitmaps; io02 only where L0 watches ports */
	struct merge_io io;
	struct vmcs_image shadowed;	/* what the shadow VMCS holds, as L0 last wrote or read it */
	struct vmcs_image soft;		/* in place of the shadow VMCS, where the processor has no VMCS shadowing: shadow_is_soft() */
	/*
	 * Once the shadow VMCS is whole, it has all fields that L1 reaches without an exit, and newer values than vmcs12
	 * of those that L1 may write there. Of a shadow VMCS of L1's (bit 31) it then has all fields that L1 is
	 * offered, and newer values of those in `newer` only.
	 */
	bool whole;
	struct row_set newer;
	bool in_memory;			/* L1's region has all of vmcs12 but `unsaved`; a shadow VMCS of L1's only */
	struct row_set unsaved;
	struct nested_slot *linked;	/* whose shadow VMCS vmcs02 has linked, or NULL: shadow_l2.c */
	struct shadow_set set;
	struct quick_plan quick;
	u64 remembered;			/* what it held, and still has, since address became NO_ADDRESS */
	union {
		u32 whereabouts;	/* the next ones in one piece, for a quick exit to set: WHEREABOUTS_... */
		struct {
			bool rare_in_02;	/* vmcs02 has newer values of the rare guest fields than vmcs12 */
			/* An exit took the quick way: vmcs12 has of it only the fields in `set`; quick_settle() brings the rest. */
			bool deferred, overridden;
		};
	};
	struct vm_exit override;	/* what L1 sees of that exit, where L0 has changed it (overridden) */
};

static_assert(offsetof(struct nested_slot, rare_in_02) == offsetof(struct nested_slot, whereabouts) &&
	      offsetof(struct nested_slot, deferred) == offsetof(struct nested_slot, whereabouts) + 1, "as KEPT_... have them");

/*
 * An NMI that L0 took for L1; an INIT that came in L1's VMX root operation; an NMI that L0 injects into
 * L2, which has it only once the entry has succeeded.
 */
enum { WAITING_NMI = 1, WAITING_INIT = 2, WAITING_ENTRY = 4 };

/* VMX abort: this processor stands still; question.watches_tpr. */
enum { SLOW_ABORTED = 1, SLOW_FOR_TPR = 2 };

/* vmcs02 as bent for an exit before L2's first instruction, and what it had before. */
struct immediate_exit {
	bool armed;
	u16 reason;			/* of the exit that L1 is to see */
	u64 timer, blocking, pending_debug;
};

/* watch.c */
struct watch {
	bool is_possible, is_on;
	u32 pause, next_pause;		/* entries to L1 until the watch may begin again; and after the next time it ends */
	u64 since;			/* nested.clock when it began */
	hpa_t msr_bitmap;		/* L1's, with the writes that are watched */
};

struct nested {
	enum nested_state state;
	u64 vmxon_pointer;		/* l1_gpa */
	struct nested_slot *current;	/* NULL: none */
	struct nested_slot slots[NESTED_SLOTS];
	u64 clock;

	const struct vmx_caps *hardware;
	struct vmx_caps offered;	/* what L1 is shown */
	const struct l1_memory *memory;
	struct vmcs_image image01;	/* vmcs01's controls and L0's host state; guest rows are scratch, but for the heartbeat's */
	struct ept02 ept02;

	u64 *msr_bitmap01;		/* L0's own, shared */
	const u64 *io_bitmaps01;	/* NULL: L0 watches no port */
	struct msr_entry *entry_load, *exit_load;	/* L0's copies of L1's lists */
	u32 exit_load_count;		/* to be loaded by the next entry to L1 */

	bool exists[VMCS_FIELD_COUNT];	/* rows that the processor has */
	u16 kept_back[2][VMCS_FIELD_COUNT + 1];	/* from VMREAD, VMWRITE, by row plus one: KEPT_..., KEPT_ALWAYS where L1 may not name it */
	u16 rows02[VMCS_FIELD_COUNT];	/* rows that vmcs02 has and L0 writes */
	u16 row02_count;
	u16 hot_rows[VMCS_FIELD_COUNT];	/* those of them that merge_again may change */
	u16 hot_count;
	u16 rare_rows[VMCS_FIELD_COUNT];	/* guest fields left in vmcs02 until L1 asks */
	u16 rare_count;
	bool is_rare[VMCS_FIELD_COUNT], is_hot[VMCS_FIELD_COUNT];
	bool shadowing;			/* the processor has VMCS shadowing */
	u8 *open_bitmap;		/* for VMCSs that L1 has made shadow VMCSs: open_in_shadow */
	hpa_t open_bitmap_at;
	u8 may_open[VMCS_FIELD_COUNT];	/* enum vmcs_shadow: how far shadow_learn.c may go */
	hpa_t vmread_bitmap01, vmwrite_bitmap01;	/* that vmcs01 has at the moment */
	struct field_set served;	/* fields that a shadow VMCS has for L2: those that L1 is offered */
	struct field_set open_in_shadow;	/* fields of a current shadow VMCS that L1 writes without an exit */
	struct shadow12_bitmap vmread02, vmwrite02;	/* for L2 */

	/* While any of these is set, but for `tracing`, no exit takes the quick way (vmx/quick.h). */
	union {
		u64 attention;
		struct {
			u8 waiting;		/* WAITING_...: what L0 holds until its guest can take it */
			bool nmi_window01, nmi_window02;	/* vmcs01, the current vmcs02 exit when an NMI can be taken */
			bool loads_once;	/* the next entry to L1 loads a list, or CET state, and later ones must not */
			bool mtrrs_loaded;	/* a list of L1's loads MTRRs: EPT01 follows at the next exit */
			bool monitor_trap;	/* L0 has carried out an instruction of an L2 with the monitor trap flag */
			u8 slow;		/* SLOW_... */
			bool tracing;		/* each exit is recorded: vmx/trace_exits.h. Other processors write it, too */
		};
	};
	/* Which plan's host state (quick_plan.host_class) vmcs01 has in what is watched, and in the read shadow of CR0; 0: not known. */
	u64 known01, known_cr0;
	u64 host_classes;		/* that have been */
	struct watch watch;
	u16 shared_vpid;		/* which of the VPIDs with one tag L2 had last, 0 before the first: switch_enter.c */
	bool resumed;			/* L0 enters L2 anew, of its own accord */
	struct reflect_question question;	/* kept, as most of it never changes */
	struct immediate_exit immediate;	/* windows.c */
	struct guest_walk_memo operands[NESTED_OPERANDS];	/* pages of L1's memory operands, by their number */
	struct refusal_log refusals;	/* of L1's VM entries */
};

/* Bring-up: everything that this CPU will ever need. False: the block is used up. */
bool nested_init(struct vcpu *vcpu) must_check;

/* Whether EPT is on decides what of vmcs02 was saved, so those fields come home before that changes. */
static inline bool nested_decides_about_rare(const struct vmcs_field_info *info)
{
	return info->field.index == VMCS_INDEX_PROCESSOR_BASED_CONTROLS ||
	       info->field.index == VMCS_INDEX_SECONDARY_PROCESSOR_BASED_CONTROLS;
}

/* --- slots.c: which vmcs12s are cached --------------------------------------- */

struct nested_slot *slots_find(struct nested *nested, u64 address);
/* The VMCS that was cleared in it last is active again. False: L1's region says other than the slot. */
bool slots_take_back(struct nested_slot *slot);
/* A slot for `address`, read from L1's region; evicts when all are taken, but not what was used last. */
struct nested_slot *slots_load(struct vcpu *vcpu, u64 address);
/* Writes the vmcs12 back to L1's region, with everything that vmcs02 still holds, and frees the slot. */
void slots_release(struct vcpu *vcpu, struct nested_slot *slot);
void slots_release_all(struct vcpu *vcpu);
/* VMCLEAR of a region that no slot has: only the launch state changes. */
void slots_clear_in_memory(struct nested *nested, u64 address);
/* Brings all rare guest fields of vmcs12 up to date from vmcs02. */
void slots_fetch_rare(struct vcpu *vcpu, struct nested_slot *slot);
/* Makes `slot` (or none, NULL) L1's current VMCS, with its shadow VMCS linked. */
void slots_set_current(struct vcpu *vcpu, struct nested_slot *slot);

/* --- bitmaps02.c: MSR and I/O bitmaps ---------------------------------------- */

void bitmaps02_refresh_learned(const struct nested *nested, struct nested_slot *slot);
/* Whose is an exit by a bitmap (OWNER_BITMAPS): L0's, L1's, or nobody's, if vmcs02's bitmap has learned from it. */
enum reflect_owner bitmaps02_owner(struct nested *nested, const struct vm_exit *exit);
/* Until L1's next entry L2's writes to the MSR of the task priority exit. */
void bitmaps02_watch_tpr(const struct nested *nested);

/* At each entry by L1: what vmcs02's bitmaps have learned follows what L1's say now. */
static inline void bitmaps02_refresh(const struct nested *nested, struct nested_slot *slot)
{
	if (slot->msr02.count | slot->io02.count)
		bitmaps02_refresh_learned(nested, slot);
}

/* --- shadow_vmcs.c: VMCS shadowing, by hardware where it can ------------------ */

bool shadow_init(struct vcpu *vcpu) must_check;
void shadow_link(struct vcpu *vcpu, struct nested_slot *slot);
void shadow_unlink(struct vcpu *vcpu);
void shadow_disable(struct vcpu *vcpu);
/* vmcs12 -> shadow VMCS: all shadowed fields, or one that L1 may read from it. */
void shadow_push(struct vcpu *vcpu, struct nested_slot *slot);
void shadow_push_field(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info);
/* Shadow VMCS -> vmcs12: the fields that L1 may have written without an exit. */
void shadow_pull(struct vcpu *vcpu, struct nested_slot *slot);

/* The exit has left guest fields in vmcs02: those that the shadow VMCS has are saved in vmcs12. vmcs02 is current. */
void shadow_save_open(const struct nested *nested, struct nested_slot *slot);
/* The shadow VMCS has this field from now on, for L1 to read, or to write as well. */
void shadow_open_field(struct vcpu *vcpu, struct nested_slot *slot, vmcs_field field, bool write);
/* A shadow VMCS that has all fields: L1 may write this one there, too. */
void shadow_open_write(struct nested_slot *slot, vmcs_field field);

/*
 * Without VMCS shadowing in the processor L1's VMREADs and VMWRITEs of the fields in the set exit, and work on `soft`, which is to
 * vmcs12 what the shadow VMCS would be. May this access go there?
 */
static inline bool shadow_is_soft(const struct nested *nested, const struct vmcs_field_info *info, bool write)
{
	return !nested->shadowing && nested->current->set.open[info->field.index] >= (write ? SHADOW_RW : SHADOW_RO);
}

static inline u64 shadow_soft_read(const struct nested_slot *slot, const struct vmcs_field_info *info, u64 encoding)
{
	u64 value = image_get(&slot->soft, info->field);

	return encoding & 1 ? value >> 32 : value;
}

static inline void shadow_soft_write(struct nested_slot *slot, const struct vmcs_field_info *info, u64 encoding, u64 value)
{
	if (encoding & 1)
		value = (u32)image_get(&slot->soft, info->field) | value << 32;
	image_set(&slot->soft, info->field, value & vmcs_width_mask(info->field.encoding));
}

/* --- shadow_learn.c: which fields a shadow VMCS has ------------------------------------ */

/* enum vmcs_shadow: how far a field may be open. */
u8 shadow_learn_limit(const struct vmcs_field_info *info);
/* L1's VMREAD or VMWRITE of this field in its current VMCS has exited, and vmcs12 has its value. */
void shadow_learn(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info, bool write);
/* The slot has another VMCS. */
void shadow_learn_anew(const struct nested *nested, struct nested_slot *slot);

/* --- shadow_l2.c: the shadow VMCSs that L1 makes (bit 31), and L2's access to them - */

static inline bool slot_is_shadow(const struct nested_slot *slot)
{
	return vmcs12_is_shadow(slot->vmcs12);
}

/* The shadow VMCS of such a slot gets every field; L1 may write those in open_in_shadow from now on. */
void shadow_open(struct vcpu *vcpu, struct nested_slot *slot);
/* vmcs12 gets what may be newer in the shadow VMCS: all of it, or one field. */
void shadow_fetch(struct vcpu *vcpu, struct nested_slot *slot);
void shadow_fetch_field(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info);
/* vmcs12 -> shadow VMCS, one field that L0 has changed. */
void shadow_update_field(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_field_info *info);
/* For L1's entry with VMCS shadowing: L1's link pointer and bitmaps as vmcs02 gets them. vmcs01 is current. */
struct merge_shadow shadow_arrange_l2(struct vcpu *vcpu, struct nested_slot *slot);
/* The same, if the link is as at the entry before and holds what its region has. Leaves the current VMCS alone. */
bool shadow_arrange_again(struct vcpu *vcpu, struct nested_slot *slot);

/* --- switch_enter.c, switch_leave.c, switch_refusal.c: between L1 and L2 --------- */

/* VMLAUNCH or VMRESUME of the current vmcs12, launch state and MOV SS already checked. */
struct insn_result switch_enter_l2(struct vcpu *vcpu);
/* Gives an exit of L2 to L1. vmcs02 is current; vmcs01 is, afterwards. */
void switch_leave_l2(struct vcpu *vcpu, const struct vm_exit *exit);
/* The same when L2 was not entered since vmcs02 was written: what it was to inject was being delivered. */
void switch_leave_unentered(struct vcpu *vcpu, const struct vm_exit *exit, u32 error_code);
/* That for an exception in L2 that L0 found and L1 intercepts. */
void switch_leave_for_event(struct vcpu *vcpu, u32 information, u32 error_code);
/* L1 exits for the first time after an exit of L2 that made the entry to L1 load something. vmcs01 is current. */
void switch_loads_done(struct vcpu *vcpu);
/* The processor refused vmcs02 (VMfail): as though L1's instruction had failed. */
struct insn_result switch_unwind_entry(struct vcpu *vcpu);
/* Each exit of L2 that is no failed entry, before anything else. */
void switch_note_exit(struct vcpu *vcpu);
/* The processor refused L2's state at entry although our checks passed it: say why, if the checks can now. */
void switch_explain_refusal(struct vcpu *vcpu, const struct vm_exit *exit);
/* INVEPT, if EPT02 has changed so that the processor may have more than it now says. */
void switch_flush_ept02(struct nested *nested);
/* What an entry does once must not be done again: MSR list, performance counters. */
void switch_drop_once_only(struct nested_slot *slot);

/* Writes a field of the VMCS that runs, remembering it where vmcs02 is meant. */
static inline void nested_write(struct vcpu *vcpu, vmcs_field field, u64 value)
{
	struct nested_slot *slot = vcpu->nested->current;

	vmcs_write(vcpu->running, field, value);
	if (vcpu->nested->state != NESTED_IN_L2)
		return;
	image_set(&slot->written02, field, value);
	/* Controls that L0 has bent are put right by a merge. */
	slot->quick.ready &= vmcs_encoding_type(field.encoding) != TYPE_CONTROL;
}

/* L0 handled the exit itself: what must hold before L2 goes on. */
static inline void switch_prepare_resume(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	const struct vmcs_image *written = &nested->current->written02;

	nested->resumed = true;
	if (unlikely(image_get(written, VMCS_ENTRY_MSR_LOAD_COUNT)) ||
	    unlikely(image_get(written, VMCS_ENTRY_CONTROLS) & ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL))
		switch_drop_once_only(nested->current);
	/* L1's timer, due at entry, is so still, whatever the processor has saved: sync.c. */
	if (unlikely(image_get(written, VMCS_PREEMPTION_TIMER_VALUE) == 0) &&
	    (image_get(written, VMCS_PIN_BASED_CONTROLS) & PIN_ACTIVATE_PREEMPTION_TIMER))
		vmcs_write(vcpu->running, VMCS_PREEMPTION_TIMER_VALUE, 0);
	if (unlikely(nested->ept02.flush_needed))
		switch_flush_ept02(nested);
}

static inline bool nested_in_l2(const struct vcpu *vcpu)
{
	return vcpu->nested->state == NESTED_IN_L2;
}
