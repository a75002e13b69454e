/* SPDX-License-Identifier: MIT */
/*
 * Rules on CET state, PKRS and UINV, where the processor has them. SDM "Checks on
 * Host Control Registers, MSRs, and SSP", "Checks on Guest Control Registers, Debug
 * Registers, and MSRs", "Checks on Guest RIP, RFLAGS, and SSP".
 */
#include "tests/guests/insn/entry.h"

#define EXIT_LOAD_CET_STATE BIT(28)
#define EXIT_LOAD_PKRS BIT(29)
#define ENTRY_LOAD_UINV BIT(19)
#define ENTRY_LOAD_CET_STATE BIT(20)
#define ENTRY_LOAD_PKRS BIT(22)

#define S_CET_SUPPRESS_AND_TRACKER (BIT(10) | BIT(11))
#define S_CET_RESERVED BIT(6)
#define BAD EXIT_GUEST(0)

static bool host_cet(void)
{
	return exit_offers(EXIT_LOAD_CET_STATE);
}

static bool host_pkrs(void)
{
	return exit_offers(EXIT_LOAD_PKRS);
}

static bool guest_cet(void)
{
	return entry_offers(ENTRY_LOAD_CET_STATE);
}

static bool guest_pkrs(void)
{
	return entry_offers(ENTRY_LOAD_PKRS);
}

static bool guest_uinv(void)
{
	return entry_offers(ENTRY_LOAD_UINV);
}

#define HOST_LOADS(control, field, value) { { VM_EXIT_CONTROLS, 0, control }, { field, ~0ull, value } }
#define GUEST_LOADS(control, field, value) { { VM_ENTRY_CONTROLS, 0, control }, { field, ~0ull, value } }
#define HOST_CET(field, value) HOST_LOADS(EXIT_LOAD_CET_STATE, field, value)
#define GUEST_CET(field, value) GUEST_LOADS(ENTRY_LOAD_CET_STATE, field, value)

static const struct entry_case host[] = {
	{ "host.s_cet_reserved", HOST_CET(HOST_IA32_S_CET, S_CET_RESERVED), ERROR_HOST, host_cet, 312 },
	{ "host.s_cet_suppress_and_tracker", HOST_CET(HOST_IA32_S_CET, S_CET_SUPPRESS_AND_TRACKER), ERROR_HOST, host_cet, 313 },
	{ "host.ssp_table", HOST_CET(HOST_IA32_INTERRUPT_SSP_TABLE, NON_CANONICAL), ERROR_HOST, host_cet, 314 },
	{ "host.ssp_misaligned", HOST_CET(HOST_SSP, 2), ERROR_HOST, host_cet, 315 },
	{ "host.pkrs_bit_32", HOST_LOADS(EXIT_LOAD_PKRS, HOST_IA32_PKRS, BIT(32)), ERROR_HOST, host_pkrs, 316 },
	{ "host.s_cet_not_canonical", HOST_CET(HOST_IA32_S_CET, NON_CANONICAL), ERROR_HOST, host_cet, 379 },
	{ "host.ssp_not_canonical", HOST_CET(HOST_SSP, NON_CANONICAL), ERROR_HOST, host_cet, 380 },
};

static const struct entry_case guest[] = {
	{ "guest.s_cet_reserved", GUEST_CET(GUEST_IA32_S_CET, S_CET_RESERVED), BAD, guest_cet, 419 },
	{ "guest.s_cet_suppress_and_tracker", GUEST_CET(GUEST_IA32_S_CET, S_CET_SUPPRESS_AND_TRACKER), BAD, guest_cet, 420 },
	{ "guest.ssp_table", GUEST_CET(GUEST_IA32_INTERRUPT_SSP_TABLE, NON_CANONICAL), BAD, guest_cet, 421 },
	{ "guest.pkrs_bit_32", GUEST_LOADS(ENTRY_LOAD_PKRS, GUEST_IA32_PKRS, BIT(32)), BAD, guest_pkrs, 422 },
	{ "guest.ssp_misaligned", GUEST_CET(GUEST_SSP, 2), BAD, guest_cet, 456 },
	{ "guest.ssp_unused_bits_differ", GUEST_CET(GUEST_SSP, BIT(62)), BAD, guest_cet, 457 },
	{ "guest.uinv_bit_8", GUEST_LOADS(ENTRY_LOAD_UINV, GUEST_UINV, BIT(8)), BAD, guest_uinv, 475 },
};

void group_entry_protection(void)
{
	struct vm *vm = vm_create(l2_done);

	entry_cases(vm, "protection.host_restored", host, ARRAY_SIZE(host));
	entry_cases(vm, "protection.guest_restored", guest, ARRAY_SIZE(guest));
	say("complete");
}
