/* SPDX-License-Identifier: MIT */
/*
 * What the machine-check registers say, in words. SDM "Machine-Check
 * Architecture". Works on raw values, so tests can make any error; mca_dump.h
 * reads and prints them. Decides nothing, and touches no register. Pure.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

/* IA32_MCG_CAP holds an 8-bit count; processors have at most 32 banks so far. */
#define MCA_BANKS_MAX 32

struct mca_bank {
	u64 status;		/* IA32_MCi_STATUS */
	u64 address;		/* IA32_MCi_ADDR, where status says that it is valid */
	u64 misc;		/* IA32_MCi_MISC, likewise */
};

struct mca_state {
	u64 cap;		/* IA32_MCG_CAP */
	u64 status;		/* IA32_MCG_STATUS */
	u32 bank_count;		/* 0: the processor has no machine-check architecture */
	struct mca_bank banks[MCA_BANKS_MAX];
};

bool mca_bank_is_valid(const struct mca_bank *bank);
bool mca_has_address(const struct mca_bank *bank);
bool mca_has_misc(const struct mca_bank *bank);

/* Each writes one text, cut at `size`; enough is 200. */
void mca_describe_global(const struct mca_state *state, char *text, size_t size);
void mca_describe_status(const struct mca_state *state, const struct mca_bank *bank, char *text, size_t size);
void mca_describe_misc(const struct mca_state *state, const struct mca_bank *bank, char *text, size_t size);
