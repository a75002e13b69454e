/* SPDX-License-Identifier: MIT */
/*
 * Error 8: SDM "Checks on Host Control Registers, MSRs, and SSP", "Checks on
 * Host Segment and Descriptor-Table Registers", "Checks Related to
 * Address-Space Size".
 */
#include "tests/guests/insn/entry.h"

#include "tests/guests/lib/x86.h"

static bool loads_pat(void)
{
	return exit_offers(EXIT_LOAD_IA32_PAT);
}

static bool loads_efer(void)
{
	return exit_offers(EXIT_LOAD_IA32_EFER);
}

#define NON NON_CANONICAL
#define EXIT_LOADS(control, field, value) \
	{ { VM_EXIT_CONTROLS, 0, control }, { field, ~0ull, value } }
#define EFER64 (EFER_LME | EFER_LMA)

static const struct entry_case registers[] = {
	{ "host.cr0_ne_clear", CLEAR(HOST_CR0, CR0_NE), ERROR_HOST, NULL },
	{ "host.cr0_pg_clear", CLEAR(HOST_CR0, CR0_PG), ERROR_HOST, NULL },
	{ "host.cr0_pe_clear", CLEAR(HOST_CR0, CR0_PE), ERROR_HOST, NULL },
	{ "host.cr0_bit_32", SET(HOST_CR0, BIT(32)), ERROR_HOST, NULL },
	{ "host.cr4_vmxe_clear", CLEAR(HOST_CR4, CR4_VMXE), ERROR_HOST, NULL },
	{ "host.cr4_pae_clear", CLEAR(HOST_CR4, CR4_PAE), ERROR_HOST, NULL },
	{ "host.cr4_reserved", SET(HOST_CR4, BIT(31)), ERROR_HOST, NULL },
	{ "host.cr3_beyond", SET(HOST_CR3, BEYOND_PHYSICAL_WIDTH), ERROR_HOST, NULL },
	{ "host.sysenter_esp", PUT(HOST_IA32_SYSENTER_ESP, NON), ERROR_HOST, NULL },
	{ "host.sysenter_eip", PUT(HOST_IA32_SYSENTER_EIP, NON), ERROR_HOST, NULL },
	{ "host.pat_reserved_type", EXIT_LOADS(EXIT_LOAD_IA32_PAT, HOST_IA32_PAT, 2), ERROR_HOST,
	  loads_pat },
	{ "host.pat_good", EXIT_LOADS(EXIT_LOAD_IA32_PAT, HOST_IA32_PAT, 0x0007040600070406),
	  ENTERED, loads_pat },
	{ "host.efer_reserved",
	  EXIT_LOADS(EXIT_LOAD_IA32_EFER, HOST_IA32_EFER, EFER64 | BIT(1)), ERROR_HOST, loads_efer },
	{ "host.efer_without_lma", EXIT_LOADS(EXIT_LOAD_IA32_EFER, HOST_IA32_EFER, EFER_LME),
	  ERROR_HOST, loads_efer },
	{ "host.efer_without_lme", EXIT_LOADS(EXIT_LOAD_IA32_EFER, HOST_IA32_EFER, EFER_LMA),
	  ERROR_HOST, loads_efer },
	{ "host.efer_good", EXIT_LOADS(EXIT_LOAD_IA32_EFER, HOST_IA32_EFER, EFER64 | EFER_NXE),
	  ENTERED, loads_efer },
	{ "host.address_space_32_bit", CLEAR(VM_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE),
	  ERROR_HOST, NULL },
	{ "host.rip_non_canonical", PUT(HOST_RIP, NON), ERROR_HOST, NULL },
};

static const struct entry_case segments[] = {
	{ "host.cs_null", PUT(HOST_CS_SELECTOR, 0), ERROR_HOST, NULL },
	{ "host.cs_rpl", SET(HOST_CS_SELECTOR, 3), ERROR_HOST, NULL },
	{ "host.cs_ti", SET(HOST_CS_SELECTOR, 4), ERROR_HOST, NULL },
	{ "host.ss_rpl", SET(HOST_SS_SELECTOR, 1), ERROR_HOST, NULL },
	{ "host.ds_ti", SET(HOST_DS_SELECTOR, 4), ERROR_HOST, NULL },
	{ "host.es_rpl", SET(HOST_ES_SELECTOR, 3), ERROR_HOST, NULL },
	{ "host.fs_rpl", SET(HOST_FS_SELECTOR, 2), ERROR_HOST, NULL },
	{ "host.gs_ti", SET(HOST_GS_SELECTOR, 4), ERROR_HOST, NULL },
	{ "host.tr_null", PUT(HOST_TR_SELECTOR, 0), ERROR_HOST, NULL },
	{ "host.tr_ti", SET(HOST_TR_SELECTOR, 4), ERROR_HOST, NULL },
	{ "host.fs_base", PUT(HOST_FS_BASE, NON), ERROR_HOST, NULL },
	{ "host.gs_base", PUT(HOST_GS_BASE, NON), ERROR_HOST, NULL },
	{ "host.tr_base", PUT(HOST_TR_BASE, NON), ERROR_HOST, NULL },
	{ "host.gdtr_base", PUT(HOST_GDTR_BASE, NON), ERROR_HOST, NULL },
	{ "host.idtr_base", PUT(HOST_IDTR_BASE, NON), ERROR_HOST, NULL },
	{ "host.before_guest", { { HOST_CS_SELECTOR, ~0ull, 0 }, { GUEST_RFLAGS, ~0ull, 0 } },
	  ERROR_HOST, NULL },
};

void group_entry_host(void)
{
	struct vm *vm = vm_create(l2_done);

	entry_cases(vm, "host.registers_restored", registers, ARRAY_SIZE(registers));
	entry_cases(vm, "host.segments_restored", segments, ARRAY_SIZE(segments));
	say("complete");
}
