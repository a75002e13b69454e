/* SPDX-License-Identifier: MIT */
/*
 * Exit 33: SDM "Checks on the Guest State Area", all but the segments.
 */
#include "tests/guests/insn/entry.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/x86.h"

static bool loads_debug(void)
{
	return entry_offers(ENTRY_LOAD_DEBUG_CONTROLS);
}

static bool loads_pat(void)
{
	return entry_offers(ENTRY_LOAD_IA32_PAT);
}

static bool loads_efer(void)
{
	return entry_offers(ENTRY_LOAD_IA32_EFER);
}

static bool has_virtual_nmis(void)
{
	return pin_offers(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
}

static bool has_unrestricted(void)
{
	return proc2_offers(PROC2_UNRESTRICTED_GUEST);
}

#define NON NON_CANONICAL
#define BAD EXIT_GUEST(0)
#define ENTRY_LOADS(control, field, value) \
	{ { VM_ENTRY_CONTROLS, 0, control }, { field, ~0ull, value } }
#define EFER64 (EFER_LME | EFER_LMA)
#define INJECT(bits) { VM_ENTRY_INTERRUPTION_INFORMATION, ~0ull, EVENT_VALID | (bits) }

static const struct entry_case registers[] = {
	{ "guest.cr0_ne_clear", CLEAR(GUEST_CR0, CR0_NE), BAD, NULL, 400 },
	{ "guest.cr0_pg_without_pe", CLEAR(GUEST_CR0, CR0_PE), BAD, NULL, 400 },
	{ "guest.cr0_pg_clear", CLEAR(GUEST_CR0, CR0_PG), BAD, NULL, 400 },
	{ "guest.cr0_pg_without_pe_unrestricted",
	  { { GUEST_CR0, CR0_PE, 0 }, { SECONDARY_CONTROLS, 0, PROC2_UNRESTRICTED_GUEST } }, BAD,
	  has_unrestricted, 402 },
	{ "guest.cr0_bit_32", SET(GUEST_CR0, BIT(32)), BAD, NULL, 401 },
	{ "guest.cr4_vmxe_clear", CLEAR(GUEST_CR4, CR4_VMXE), BAD, NULL, 403 },
	{ "guest.cr4_reserved", SET(GUEST_CR4, BIT(31)), BAD, NULL, 404 },
	{ "guest.cr4_pae_clear", CLEAR(GUEST_CR4, CR4_PAE), BAD, NULL, 408 },
	{ "guest.pcide_in_32_bit",
	  { { GUEST_CR4, 0, CR4_PCIDE }, { VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST, 0 } }, BAD,
	  NULL, 409 },
	{ "guest.cr3_beyond", SET(GUEST_CR3, BEYOND_PHYSICAL_WIDTH), BAD, NULL, 410 },
	{ "guest.dr7_high", ENTRY_LOADS(ENTRY_LOAD_DEBUG_CONTROLS, GUEST_DR7, BIT(32) | 0x400), BAD,
	  loads_debug, 411 },
	{ "guest.sysenter_esp", PUT(GUEST_IA32_SYSENTER_ESP, NON), BAD, NULL, 412 },
	{ "guest.sysenter_eip", PUT(GUEST_IA32_SYSENTER_EIP, NON), BAD, NULL, 413 },
	{ "guest.pat_reserved_type", ENTRY_LOADS(ENTRY_LOAD_IA32_PAT, GUEST_IA32_PAT, 3), BAD,
	  loads_pat, 415 },
	{ "guest.pat_type_8", ENTRY_LOADS(ENTRY_LOAD_IA32_PAT, GUEST_IA32_PAT, 8ull << 56), BAD,
	  loads_pat, 415 },
	{ "guest.efer_reserved", ENTRY_LOADS(ENTRY_LOAD_IA32_EFER, GUEST_IA32_EFER, EFER64 | BIT(1)),
	  BAD, loads_efer, 416 },
	{ "guest.efer_without_lma", ENTRY_LOADS(ENTRY_LOAD_IA32_EFER, GUEST_IA32_EFER, EFER_LME), BAD,
	  loads_efer, 417 },
	{ "guest.efer_without_lme", ENTRY_LOADS(ENTRY_LOAD_IA32_EFER, GUEST_IA32_EFER, EFER_LMA), BAD,
	  loads_efer, 418 },
	{ "guest.efer_good", ENTRY_LOADS(ENTRY_LOAD_IA32_EFER, GUEST_IA32_EFER, EFER64 | EFER_NXE),
	  ENTERED, loads_efer, 0 },
	{ "guest.rflags_bit_1", CLEAR(GUEST_RFLAGS, BIT(1)), BAD, NULL, 452 },
	{ "guest.rflags_bit_3", SET(GUEST_RFLAGS, BIT(3)), BAD, NULL, 452 },
	{ "guest.rflags_bit_5", SET(GUEST_RFLAGS, BIT(5)), BAD, NULL, 452 },
	{ "guest.rflags_bit_15", SET(GUEST_RFLAGS, BIT(15)), BAD, NULL, 452 },
	{ "guest.rflags_bit_22", SET(GUEST_RFLAGS, BIT(22)), BAD, NULL, 452 },
	{ "guest.rflags_bit_63", SET(GUEST_RFLAGS, BIT(63)), BAD, NULL, 452 },
	{ "guest.rflags_vm_in_ia32e", SET(GUEST_RFLAGS, RFLAGS_VM), BAD, NULL, 511 },
	{ "guest.interrupt_with_if_clear", { INJECT(EVENT_EXTERNAL_INTERRUPT | 32) }, BAD, NULL, 455 },
	{ "guest.gdtr_base", PUT(GUEST_GDTR_BASE, NON), BAD, NULL, 440 },
	{ "guest.gdtr_base_of_57_bits", PUT(GUEST_GDTR_BASE, 1ull << 47), BAD, NULL, 440 },
	{ "guest.idtr_base", PUT(GUEST_IDTR_BASE, NON), BAD, NULL, 441 },
	{ "guest.gdtr_limit", SET(GUEST_GDTR_LIMIT, BIT(16)), BAD, NULL, 442 },
	{ "guest.idtr_limit", SET(GUEST_IDTR_LIMIT, BIT(31)), BAD, NULL, 443 },
	{ "guest.rip_above_4g_in_compatibility_mode",
	  { { GUEST_CS_ACCESS_RIGHTS, ~0ull, 0xc09b }, { GUEST_RIP, 0, BIT(32) } }, BAD, NULL, 450 },
};

#define INTERRUPTIBILITY(bits) PUT(GUEST_INTERRUPTIBILITY_STATE, bits)
#define IF_SET { GUEST_RFLAGS, 0, RFLAGS_IF }

static const struct entry_case state[] = {
	{ "guest.activity_4", PUT(GUEST_ACTIVITY_STATE, 4), BAD, NULL, 460 },
	{ "guest.activity_hlt_with_sti_blocking",
	  { { GUEST_ACTIVITY_STATE, ~0ull, ACTIVITY_HLT },
	    { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_STI }, IF_SET }, BAD, NULL, 462 },
	{ "guest.activity_shutdown_with_mov_ss_blocking",
	  { { GUEST_ACTIVITY_STATE, ~0ull, ACTIVITY_SHUTDOWN },
	    { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_MOV_SS } }, BAD, NULL, 462 },
	{ "guest.activity_wait_for_sipi_with_event",
	  { { GUEST_ACTIVITY_STATE, ~0ull, ACTIVITY_WAIT_FOR_SIPI }, IF_SET,
	    INJECT(EVENT_EXTERNAL_INTERRUPT | 32) }, BAD, NULL, 463 },
	{ "guest.interruptibility_bit_5", INTERRUPTIBILITY(BIT(5)), BAD, NULL, 464 },
	{ "guest.interruptibility_bit_31", INTERRUPTIBILITY(BIT(31)), BAD, NULL, 464 },
	{ "guest.interruptibility_smi", INTERRUPTIBILITY(BLOCKING_BY_SMI), BAD, NULL, 469 },
	{ "guest.interruptibility_sti_and_mov_ss",
	  { { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_STI | BLOCKING_BY_MOV_SS }, IF_SET },
	  BAD, NULL, 465 },
	{ "guest.sti_blocking_with_if_clear", INTERRUPTIBILITY(BLOCKING_BY_STI), BAD, NULL, 466 },
	{ "guest.sti_blocking_with_if_set",
	  { { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_STI }, IF_SET }, ENTERED, NULL, 0 },
	{ "guest.mov_ss_blocking", INTERRUPTIBILITY(BLOCKING_BY_MOV_SS), ENTERED, NULL, 0 },
	{ "guest.interrupt_with_sti_blocking",
	  { { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_STI }, IF_SET,
	    INJECT(EVENT_EXTERNAL_INTERRUPT | 32) }, BAD, NULL, 467 },
	{ "guest.interrupt_with_mov_ss_blocking",
	  { { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_MOV_SS }, IF_SET,
	    INJECT(EVENT_EXTERNAL_INTERRUPT | 32) }, BAD, NULL, 467 },
	{ "guest.nmi_with_mov_ss_blocking",
	  { { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_MOV_SS }, INJECT(EVENT_NMI | 2) }, BAD,
	  NULL, 468 },
	{ "guest.nmi_with_nmi_blocking_and_virtual_nmis",
	  { { GUEST_INTERRUPTIBILITY_STATE, ~0ull, BLOCKING_BY_NMI },
	    { PIN_BASED_CONTROLS, 0, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS }, INJECT(EVENT_NMI | 2) },
	  BAD, has_virtual_nmis, 470 },
	{ "guest.pending_debug_bit_4", SET(GUEST_PENDING_DEBUG_EXCEPTIONS, BIT(4)), BAD, NULL, 472 },
	{ "guest.pending_debug_bit_13", SET(GUEST_PENDING_DEBUG_EXCEPTIONS, BIT(13)), BAD, NULL, 472 },
};

/* The link pointer's failures have a qualification of their own. */
static void link_pointer(struct vm *vm)
{
	u32 *wrong = page_alloc();
	struct entry_case cases[] = {
		{ "guest.link_pointer_misaligned", PUT(VMCS_LINK_POINTER, 0x10), EXIT_GUEST(4), NULL, 480 },
		{ "guest.link_pointer_beyond", PUT(VMCS_LINK_POINTER, BEYOND_PHYSICAL_WIDTH),
		  EXIT_GUEST(4), NULL, 480 },
		{ "guest.link_pointer_revision", PUT(VMCS_LINK_POINTER, (u64)wrong), EXIT_GUEST(4),
		  NULL, 481 },
	};

	*wrong = *(u32 *)vm->vmcs ^ 1;
	entry_cases(vm, "guest.link_pointer_restored", cases, ARRAY_SIZE(cases));
}

/* 32-bit PAE paging under EPT: the entries come from the VMCS. */
static void pdptes(struct vm *vm)
{
#define PAE_GUEST                                              \
	{ VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST, 0 },      \
	{ GUEST_CS_ACCESS_RIGHTS, ~0ull, 0xc09b }
	static const struct entry_case cases[] = {
		{ "guest.pdpte0_reserved", { PAE_GUEST, { GUEST_PDPTE0, ~0ull, 0x3 } },
		  EXIT_GUEST(2), NULL, 490 },
		{ "guest.pdpte3_reserved", { PAE_GUEST, { GUEST_PDPTE3, ~0ull, 0x1e7 } },
		  EXIT_GUEST(2), NULL, 493 },
		{ "guest.pdpte1_beyond",
		  { PAE_GUEST, { GUEST_PDPTE1, ~0ull, BEYOND_PHYSICAL_WIDTH | 1 } }, EXIT_GUEST(2),
		  NULL, 491 },
	};

	for (u32 i = 0; i < 4; i++)
		vmwrite(GUEST_PDPTE0 + i * 2, 0);
	entry_cases(vm, "guest.pdptes_restored", cases, ARRAY_SIZE(cases));
}

void group_entry_guest(void)
{
	struct vm *vm = vm_create(l2_done);

	entry_cases(vm, "guest.registers_restored", registers, ARRAY_SIZE(registers));
	entry_cases(vm, "guest.state_restored", state, ARRAY_SIZE(state));
	link_pointer(vm);
	pdptes(vm);
	say("complete");
}
