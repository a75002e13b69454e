/* SPDX-License-Identifier: MIT */
/*
 * What a processor remembers of the VM entries that it refused L1: the last ones
 * for CPUID leaves 0x40000004 and 0x40000005, and how often each rule was broken, so
 * that the console is told once and not a thousand times. Pure.
 */
#pragma once

#include "vmx/nested/check.h"
#include "vmx/trace.h"

#define REFUSAL_RECORDS 16
/* Whole lines for one rule: the first, and one for each new value. */
#define REFUSAL_LINES 8

struct refusal_seen {
	u64 value;		/* of the last whole line */
	u32 times;
	u32 lines;
};

struct refusal_log {
	u64 count;		/* all that were ever recorded: the next goes to count % REFUSAL_RECORDS */
	struct trace_record record[REFUSAL_RECORDS];
	struct refusal_seen seen[RULE_NUMBERS];
};

/* What to say of a refusal: all, only how often the rule was broken by now, or nothing. */
enum refusal_line { REFUSAL_WHOLE, REFUSAL_AGAIN, REFUSAL_SILENT };

/* Records `failure` of the entry with that vmcs12; `times`: how often the rule was broken. */
enum refusal_line refusal_note(struct refusal_log *log, const struct entry_failure *failure, u64 vmcs12_address, u64 tsc,
			       u32 *times);

/* The same for what is no refused entry, and has no record: does it need a line? `number` as of a rule. */
enum refusal_line refusal_repeated(struct refusal_log *log, u32 number, u64 value, u32 *times);

/* Numbers, in the count of repetitions, of VMX instructions that failed with an error number. */
#define REFUSAL_OF_INSTRUCTION 720

/* What a VM-instruction error number says. */
const char *refusal_of_instruction(u32 error);

/* The `age`-th most recent, 0 the last; NULL where there is none any more. */
const struct trace_record *refusal_recent(const struct refusal_log *log, u32 age);

/* Rules that are no rows of check_*.c, for documents and tools. */
extern const struct entry_failure refusal_others[];
extern const u32 refusal_others_count;

/* One of them, as it applies to this entry. */
struct entry_failure refusal_other(enum entry_rule rule, u64 value, u64 qualification);
