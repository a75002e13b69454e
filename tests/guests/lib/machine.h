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

/* Each guest image defines it; the library calls it when all is set up. */
void guest_main(void);

bool vmx_present(void);
bool under_testudo(void);

/* Opens IA32_FEATURE_CONTROL and sets CR0 and CR4 for VMX operation. */
void vmx_prepare(void);
/* VMXON, first outside any scenario: its region must outlive them. */
void vmx_on(void);
void vmx_off(void);
/* A page with the revision identifier; VMCLEARed when the scenario ends. */
u64 vmx_region_alloc(void);

struct descriptor_tables {
	u64 gdt[10];
	u8 tss[104];
	u64 idt[512];
};

/* GDT with the selectors above, TSS whose IST1 is stack_top, all gates to stubs. */
void descriptors_build(struct descriptor_tables *t, u64 stubs, u64 stub_size, u64 stack_top);
