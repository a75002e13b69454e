/* SPDX-License-Identifier: MIT */
/*
 * legacy: a hypervisor outside 64-bit mode. A program is a list of steps, each one
 * instruction in 32-bit code (program.asm); legacy_run() drops the processor
 * into the mode that the program wants, executes them, and comes back to tell.
 */
#pragma once

#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vmx_ops.h"

#define VMFAIL(n) (OUTCOME_FAIL_VALID | (n))
#define FAULT(vector) (OUTCOME_EXCEPTION | (vector))

/* Selectors of the program's GDT, behind those of the library: descriptors.c. */
enum {
	SELECTOR_SMALL = 0x30,		/* data, bytes 0 to 0xfff of the data page */
	SELECTOR_EXPAND_DOWN = 0x38,	/* data, from 0x1000 of the data page up */
	SELECTOR_READ_ONLY = 0x50,	/* data, flat */
	SELECTOR_READABLE_CODE = 0x58,	/* code, flat */
	SELECTOR_CODE16 = 0x60,		/* code, flat, D = 0 */
	SELECTOR_STACK = 0x68,		/* data, flat up to the program's own page */
	SELECTOR_EXPAND_DOWN_16 = 0x70,	/* the same as EXPAND_DOWN, with B = 0 */
	SELECTOR_LOW_CODE16 = 0x78,	/* code, 64 KB from the page below 1 MB on, D = 0 */
	SELECTOR_LOW_DATA = 0x80,	/* data, the same 64 KB */
	GDT_ENTRIES = 17,
};

/* What a step came to instead of an exception. */
#define NO_EXCEPTION 0x100u
#define CAME_BY_EXIT 0x101u
#define NOT_REACHED 0x102u

/* program.asm knows the layout. */
struct step {
	u32 op;			/* one of the routines below */
	u32 a, b;		/* its ECX and EDX */
	u32 flags;		/* after it */
	u32 vector;		/* of its exception, or one of the above */
	u32 error_code, cr2;
	u32 value;		/* its EAX */
};

#define MAX_STEPS 96u

/* The page of a program: its state at the start, its stack at the end. program.asm knows the layout. */
struct program {
	u32 left, current;	/* steps */
	u32 cr0, cr3, cr4;	/* the mode to run them in, outside IA-32e mode */
	u32 unused;
	u64 saved_rsp, saved_cr0, saved_cr3, saved_cr4;
	u8 gdtr[10], idtr[10];	/* for the program */
	u8 saved_gdtr[10], saved_idtr[10];
	u64 gdt[GDT_ENTRIES];
	struct step steps[MAX_STEPS];
	u32 count;
};

enum paging { PAGING_NONE, PAGING_32_BIT, PAGING_PAE };

/* A new program of that mode; `data` is what SELECTOR_SMALL and its kin describe. */
struct program *program_new(enum paging paging, u64 data);
/* Adds a step; its number tells it afterwards. */
u32 program_step(struct program *p, const u8 *op, u64 a, u64 b);
void program_run(struct program *p);
/* How a program_vmx_step() ended. */
u32 program_outcome(const struct program *p, u32 step);
/* The step and, behind it, the VMREAD of the VM-instruction error. */
u32 program_vmx_step(struct program *p, const u8 *op, u64 a, u64 b);
/* Changes the page-table entry of a 4 KB page and returns what it was. */
u64 program_entry(const struct program *p, u64 address, u64 clear, u64 set);

/* descriptors.c */
void program_descriptors(struct program *p, u64 data);

/* program.asm: ECX = a, EDX = b, EAX is the value. */
void legacy_run(struct program *p);
extern const u8 legacy_exit_point[], legacy_idt_stubs[];
extern const u8 step_vmxon[], step_vmxoff[], step_vmclear[], step_vmptrld[], step_vmptrst[], step_vmptrst_sib[],
	step_vmptrst_16[], step_vmptrst_16_wraps[], step_vmptrst_stack[], step_vmptrst_fs[], step_vmptrst_lock[],
	step_vmptrld_fs[], step_vmread[], step_vmread_memory[], step_vmread_esp[], step_vmwrite[], step_vmwrite_memory[],
	step_vmlaunch[], step_vmlaunch_blocked[], step_vmresume[], step_vmcall[], step_vmfunc[], step_invept[],
	step_invvpid[], step_mov_cr0[], step_mov_cr4[], step_read_cr0[], step_read_cr4[], step_cpuid_edx[],
	step_in_16_bit_code[], step_v8086[], step_load[];
#define LEGACY_STUB_SIZE 16

/* real_mode.asm: the value is the vector of its exception, or 0. */
extern const u8 step_real_mode[], real_mode_blob[], real_mode_blob_end[], real_mode_blob_segment[], real_mode_blob_instruction[],
	real_mode_blob_return[], real_mode_blob_vectors[], real_mode_blob_undefined[], real_mode_arrive[];

/* l2.asm */
extern const u8 l2_cpuid_32[], l2_real_mode[], l2_real_mode_end[];

/* compatibility.asm: each instruction in compatibility mode. */
extern const u8 compatibility_vmxon[], compatibility_vmxoff[], compatibility_vmclear[], compatibility_vmptrld[],
	compatibility_vmptrst[], compatibility_vmread[], compatibility_vmwrite[], compatibility_vmlaunch[],
	compatibility_vmresume[], compatibility_vmcall[], compatibility_invept[], compatibility_invvpid[],
	compatibility_cpuid[];
u32 compatibility_run(u64 code, u64 operand);

void group_instructions(void);
void group_operands(void);
void group_entries(void);
void group_other_modes(void);

/* The cases of a program, said after it has run as "PREFIX.NAME". */
void cases_add(struct program *p, const char *name, const u8 *op, u64 a, u64 b, u32 expected);
void cases_report(const struct program *p, const char *prefix);
/* For what is said by hand: valid until the next call. */
const char *case_name(const char *prefix, const char *name);
