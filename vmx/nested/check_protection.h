/* SPDX-License-Identifier: MIT */
/*
 * The rules of VM entry about CET state, protection keys of supervisor pages and
 * user-interrupt notification. Guest and host state have nearly the same; `which` is the
 * side. Rows: check_host.c, check_guest.c. Private to check_*.c. Pure.
 */
#pragma once

#include "vmx/nested/check.h"

enum protection_side { SIDE_GUEST, SIDE_HOST };

/* SDM "Checks on Host Control Registers, MSRs, and SSP", "Checks on Guest Control Registers, Debug Registers, and MSRs". */
bool check_s_cet_reserved(const struct entry_context *context, u32 which);
bool check_s_cet_tracker(const struct entry_context *context, u32 which);
bool check_ssp_table(const struct entry_context *context, u32 which);
bool check_ssp_aligned(const struct entry_context *context, u32 which);
bool check_pkrs(const struct entry_context *context, u32 which);

/* SDM "Checks on Guest RIP, RFLAGS, and SSP". */
bool check_guest_ssp_unused_bits(const struct entry_context *context, u32 which);
/* SDM "Checks on Guest Non-Register State": UINV. */
bool check_guest_uinv(const struct entry_context *context, u32 which);

/* SDM "Checks Related to Address-Space Size": IA32_S_CET and SSP of a 32-bit host, and of a 64-bit one. */
enum protection_field { FIELD_S_CET, FIELD_SSP };
bool check_host_cet_32bit(const struct entry_context *context, u32 which);
bool check_host_cet_canonical(const struct entry_context *context, u32 which);
