/* SPDX-License-Identifier: MIT */
/*
 * Exit 33: rules on privileges, modes, and what a guest may wait with; and PDPTEs
 * in memory. SDM "Checks on the Guest State Area".
 */
#include "tests/guests/insn/entry.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define BAD EXIT_GUEST(0)
#define DPL(n) ((u64)(n) << 5)
#define UNRESTRICTED { SECONDARY_CONTROLS, 0, PROC2_UNRESTRICTED_GUEST }
#define INJECT(bits) { VM_ENTRY_INTERRUPTION_INFORMATION, ~0ull, EVENT_VALID | (bits) }
#define IF_SET { GUEST_RFLAGS, 0, RFLAGS_IF }
#define CR4_CET BIT(23)
/*
 * Guest state that has not changed since the last exit may be left to the processor by a hypervisor beneath: after a
 * write of a field that few hypervisors touch it is not, so that a rule which the emulator lacks is asked.
 */
#define LOOK_AT_ALL { GUEST_LDTR_SELECTOR, 0, 0 }

static bool has_unrestricted(void)
{
	return proc2_offers(PROC2_UNRESTRICTED_GUEST);
}

static bool has_cet(void)
{
	return rdmsr(IA32_VMX_CR4_FIXED1) & CR4_CET;
}

/* CPUID.7: what a bit of the guest state needs besides VMX. */
static bool has_sgx(void)
{
	return cpuid(7, 0).ebx & BIT(2);
}

static bool has_rtm(void)
{
	return cpuid(7, 0).ebx & BIT(11);
}

static bool loads_debug(void)
{
	return entry_offers(ENTRY_LOAD_DEBUG_CONTROLS);
}

static bool loads_perf(void)
{
	return entry_offers(ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL);
}

static const struct entry_case privileges[] = {
	{ "cs.data_with_dpl_1", { UNRESTRICTED, { GUEST_CS_ACCESS_RIGHTS, 0xf, 3 | DPL(1) } }, BAD, has_unrestricted, 590 },
	{ "cs.conforming_above_ss", { { GUEST_CS_ACCESS_RIGHTS, 0xf, 0xf | DPL(3) } }, BAD, NULL, 592 },
	{ "ss.dpl_and_cs_dpl_above_rpl", { { GUEST_CS_ACCESS_RIGHTS, 0, DPL(1) }, { GUEST_SS_ACCESS_RIGHTS, 0, DPL(1) } }, BAD, NULL, 593 },
	{ "ss.dpl_1_with_data_in_cs",
	  { UNRESTRICTED, { GUEST_CS_ACCESS_RIGHTS, 0xf, 3 }, { GUEST_SS_ACCESS_RIGHTS, 0, DPL(1) } }, BAD, has_unrestricted, 594 },
	{ "ss.dpl_3_in_real_mode",
	  { UNRESTRICTED, { GUEST_CR0, CR0_PE | CR0_PG, 0 }, { VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST, 0 },
	    { GUEST_CS_ACCESS_RIGHTS, BIT(13), DPL(3) }, { GUEST_SS_ACCESS_RIGHTS, 0, DPL(3) } }, BAD, has_unrestricted, 595 },
	{ "guest.hlt_at_cpl_3",
	  { { GUEST_ACTIVITY_STATE, ~0ull, ACTIVITY_HLT }, { GUEST_CS_ACCESS_RIGHTS, 0, DPL(3) }, { GUEST_CS_SELECTOR, 0, 3 },
	    { GUEST_SS_ACCESS_RIGHTS, 0, DPL(3) }, { GUEST_SS_SELECTOR, 0, 3 } }, BAD, NULL, 461 },
};

