/* SPDX-License-Identifier: MIT */
/*
 * Records for tools: what happened on a processor, in numbers that mean the same
 * in every build. Text is made of them elsewhere, from the tables that they come
 * from. Pure.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

enum trace_kind { TRACE_NOTHING, TRACE_ENTRY_REFUSED, TRACE_TRANSITION };

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

enum trace_owner { TRACE_BY_L0, TRACE_BY_L1 };
enum trace_way { TRACE_QUICK, TRACE_LONG };

/* A VM exit, and the VM entry after it. `tsc` and `kind` are where a trace_record has them. */
struct trace_transition {
	u64 tsc;		/* at the exit */
	u16 kind;		/* TRACE_TRANSITION */
	u8 level;		/* that exited: 1 is L1, 2 L2 */
	u8 next;		/* that was entered */
	u32 reason;		/* all 32 bits of the VMCS field */
	u32 cost;		/* ticks until the entry; UINT32_MAX: that, or more */
	u8 owner;		/* enum trace_owner: who handled it. An exit of L2 given to L1 is L1's */
	u8 way;			/* enum trace_way: vmx/quick.h, or vmx/run.c */
	u16 cpu;
	u64 qualification;
	u64 rip;		/* of the level that exited */
	u64 vmcs;		/* address of L1's VMCS of the L2 that exited or was entered; all bits 1: no L2 in it */
};

static_assert(sizeof(struct trace_transition) == sizeof(struct trace_record), "one size for the ring");
static_assert(offsetof(struct trace_transition, kind) == offsetof(struct trace_record, kind), "tools ask it first");

#define TRACE_MAGIC "TESTUDO TRACE\r\n"	/* 16 bytes with its NUL */
#define TRACE_VERSION 1

/* Heads the ring in memory; the records follow, the n-th of all at place n % capacity. */
struct trace_header {
	char magic[16];
	u16 version;
	u16 header_size;
	u16 record_size;
	u16 cpu;		/* as in the handoff */
	u32 capacity;		/* records */
	u32 reserved;
	u64 ticks_per_second;	/* of the TSC; 0: the processor does not tell */
	u64 address;		/* hpa of this header: a copy of it somewhere else is no ring */
	u32 checksum;		/* trace_checksum() of the bytes before it */
	u32 is_on;
	u64 count;		/* records ever written: those before count - capacity are lost */
	u64 reserved2[4];
};

static_assert(sizeof(struct trace_header) == 2 * sizeof(struct trace_record), "two lines of a dump");
static_assert(offsetof(struct trace_header, checksum) == sizeof(struct trace_record), "the first line is constant");
