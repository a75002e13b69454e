/* SPDX-License-Identifier: MIT */
/* See tests/model/guest.h. SDM "Instructions That Cause VM Exits", "Other Causes of VM Exits", "Caching Translation Information". */
#include "tests/model/guest.h"

#include <string.h>

#include "arch/vmx_ops.h"
#include "mm/ept.h"
#include "vmx/msr_bitmap.h"

static u64 get(vmcs_field field)
{
	return *processor_field(field);
}

/* --- possible exits ------------------------------------------------------------------- */

struct condition {
	u32 reason;
	vmcs_field word;
	u32 mask;
};

#define IF(reason, word, field, name) { EXIT_##reason, VMCS_FIELD(field), CONTROL_MASK(word, name) }
#define IF_PIN(reason, name) IF(reason, PIN, PIN_BASED_CONTROLS, name)
#define IF_PROC(reason, name) IF(reason, PROC, PROCESSOR_BASED_CONTROLS, name)
#define IF_PROC2(reason, name) IF(reason, PROC2, SECONDARY_PROCESSOR_BASED_CONTROLS, name)

static const struct condition conditions[] = {
	IF_PIN(EXTERNAL_INTERRUPT, EXTERNAL_INTERRUPT_EXITING), IF_PIN(PREEMPTION_TIMER, ACTIVATE_PREEMPTION_TIMER),
	IF_PROC(INTERRUPT_WINDOW, INTERRUPT_WINDOW_EXITING), IF_PROC(NMI_WINDOW, NMI_WINDOW_EXITING), IF_PROC(HLT, HLT_EXITING),
	IF_PROC(INVLPG, INVLPG_EXITING), IF_PROC(RDPMC, RDPMC_EXITING), IF_PROC(RDTSC, RDTSC_EXITING), IF_PROC(RDTSCP, RDTSC_EXITING),
	IF_PROC(MOV_DR, MOV_DR_EXITING), IF_PROC(MWAIT, MWAIT_EXITING), IF_PROC(MONITOR, MONITOR_EXITING),
	IF_PROC(PAUSE, PAUSE_EXITING), IF_PROC(TPR_BELOW_THRESHOLD, USE_TPR_SHADOW), IF_PROC(MONITOR_TRAP_FLAG, MONITOR_TRAP_FLAG),
	IF_PROC(INVPCID, INVLPG_EXITING), IF_PROC2(APIC_ACCESS, VIRTUALIZE_APIC_ACCESSES),
	IF_PROC2(VIRTUALIZED_EOI, VIRTUAL_INTERRUPT_DELIVERY), IF_PROC2(GDTR_IDTR_ACCESS, DESCRIPTOR_TABLE_EXITING),
	IF_PROC2(LDTR_TR_ACCESS, DESCRIPTOR_TABLE_EXITING), IF_PROC2(WBINVD, WBINVD_EXITING), IF_PROC2(RDRAND, RDRAND_EXITING),
	IF_PROC2(RDSEED, RDSEED_EXITING), IF_PROC2(APIC_WRITE, APIC_REGISTER_VIRTUALIZATION),
};

static const u32 anywhere[] = {
	EXIT_CPUID, EXIT_INVD, EXIT_VMCALL, EXIT_VMCLEAR, EXIT_VMLAUNCH, EXIT_VMPTRLD, EXIT_VMPTRST, EXIT_VMREAD, EXIT_VMRESUME,
	EXIT_VMWRITE, EXIT_VMXOFF, EXIT_VMXON, EXIT_INVEPT, EXIT_INVVPID, EXIT_XSETBV, EXIT_GETSEC,
};