static const struct entry_case registers[] = {
	{ "guest.long_mode_without_paging", { UNRESTRICTED, { GUEST_CR0, CR0_PG, 0 } }, BAD, has_unrestricted, 407 },
	{ "guest.cet_without_wp", { { GUEST_CR4, 0, CR4_CET }, { GUEST_CR0, CR0_WP, 0 } }, BAD, has_cet, 405 },
	{ "guest.debugctl_reserved", { { VM_ENTRY_CONTROLS, 0, ENTRY_LOAD_DEBUG_CONTROLS }, { GUEST_IA32_DEBUGCTL, ~0ull, BIT(63) } }, BAD,
	  loads_debug, 406 },
	{ "guest.perf_global_ctrl_reserved",
	  { { VM_ENTRY_CONTROLS, 0, ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL }, { GUEST_IA32_PERF_GLOBAL_CTRL, ~0ull, BIT(63) } }, BAD, loads_perf,
	  414 },
	{ "guest.rip_unused_bits_differ", PUT(GUEST_RIP, BIT(62)), BAD, NULL, 451 },
};

static const struct entry_case state[] = {
	{ "guest.enclave_with_mov_ss_blocking", PUT(GUEST_INTERRUPTIBILITY_STATE, BIT(4) | BLOCKING_BY_MOV_SS), BAD, has_sgx, 471 },
	{ "guest.pending_step_without_tf",
	  { { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_MOV_SS }, { GUEST_PENDING_DEBUG_EXCEPTIONS, ~0ull, BIT(14) }, LOOK_AT_ALL },
	  BAD, NULL, 473 },
	{ "guest.tf_without_pending_step",
	  { { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_MOV_SS }, { GUEST_RFLAGS, 0, RFLAGS_TF },
	    { GUEST_PENDING_DEBUG_EXCEPTIONS, ~0ull, 0 }, LOOK_AT_ALL }, BAD, NULL, 473 },
	{ "guest.pending_rtm_alone", PUT(GUEST_PENDING_DEBUG_EXCEPTIONS, BIT(16)), BAD, has_rtm, 474 },
	{ "guest.nmi_with_sti_blocking", { { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_STI }, IF_SET, INJECT(EVENT_NMI | 2) },
	  EXIT_GUEST(3), NULL, 484 },
};

#define PAE_GUEST { VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST, 0 }, { GUEST_CS_ACCESS_RIGHTS, ~0ull, 0xc09b }

/* The others of their kind are in entry_guest.c. */
static const struct entry_case pdpte[] = {
	{ "guest.pdpte2_reserved", { PAE_GUEST, { GUEST_PDPTE0 + 4, ~0ull, 0x3 } }, EXIT_GUEST(2), NULL, 492 },
};

static const struct entry_case in_v8086[] = {
	{ "v8086.in_long_mode", SET(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST), BAD, NULL, 453 },
	{ "v8086.without_protection", { UNRESTRICTED, { GUEST_CR0, CR0_PE | CR0_PG, 0 } }, BAD, has_unrestricted, 454 },
};

static void pdptes_in_memory(void)
{
	struct vm *vm = vm_create_without_ept(l2_done);
	u64 *table = page_alloc();
	struct entry_case cases[] = {
		{ "guest.pdpte_in_memory_reserved", { PAE_GUEST, { GUEST_CR3, ~0ull, (u64)table } }, EXIT_GUEST(2), NULL, 5 },
	};

	table[3] = 3;
	entry_cases(vm, "guest.pdptes_in_memory_restored", cases, ARRAY_SIZE(cases));
}

void group_entry_modes(void)
{
	struct vm *vm = vm_create(l2_done);

	entry_cases(vm, "modes.privileges_restored", privileges, ARRAY_SIZE(privileges));
	entry_cases(vm, "modes.registers_restored", registers, ARRAY_SIZE(registers));
	entry_cases(vm, "modes.state_restored", state, ARRAY_SIZE(state));
	for (u32 i = 0; i < 4; i++)
		vmwrite(GUEST_PDPTE0 + i * 2, 0);
	entry_cases(vm, "modes.pdpte_restored", pdpte, ARRAY_SIZE(pdpte));
	entry_make_v8086();
	entry_cases(vm, NULL, in_v8086, ARRAY_SIZE(in_v8086));
	pdptes_in_memory();
	say("complete");
}
