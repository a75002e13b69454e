; SPDX-License-Identifier: MIT
;
; An L2 whose exits are known: CPUIDs, then VMCALL.

bits 64
default rel
section .text

global l2_cpuids:data hidden
global l2_cpuids_end:data hidden

%define CPUIDS 5

l2_cpuids:
%rep CPUIDS
	cpuid
%endrep
l2_cpuids_end:
	vmcall
	jmp l2_cpuids

section .note.GNU-stack noalloc noexec nowrite progbits
