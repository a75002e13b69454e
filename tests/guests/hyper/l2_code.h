/* SPDX-License-Identifier: MIT */
/* What L2 runs: position-independent code in the *_l2.asm files. */
#pragma once

#include "tests/guests/lib/types.h"

#define L2(name) extern const u8 l2_##name[]

/* instructions_l2.asm */
L2(cpuid); L2(vmcall); L2(hlt); L2(rdtsc); L2(rdtscp); L2(invlpg); L2(xsetbv); L2(invd);
L2(wbinvd); L2(pause); L2(rdpmc); L2(rdrand); L2(invpcid); L2(vmx_instructions); L2(vmx_memory); L2(vmx_rip_relative);
L2(sgdt); L2(sldt); L2(lgdt); L2(mov_dr);

/* vm_functions_l2.asm */
L2(vmfunc); L2(vmfunc_read); L2(vmfunc_after_sti); L2(vmfunc_rounds);

/* protection_l2.asm */
L2(exchange_msr); L2(shadow_call); L2(shadow_mismatch); L2(tracked_jump); L2(tracked_jump_well);

/* ept_l2.asm */
L2(read); L2(write); L2(write_ret); L2(call); L2(read_write); L2(read_twice);

/* pml_l2.asm */
L2(write_two);

/* io_l2.asm */
L2(out_forms); L2(in_forms); L2(string_io); L2(scratch_register);

/* msr_l2.asm */
L2(rdmsr); L2(wrmsr); L2(rdmsr_rdmsr);

/* control_registers_l2.asm */
L2(cr0_writes); L2(cr3); L2(cr4); L2(cr8); L2(lmsw);

/* events_l2.asm */
L2(nops); L2(ud2); L2(int_80); L2(int3); L2(page_fault); L2(sti_nops); L2(mov_ss_nops); L2(spin);
L2(send_ipi); L2(sti_hlt); L2(push_popf); L2(iret_nops); L2(divide); L2(count);

/* apic_l2.asm */
L2(apic_read); L2(apic_write); L2(apic_tpr); L2(x2apic_tpr);

/* virtual_apic_l2.asm */
L2(apic_eoi); L2(apic_command); L2(apic_command_high); L2(apic_wide); L2(x2apic_write);

/* extensions_l2.asm */
L2(monitor_mwait); L2(xsaves); L2(xrstors);

/* vmcs_model_l2.asm */
L2(change_state);

/* corners_l2.asm */
L2(shared_registers); L2(to_long_mode);

/* misses_l2.asm */
L2(walk_pages); L2(read_three); L2(sti_read); L2(mov_ss_read); L2(step_read);

/* modes_l2.asm */
L2(real_mode); L2(real_mode_end); L2(code32); L2(task_switch32); L2(pae_switch32);
L2(virtual_8086); L2(virtual_8086_flags);

#undef L2
