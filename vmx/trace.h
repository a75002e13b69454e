/* SPDX-License-Identifier: MIT */
/*
 * Records for tools: what happened on a processor, in numbers that mean the same
 * in every build. Text is made of them elsewhere, from the tables that they come
 * from. Pure.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

enum trace_kind { TRACE_NOTHING, TRACE_ENTRY_REFUSED };

struct trace_record {
	u64 tsc;
	u16 kind;		/* enum trace_kind */
	u16 rule;		/* number in docs/refusals.md */
	u16 result;		/* enum refusal_result: what L1 got */
	u16 reserved;
	u32 field;		/* encoding of the VMCS field that shows it */
	u32 reserved2;
	u64 value;		/* of that field */
	u64 vmcs;		/* address of L1's VMCS */
	u64 detail;		/* exit qualification */
};

static_assert(sizeof(struct trace_record) == 48, "tools read it");
