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
	{ "host.cr0_ne_clear", CLEAR(HOST_CR0, CR0_NE), ERROR_HOST, NULL, 300 },
	{ "host.cr0_pg_clear", CLEAR(HOST_CR0, CR0_PG), ERROR_HOST, NULL, 300 },
	{ "host.cr0_pe_clear", CLEAR(HOST_CR0, CR0_PE), ERROR_HOST, NULL, 300 },
	{ "host.cr0_bit_32", SET(HOST_CR0, BIT(32)), ERROR_HOST, NULL, 301 },
	{ "host.cr4_vmxe_clear", CLEAR(HOST_CR4, CR4_VMXE), ERROR_HOST, NULL, 302 },
	{ "host.cr4_pae_clear", CLEAR(HOST_CR4, CR4_PAE), ERROR_HOST, NULL, 375 },
	{ "host.cr4_reserved", SET(HOST_CR4, BIT(31)), ERROR_HOST, NULL, 303 },
	{ "host.cr3_beyond", SET(HOST_CR3, BEYOND_PHYSICAL_WIDTH), ERROR_HOST, NULL, 305 },
	{ "host.sysenter_esp", PUT(HOST_IA32_SYSENTER_ESP, NON), ERROR_HOST, NULL, 306 },
	{ "host.sysenter_eip", PUT(HOST_IA32_SYSENTER_EIP, NON), ERROR_HOST, NULL, 307 },
	{ "host.pat_reserved_type", EXIT_LOADS(EXIT_LOAD_IA32_PAT, HOST_IA32_PAT, 2), ERROR_HOST,
	  loads_pat, 309 },
	{ "host.pat_good", EXIT_LOADS(EXIT_LOAD_IA32_PAT, HOST_IA32_PAT, 0x0007040600070406),
	  ENTERED, loads_pat, 0 },
	{ "host.efer_reserved",
	  EXIT_LOADS(EXIT_LOAD_IA32_EFER, HOST_IA32_EFER, EFER64 | BIT(1)), ERROR_HOST, loads_efer, 310 },
	{ "host.efer_without_lma", EXIT_LOADS(EXIT_LOAD_IA32_EFER, HOST_IA32_EFER, EFER_LME),
	  ERROR_HOST, loads_efer, 311 },
	{ "host.efer_without_lme", EXIT_LOADS(EXIT_LOAD_IA32_EFER, HOST_IA32_EFER, EFER_LMA),
	  ERROR_HOST, loads_efer, 311 },
	{ "host.efer_good", EXIT_LOADS(EXIT_LOAD_IA32_EFER, HOST_IA32_EFER, EFER64 | EFER_NXE),
	  ENTERED, loads_efer, 0 },
	{ "host.address_space_32_bit", CLEAR(VM_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE),
	  ERROR_HOST, NULL, 371 },
	{ "host.rip_non_canonical", PUT(HOST_RIP, NON), ERROR_HOST, NULL, 376 },
};

static const struct entry_case segments[] = {
	{ "host.cs_null", PUT(HOST_CS_SELECTOR, 0), ERROR_HOST, NULL, 347 },
	{ "host.cs_rpl", SET(HOST_CS_SELECTOR, 3), ERROR_HOST, NULL, 340 },
	{ "host.cs_ti", SET(HOST_CS_SELECTOR, 4), ERROR_HOST, NULL, 340 },
	{ "host.ss_rpl", SET(HOST_SS_SELECTOR, 1), ERROR_HOST, NULL, 341 },
	{ "host.ds_ti", SET(HOST_DS_SELECTOR, 4), ERROR_HOST, NULL, 342 },
	{ "host.es_rpl", SET(HOST_ES_SELECTOR, 3), ERROR_HOST, NULL, 343 },
	{ "host.fs_rpl", SET(HOST_FS_SELECTOR, 2), ERROR_HOST, NULL, 344 },
	{ "host.gs_ti", SET(HOST_GS_SELECTOR, 4), ERROR_HOST, NULL, 345 },
	{ "host.tr_null", PUT(HOST_TR_SELECTOR, 0), ERROR_HOST, NULL, 348 },
	{ "host.tr_ti", SET(HOST_TR_SELECTOR, 4), ERROR_HOST, NULL, 346 },
	{ "host.fs_base", PUT(HOST_FS_BASE, NON), ERROR_HOST, NULL, 350 },
	{ "host.gs_base", PUT(HOST_GS_BASE, NON), ERROR_HOST, NULL, 351 },
	{ "host.tr_base", PUT(HOST_TR_BASE, NON), ERROR_HOST, NULL, 354 },
	{ "host.gdtr_base", PUT(HOST_GDTR_BASE, NON), ERROR_HOST, NULL, 352 },
	{ "host.idtr_base", PUT(HOST_IDTR_BASE, NON), ERROR_HOST, NULL, 353 },
	{ "host.before_guest", { { HOST_CS_SELECTOR, ~0ull, 0 }, { GUEST_RFLAGS, ~0ull, 0 } },
	  ERROR_HOST, NULL, 347 },
};

void group_entry_host(void)
{
	struct vm *vm = vm_create(l2_done);

	entry_cases(vm, "host.registers_restored", registers, ARRAY_SIZE(registers));
	entry_cases(vm, "host.segments_restored", segments, ARRAY_SIZE(segments));
	say("complete");
}
