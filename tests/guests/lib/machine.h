/* SPDX-License-Identifier: MIT */
/* Start of a guest: own tables, quiet APIC, VMX made available. */
#pragma once

#include "tests/guests/lib/types.h"

/* L1's selectors; hyper's L2 uses the same table layout. */
#define SELECTOR_CODE64 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE32 0x18
#define SELECTOR_TSS 0x20
#define SELECTOR_TSS2 0x30 /* L2 only: the target of task switches */
#define SELECTOR_USER_CODE64 0x43
#define SELECTOR_USER_DATA 0x4b

struct descriptor_tables;

/* Each guest image defines it; the library calls it when all is set up. */
void guest_main(void);

bool vmx_present(void);
bool under_testudo(void);

/* Opens IA32_FEATURE_CONTROL and sets CR0 and CR4 for VMX operation. */
void vmx_prepare(void);
/* VMXON of this processor, first outside any scenario: its region must outlive them. */
void vmx_on(void);
void vmx_off(void);
/* Before the first scenario for a processor that will do VMXON inside one. */
void vmx_region_reserve(u32 cpu);
/* A page with the revision identifier; VMCLEARed when the scenario ends. */
u64 vmx_region_alloc(void);
/* VMCLEAR of every region that was given out, on this processor. */
void vmx_regions_clear(void);
/* The same at the end of a part of a scenario: their memory may be used for something else. */
void vmx_regions_forget(void);

/* A page below 1 MB that the firmware gave for starting other processors; 0 if it gave none. */
u64 machine_low_page(void);
/* "key=N" among the words of the image's load options. */
u32 machine_option(const char *key, u32 otherwise);
/* "seed=N" of them, for scenarios with random times; 1 without. */
u32 machine_seed(void);
/* The VM exits that the hypervisor below has counted, where a VMM tells them by a port ("exits_port=N"); to ask is an exit, too. */
bool machine_exits(u32 *count);
/* How many processors the firmware knows; 0 if it does not tell. */
u32 machine_firmware_cpus(void);

/* Loads tables of its own into this processor; those of processor 0 are made at the start. */
void machine_load_tables(struct descriptor_tables *t);
struct descriptor_tables *machine_make_tables(void);

struct descriptor_tables {
	u64 gdt[10];
	u8 tss[104];
	u64 idt[512];
};

/* GDT with the selectors above, TSS whose IST1 is stack_top, all gates to stubs. */
void descriptors_build(struct descriptor_tables *t, u64 stubs, u64 stub_size, u64 stack_top);
/* NMIs come at any time, in a handler too: a stack of their own. */
void descriptors_nmi_stack(struct descriptor_tables *t, u64 stack_top);