static bool msr_exits(const struct model_exit *exit, u32 msr)
{
	u32 byte;
	u8 mask;

	if (!(get(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_USE_MSR_BITMAPS) ||
	    !msr_bitmap_position(msr, exit->reason == EXIT_RDMSR ? MSR_READ : MSR_WRITE, &byte, &mask))
		return true;
	return ((const u8 *)phys_to_ptr(hpa(get(VMCS_MSR_BITMAP_ADDRESS))))[byte] & mask;
}

static bool port_exits(u32 port)
{
	u64 bitmap = port & 0x8000 ? get(VMCS_IO_BITMAP_B_ADDRESS) : get(VMCS_IO_BITMAP_A_ADDRESS);
	const u8 *bits = phys_to_ptr(hpa(bitmap));

	return bits == NULL || (bits[(port & 0x7fff) / 8] >> port % 8 & 1);
}

static bool io_exits(u64 qualification)
{
	u32 port = qualification >> 16 & 0xffff, size = (qualification & 7) + 1;

	if (size == 3 || size > 4)
		return false;
	if (!(get(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_USE_IO_BITMAPS))
		return get(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_UNCONDITIONAL_IO_EXITING;
	if (port + size > 0x10000)
		return true;
	for (u32 i = 0; i < size; i++)
		if (port_exits(port + i))
			return true;
	return false;
}

static bool event_exits(const struct model_exit *exit)
{
	u64 information = exit->interruption_information;

	if (!(information & INTERRUPTION_VALID))
		return false;
	if (interruption_is_nmi(information))
		return get(VMCS_PIN_BASED_CONTROLS) & PIN_NMI_EXITING;
	return interruption_type(information) == INTERRUPTION_HARDWARE_EXCEPTION && (information & 0xff) < 32 &&
	       (get(VMCS_EXCEPTION_BITMAP) >> (information & 31) & 1);
}

/* In L1, L0 intercepts MOV to CR0 and CR4, CLTS and LMSW; register numbers are any. */
static bool cr_exits(u64 qualification)
{
	u64 number = qualification & 15, type = qualification >> 4 & 3;

	if (model_in_l2())
		return true;
	return type == 0 ? number == 0 || number == 4 : type >= 2 && number == 0;
}

static bool is_waiting_for_sipi(void)
{
	return get(VMCS_GUEST_ACTIVITY_STATE) == ACTIVITY_WAIT_FOR_SIPI;
}

bool guest_can_exit(const struct model_exit *exit, u32 msr)
{
	if (is_waiting_for_sipi())
		return exit->reason == EXIT_SIPI;
	switch (exit->reason) {
	case EXIT_EXCEPTION_OR_NMI:
		return event_exits(exit);
	case EXIT_RDMSR:
	case EXIT_WRMSR:
		return msr_exits(exit, msr);
	case EXIT_IO_INSTRUCTION:
		return io_exits(exit->qualification);
	case EXIT_CR_ACCESS:
		return cr_exits(exit->qualification);
	case EXIT_INIT_SIGNAL:
		return true;
	case EXIT_TRIPLE_FAULT:
	case EXIT_TASK_SWITCH:
		return model_in_l2();
	default:
		break;
	}
	for (u32 i = 0; i < array_size(conditions); i++)
		if (conditions[i].reason == exit->reason && (get(conditions[i].word) & conditions[i].mask))
			return true;
	for (u32 i = 0; i < array_size(anywhere); i++)
		if (anywhere[i] == exit->reason)
			return true;
	return false;
}

/* --- accesses -------------------------------------------------------------------------- */

/* What L1 may expect: the processor's caches as the SDM describes them for vmcs12. */
static struct model_tlb expected;
u64 guest_accessed;
static u64 physical_of[2][GUEST_PAGES];	/* L1's and L2's linear pages */

void guest_accesses_begin(void)
{
	memset(&expected, 0, sizeof(expected));
	for (u32 n = 0; n < GUEST_PAGES; n++)
		physical_of[0][n] = physical_of[1][n] = UINT64_C(0x200000) + n * PAGE_SIZE;
}

void guest_edit(u32 n, u64 physical)
{
	physical_of[model_in_l2()][n] = physical & ~PAGE_MASK;
}

void guest_note_invvpid(u64 type, u16 vpid12, u32 n)
{
	tlb_invvpid(&expected, type, vpid12, guest_linear(n));
}

void guest_note_invept(u64 type, u64 eptp12)
{
	tlb_invept(&expected, type, eptp12 & EPTP_ADDRESS);
}

/* An entry or an exit of L1's, with this vmcs12. */
void guest_note_switch(const struct vmcs12 *vmcs12)
{
	if (!vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_VPID))
		tlb_flush_vpid(&expected, 0);
}

/* The tags under which the access happens: on the processor, and in L1's eyes. */
struct tags {
	struct tlb_entry real, seen;
};

static struct tags tags_now(u32 n)
{
	struct tags tags = { .real = { .linear = guest_linear(n) }, .seen = { .linear = guest_linear(n) } };

	if (get(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_ENABLE_VPID)
		tags.real.vpid = (u16)get(VMCS_VPID);
	tags.real.ep4ta = get(VMCS_EPT_POINTER) & EPTP_ADDRESS;
	if (model_in_l2()) {
		const struct vmcs12 *vmcs12 = model.vcpu.nested->current->vmcs12;

		if (vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_VPID))
			tags.seen.vpid = (u16)vmcs12_get(vmcs12, VMCS_VPID);
		if (vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_EPT))
			tags.seen.ep4ta = vmcs12_get(vmcs12, VMCS_EPT_POINTER) & EPTP_ADDRESS;
	}
	return tags;
}

/* Whatever the processor has cached for this page, L1 must be prepared for. */
static bool judge_cached(const struct tags *tags)
{
	const struct tlb_entry *real = NULL, *seen;
	bool any = false;

	while ((real = tlb_find(&processor.tlb, tags->real.vpid, tags->real.ep4ta, tags->real.linear, real))) {
		for (seen = tlb_find(&expected, tags->seen.vpid, tags->seen.ep4ta, tags->seen.linear, NULL); seen && seen->to != real->to;)
			seen = tlb_find(&expected, tags->seen.vpid, tags->seen.ep4ta, tags->seen.linear, seen);
		require(seen != NULL);
		guest_accessed = real->to;
		any = true;
	}
	return any;
}

static void cache(struct tags *tags, u64 physical, u64 to)
{
	tags->real.physical = tags->seen.physical = physical;
	tags->real.to = tags->seen.to = to;
	tlb_insert(&processor.tlb, &tags->real);
	tlb_insert(&expected, &tags->seen);
}

static bool violation(u64 physical, const struct model_access *result, u32 n, bool in_l2)
{
	struct model_exit exit = { .reason = EXIT_EPT_VIOLATION, .qualification = result->qualification, .physical = physical,
				   .linear = guest_linear(n), .length = 0 };
	struct tags tags = tags_now(n);

	tlb_violation(&processor.tlb, tags.real.ep4ta, physical);
	if (!model_exit(&exit) || model_in_l2() != in_l2) {
		tlb_violation(&expected, tags.seen.ep4ta, physical);
		return false;
	}
	return true;
}

bool guest_access(u32 n, u64 access)
{
	bool in_l2 = model_in_l2();
	u64 physical = physical_of[in_l2][n];

	for (u32 try = 0; try < 8; try++) {
		struct tags tags = tags_now(n);
		struct model_access result;

		if (judge_cached(&tags))
			return true;
		result = model_try(&processor.guest_physical, get(VMCS_EPT_POINTER), physical, access, false);
		if (result.done) {
			require(result.used.page < FAKE_BLOCK_BASE || result.used.page >= FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE ||
				result.used.page == model.machine->memory.scratch.value);
			cache(&tags, physical, result.used.page);
			guest_accessed = result.used.page;
			return true;
		}
		if (!violation(physical, &result, n, in_l2))
			return false;
	}
	broken_rule("an access that L0 has filled is done", __FILE__, __LINE__);
}
