; SPDX-License-Identifier: MIT
;
; A boot sector that asks an emulator whether its 64-bit signed division is right, and answers on COM1 with "ok" or "no".
;
; Debian's build of Bochs 3.1 returns what lay on its stack (a compiler's doing, Bochs issue 668), and Linux dies of it with a divide
; error. Started by tools/fetch-bochs on the legacy BIOS, in a second. Ends the machine with the word "Shutdown" on port 0x8900.
;
; 1. real mode: three page tables that map the first 2 MB to themselves
; 2. straight to long mode: PAE, EFER.LME, then PG and PE together
; 3. divide, compare, answer
bits 16
org 0x7c00
	cli
	xor	ax, ax
	mov	ds, ax
	mov	es, ax
	mov	edi, 0x1000
	mov	cr3, edi
	mov	cx, 0x3000 / 4
	xor	eax, eax
	rep	stosd
	mov	dword [0x1000], 0x2003
	mov	dword [0x2000], 0x3003
	mov	dword [0x3000], 0x83
	mov	eax, cr4
	or	eax, 1 << 5
	mov	cr4, eax
	mov	ecx, 0xc0000080
	rdmsr
	or	eax, 1 << 8
	wrmsr
	lgdt	[gdt_pointer]
	mov	eax, cr0
	or	eax, 1 << 31 | 1
	mov	cr0, eax
	jmp	8:long_mode

bits 64
long_mode:
	mov	eax, 16
	mov	ds, eax
	mov	ss, eax
	mov	esp, 0x7c00
	mov	eax, 1000000000
	cqo
	mov	ecx, 1000
	idiv	rcx
	cmp	rax, 1000000
	jne	wrong
	test	rdx, rdx
	jnz	wrong
	mov	rax, -1000000007
	cqo
	idiv	rcx
	cmp	rax, -1000000
	jne	wrong
	cmp	rdx, -7
	jne	wrong
	mov	esi, good
	jmp	answer
wrong:
	mov	esi, bad
answer:
	mov	dx, 0x3fb		; line control: divisor 1, then 8 bits
	mov	al, 0x83
	out	dx, al
	mov	dx, 0x3f8
	mov	al, 1
	out	dx, al
	inc	edx
	mov	al, 0
	out	dx, al
	mov	dx, 0x3fb
	mov	al, 3
	out	dx, al
	mov	ecx, 3
.next:	mov	dx, 0x3f8
	outsb
	mov	dx, 0x3fd
.busy:	in	al, dx
	test	al, 0x40		; the transmitter has sent all
	jz	.busy
	loop	.next
	mov	dx, 0x8900
	mov	esi, shutdown
	mov	ecx, 8
	rep	outsb
	jmp	$

good:		db "ok", 10
bad:		db "no", 10
shutdown:	db "Shutdown"
gdt:		dq 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:	dw $ - gdt - 1
		dd gdt
	times 510 - ($ - $$) db 0
	dw 0xaa55
