/* SPDX-License-Identifier: MIT */
/*
 * What a hypervisor beneath L1 may keep from one round trip to the next - host state, VMCS fields, bitmaps,
 * translations, whole VMCSs - and what must be noticed all the same: one scenario list for each.
 */
#pragma once

#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm.h"

#define LIST(name) extern const struct scenario name[]; extern const u64 name##_count
LIST(host_state_scenarios);
LIST(host_field_scenarios);
LIST(entry_scenarios);
LIST(field_scenarios);
LIST(field_write_scenarios);
LIST(control_scenarios);
LIST(bitmap_scenarios);
LIST(list_scenarios);
LIST(translation_scenarios);
LIST(region_scenarios);
#undef LIST

#define SCENARIOS(name, ...)                              \
	const struct scenario name[] = { __VA_ARGS__ };   \
	const u64 name##_count = ARRAY_SIZE(name)

/* A round of something is not cached the first time, perhaps a few times later, and surely the hundredth time. */
#define DEPTHS { 1, 5, 100 }

struct text;

/* --- rounds.c ------------------------------------------------------------------- */

/*
 * No watchdog, for a timer would make each round a little different, and debug registers of L2's own: the usual VMCS of a
 * hypervisor, for which a lower one will have its shortest ways.
 */
struct vm *rounds_create(const u8 *code);
/* The least that L1 does for a CPUID of L2: reads reason, length and RIP, moves RIP on. Ends the scenario if another exit comes. */
void rounds(struct vm *vm, u32 count);
extern const u8 l2_cpuid_for_ever[];
/* "prefix.name", for a line of its own. */
void name_join(struct text *joined, const char *prefix, const char *name);

/* --- l1_state.c: all of L1's state that an exit loads or leaves alone ----------------- */

/* A row is a name and how it is read. The hidden parts of segment registers show in what an access comes to. */
#define L1_STATE(X)                                                                                          \
	X(rflags) X(gdtr_base) X(gdtr_limit) X(idtr_base) X(idtr_limit) X(es) X(cs) X(ss) X(ds) X(fs) X(gs)      \
	X(ldtr) X(tr) X(fs_base) X(gs_base) X(cr0) X(cr2) X(cr3) X(cr4) X(xcr0) X(dr0) X(dr3) X(dr7) X(debugctl)  \
	X(sysenter_cs) X(sysenter_esp) X(sysenter_eip) X(pat) X(efer) X(star) X(lstar) X(cstar) X(fmask)          \
	X(kernel_gs_base) X(mapped) X(es_read) X(ss_read) X(ds_read) X(fs_read) X(gs_read) X(ldt_load) X(tss_stack) \
	X(tss_ports)

enum l1_state_row {
#define ROW(name) L1_##name,
	L1_STATE(ROW)
#undef ROW
	L1_STATE_COUNT
};

struct l1_state {
	u64 value[L1_STATE_COUNT];
};

/* Tables, selectors and pages of this guest, loaded into the processor and written into the current VMCS's host state. */
void l1_prepare(void);
/* The firmware's and the library's state again. */
void l1_put_back(void);
void l1_capture(struct l1_state *state);
/* Selectors and bases as they were then: ways to privilege level 3 take them away. */
void l1_load_selectors(const struct l1_state *state);
/* Says the names of the rows that differ, or "-". */
void l1_say_differences(const struct l1_state *before, const struct l1_state *after);

/* Selectors of this guest's GDT, besides the library's. */
#define SELECTOR_SMALL 0x50      /* data, base 0x1000, limit 0xff */
#define SELECTOR_OTHER_CODE 0x58 /* 64-bit code once more */
#define SELECTOR_TSS_PORTS 0x60  /* the TSS that HOST_TR names, with a limit that reaches its map of ports */
#define SELECTOR_TSS_STACK 0x70  /* another TSS, with another stack for exceptions */
#define SELECTOR_LDT 0x80
#define SELECTOR_IN_LDT 0x0c

/* A linear address that L1's page tables and the other ones map to different pages. */
#define MAPPED_ADDRESS (6ull << 30)

/* Values for what may be changed between an exit and an entry. */
struct l1_pages {
	u64 *gdt, *other_gdt;
	u64 *idt, *other_idt;
	u8 *tss, *other_tss;
	u64 *ldt;
	u64 cr3, other_cr3;
	u64 data, trap_stack_top, other_stack_top, user_stack_top;
};
extern struct l1_pages l1_pages;

/* --- probes.asm ---------------------------------------------------------------------- */

/* Reads four bytes at offset, below 4 GB, in compatibility mode, through segment 0 to 4: ES, SS, DS, FS, GS. */
u32 probe_read(u64 offset, u64 segment);
/* IN from port 0x80 at privilege level 3; ends in #GP or, if the port was allowed, in #UD. */
_Noreturn void probe_port(u64 user_stack_top);
/* VMRESUME there; neither may do it. */
_Noreturn void probe_resume_as_user(u64 user_stack_top);
u32 probe_resume_in_compatibility_mode(void);
void load_cs(u16 selector);

/* Entries right behind STI, and right behind MOV to SS; they return as vm_enter() does. */
u64 vm_resume_after_sti(struct vm *vm);
u64 vm_resume_after_mov_ss(struct vm *vm);

/* --- caches_l2.asm: between two CPUIDs L2 does all it can --------------------------------- */

extern const u8 l2_change_everything[], l2_tell_everything[], l2_exit_everywhere[], l2_follow_script[], l2_add_up[];

/* What l2_follow_script does in a round. */
enum step_kind { STEP_RDMSR, STEP_IN, STEP_VMREAD, STEP_VMFUNC, STEP_LOAD, STEP_STORE };
struct step {
	u32 kind; /* enum step_kind */
	u32 operand; /* MSR, port, field, index */
	u64 address; /* of LOAD and STORE */
	u64 value; /* what was read, or is to be stored */
	u64 unused;
};

/* --- script.c ------------------------------------------------------------------------ */

/* An L2 that does these steps in each round. */
struct vm *script_create(const struct step *steps, u32 count);
/* The steps as L2 has them, with what it read. */
struct step *script_steps(const struct vm *vm);
/* So many rounds; says the reason of each exit but CPUID, if it is to. L1 skips what exits. */
void script_rounds(struct vm *vm, u32 count, bool say_exits);
