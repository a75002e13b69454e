; SPDX-License-Identifier: MIT
; L2's side of instructions.c, registers.c and string_io.c: each exits, and L1 steps over it.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 plain
	cpuid
	hlt
	invd
	wbinvd
	rdpmc
	rdtsc
	rdtscp
	pause
	xsetbv
	rdmsr
	wrmsr
	monitor
	mwait
	vmlaunch
	vmresume
	vmxoff
	db 0x2e, 0x66, 0x0f, 0xa2	; prefixes count in the length of CPUID
	vmcall

l2 invlpg_forms
	invlpg [rsi]
	invlpg [rsi + rdi * 8 + 0x1000]
	invlpg [fs:rsi + 0x20]
	invlpg [gs:esi + 4]
	invlpg [rsp - 8]
	vmcall

l2 tables
	sgdt [rsi]
	sidt [fs:rsi + rdi * 2]
	lgdt [r12 + r13 * 8 - 0x20]
	lidt [gs:esi + 0x44]
	sgdt [rel l2_tables]
	sldt ax
	sldt r11
	sldt [rsi + 0x80]
	str ebx
	str [rbp]
	lldt dx
	lldt [rsp]
	ltr r8w
	ltr [edi * 4]
	vmcall

l2 random
	rdrand ax
	rdrand r9d
	rdrand r15
	rdseed cx
	rdseed ebp
	rdseed rbx
	vmcall

l2 invalidations
	invpcid rax, [rsi]
	invpcid r15, [fs:rdi + rcx * 4 + 0x10]
	invept r9, [rsp]
	invvpid rbx, [ebp + 8]
	vmcall

l2 vmcs_operands
	vmptrld [fs:rsi]
	vmptrst [rsi + rsi + 1]
	vmclear [r13]
	vmxon [gs:edx + ebx * 8 - 1]
	vmread r8, r9
	vmread [rax], rcx
	vmwrite r12, r13
	vmwrite rdx, [fs:rax * 2 + 0x7fffffff]
	vmcall

l2 extended_state
	xsaves [rsi]
	xrstors [fs:rsi + rdi * 8 + 0x40]
	xsaves64 [rsi + 0x1000]
	xrstors64 [rsi]
	vmcall

l2 control_registers
	mov cr0, rax
	mov cr0, r9
	mov cr3, rbx
	mov rdi, cr3
	mov cr4, r15
	mov cr8, rdx
	mov r14, cr8
	clts
	lmsw ax
	lmsw [rsi + 8]
	lmsw [fs:rsi]
	vmcall

l2 debug_registers
	mov dr0, rax
	mov dr3, r12
	mov dr6, rsp
	mov dr7, rbx
	mov rcx, dr1
	mov r8, dr2
	mov rdi, dr7
	vmcall

l2 ports
	out 0x7f, al
	out 0x80, ax
	out 0xff, eax
	in al, 0x12
	in ax, 0x34
	in eax, 0x56
	mov edx, 0xfffe
	out dx, al
	in eax, dx
	vmcall

; RSI and RDI are in memory, RDX is the port, RCX counts.
l2 string_ports
	outsb
	outsw
	outsd
	insb
	insw
	insd
	rep outsb
	rep insd
	fs outsb
	gs rep outsw
	db 0x26				; ES counts for nothing
	outsd
	a32 outsb
	a32 insw
	a32 fs outsd
	std
	outsb
	rep insw
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
