/* SPDX-License-Identifier: MIT */
/*
 * A small virtual machine monitor on /dev/kvm, for Linux as L1: what its files share.
 *
 * A VM has one or more vCPUs and one block of memory at guest-physical 0. A vCPU is run by one thread at a time. Errors of the kernel's
 * interface end the program with a message: there is nothing to recover. Must not depend on anything but the C library and <linux/kvm.h>.
 */
#pragma once

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#define VCPUS_MAX 8

struct vcpu {
	int fd;
	struct kvm_run *run; /* shared with the kernel: why KVM_RUN returned */
};

struct vm {
	int kvm; /* /dev/kvm */
	int fd;	 /* the VM */
	int vcpu_count;
	struct vcpu vcpu[VCPUS_MAX];
	uint8_t *memory;
	size_t memory_size;
	void *mapping; /* of this process, with the memory inside */
	size_t mapping_size;
};

/* kvm.c: the interface of the kernel */
void vm_create(struct vm *vm, size_t memory_size, int vcpus, int with_irqchip);
void vm_destroy(struct vm *vm);
int vm_ioctl(int fd, unsigned long request, void *argument, const char *what);
/* 0 when the kernel has something to be handled, -1 when a signal or immediate_exit ended the call. */
int vcpu_run(struct vcpu *vcpu);
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* cpuid.c: what each vCPU of a Linux guest sees */
void vm_set_cpuid(struct vm *vm);

/* port.c: one port access of the guest, decoded */
struct port_access {
	uint16_t port;
	int is_write;
	unsigned int size;  /* 1, 2 or 4 bytes */
	unsigned int count; /* of repetitions (INS, OUTS) */
	uint8_t *data;	    /* size * count bytes */
};
struct port_access port_access(struct vcpu *vcpu);

/* file.c: whole files; the first returns the size */
size_t file_open(const char *name, int *file);
void file_read(int file, void *to, size_t size, const char *name);

/* long_mode.c: 64-bit mode, with these registers; RFLAGS are as at the start of a kernel */
void long_mode_start(struct vm *vm, struct kvm_regs registers);

/* bzimage.c: a Linux kernel in memory, ready to start */
void bzimage_load(struct vm *vm, const char *kernel, const char *initrd, const char *command_line);

/* acpi.c: RSDP, XSDT and MADT, where firmware has them */
void acpi_write(struct vm *vm);

/* efi_image.c: a UEFI application in memory */
struct efi_image {
	uint64_t base, size, entry;
};
struct efi_image efi_image_load(struct vm *vm, uint64_t base, const char *name);

/* firmware.c: its firmware; a call is a write of a service's number to the port, and fails only where the guest cannot go on */
#define FIRMWARE_PORT 0xec
void firmware_start(struct vm *vm, const char *image, const char *options);
int firmware_call(struct vm *vm, uint32_t number);

/* stats.c: what KVM counts */
struct stat_value {
	int fd;
	uint64_t offset;
};
struct stat_value stat_find(const struct vcpu *vcpu, const char *name);
uint64_t stat_read(const struct stat_value *value);

/* uart.c: the 16550 at 0x3f8, as much of it as Linux uses */
struct uart {
	uint8_t ier, lcr, mcr, scratch, divisor[2];
	int fifo_on;
	int transmit_pending; /* "transmitter empty" was not yet told to the driver */
	int irq_level;
};
void uart_write(struct uart *uart, struct vm *vm, unsigned int reg, uint8_t value);
uint8_t uart_read(struct uart *uart, struct vm *vm, unsigned int reg);

/* The machines: all return the exit status of the program. */
int tiny_main(void);
int rounds_main(const char *name);
int tiny_each_main(void);
int tiny_hotplug_main(int times);
int linux_main(const char *kernel, const char *initrd, const char *command_line, int vcpus, size_t megabytes);
int efi_main(const char *image, const char *options, size_t megabytes);

/* tiny.c: the tiny guest, for those who run many of it */
struct tiny;
struct tiny *tiny_create(void);
int tiny_round(struct tiny *tiny, int quiet); /* one run of it from its beginning; 0 when all sums are right */
void tiny_destroy(struct tiny *tiny);
